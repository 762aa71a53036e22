"""The vectors that our own semantic IDs are made of: a product of a run."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax.config import deviations
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.semantic_ids import item_encoder
from taiji_jax.semantic_ids.item_encoder import ENCODER, ItemEncoder

if TYPE_CHECKING:
  from taiji_jax.pipeline.generator import GeneratorRun

_VECTORS, _ENCODER = 'vectors.npy', 'item_encoder.safetensors'


def make(run: 'GeneratorRun') -> tuple[np.ndarray, ItemEncoder]:
  """Returns (vectors of all items, float32 `[N, d]`; what gives others theirs).

  Pairs of items that follow each other are those of the training rows alone.

  Args:
    run: whose recipe says of which sources (`ids_sources`).

  Raises:
    UserError: as `item_encoder.fit`.
  """
  recipe, shared = run.recipe, run.shared

  def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    train = shared.data.train
    vector_nd, encoder = item_encoder.fit(
      shared.data.catalog.texts,
      (train.recent_bs(1)[:, 0], train.target_b),
      recipe.ids_sources,
      recipe.ids_width,
      config=recipe.tfidf,
      embedder=recipe.ids_embedder,
    )
    np.save(part / _VECTORS, vector_nd, allow_pickle=False)
    item_encoder.save(part / _ENCODER, encoder)

  inputs = {
    'data': shared.digest,
    'tfidf': deviations(recipe.tfidf),
    'sources': recipe.ids_sources,
    'width': recipe.ids_width,
    'embedder': recipe.ids_embedder if ENCODER in recipe.ids_sources else '',
  }
  made = run.products.make(
    'item_vectors', inputs, build, revision=REVISIONS['mixture']
  )
  vector_nd = np.load(made.folder / _VECTORS, allow_pickle=False)
  return vector_nd, item_encoder.load(made.folder / _ENCODER)
