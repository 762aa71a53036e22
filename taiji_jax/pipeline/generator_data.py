"""What all arms of a generator's table share: rows, vectors, the teacher."""

import functools
import hashlib
import pathlib
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from taiji_jax.config import deviations
from taiji_jax.data import global_split, minionerec, sources
from taiji_jax.data.next_items import NextItemData, NextItems
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe, NextItemsConfig
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.products import Product, Products
from taiji_jax.retrieve import mixture as mixture_lib
from taiji_jax.retrieve import tfidf, top
from taiji_jax.retrieve.components import Tables
from taiji_jax.retrieve.mixture import Mixture
from taiji_jax.retrieve.sparse import Sparse
from taiji_jax.retrieve.user_folds import UserFolds
from taiji_jax.semantic_ids import vectors


def read(config: NextItemsConfig) -> NextItemData:
  """Returns the rows of a recipe.

  Args:
    config: its section `data`.

  Raises:
    UserError: a file is missing or malformed.
  """
  if config.source == 'minionerec':
    return minionerec.read(
      sources.resolve(config.path),
      config.category,
      history=config.history,
      codes=config.codes,
    )
  log, catalog = sources.SOURCES[config.log.source](config.log)
  split = getattr(global_split, config.source)
  return split(log, catalog, history=config.history)


class Shared:
  """Rows, text vectors and the collaborative model; each made when asked."""

  def __init__(self, recipe: GeneratorRecipe, products: Products):
    """Opens them; nothing is read.

    Args:
      recipe: of the run.
      products: where what takes long is kept.
    """
    self._recipe, self._products = recipe, products

  @functools.cached_property
  def data(self) -> NextItemData:
    """Returns catalogue and rows."""
    return read(self._recipe.data)

  @functools.cached_property
  def digest(self) -> str:
    """Returns a hash of catalogue and rows."""
    found = hashlib.sha256(repr(self.data.catalog.ids).encode())
    found.update(repr(self.data.catalog.texts).encode())
    if self.data.catalog.codes_nl is not None:
      found.update(np.ascontiguousarray(self.data.catalog.codes_nl).tobytes())
    for rows in (self.data.train, self.data.valid, self.data.test):
      found.update(repr(rows.user).encode())
      for part in (rows.history_q, rows.start_b, rows.target_b):
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:16]

  @functools.cached_property
  def vectors(self) -> Sparse:
    """Returns the TF-IDF vectors of the items' texts."""
    return tfidf.vectors(self.data.catalog.texts, self._recipe.tfidf)

  @functools.cached_property
  def near(self) -> Sparse:
    """Returns each item's text neighbours."""
    return tfidf.nearest(self.vectors, self._recipe.mixture.neighbours)

  def text_nd(self, width: int) -> np.ndarray | None:
    """Returns text vectors of unit mean norm, float32; None for width 0.

    The truncated singular value decomposition of the TF-IDF vectors (latent
    semantic analysis).

    Args:
      width: of the vectors.
    """
    if not width:
      return None

    def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      v = self.vectors
      shape = (v.rows, v.columns)
      matrix = csr_array((v.value_q, v.column_q, v.start_n), shape)
      vector_nd = vectors.latent(matrix, width)
      np.save(part / 'text.npy', vector_nd, allow_pickle=False)

    made = self._make('text', {'width': width}, build)
    return np.load(made.folder / 'text.npy', allow_pickle=False)

  @functools.cached_property
  def mixture(self) -> Mixture:
    """Returns the collaborative model, its weights fitted on valid."""

    def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      found = mixture_lib.fit(
        self.data.train, self.data.valid, self.near, self._recipe.mixture
      )
      values = np.append(found.weight_c, found.nll)
      np.save(part / 'weights.npy', values, allow_pickle=False)

    made = self._make('mixture', {}, build)
    values = np.load(made.folder / 'weights.npy', allow_pickle=False)
    config = self._recipe.mixture
    tables = Tables.of(self.data.train, self.near, config)
    return Mixture(tables, values[:-1], config, float(values[-1]))

  @functools.cached_property
  def folds(self) -> UserFolds:
    """Returns the collaborative models without a row's own user."""
    return UserFolds(self.mixture, self.data.train, self.near)

  def teacher(self, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (items, probabilities) of the training rows, `[R, J]` each.

    What the collaborative model holds likeliest, built without the row's user.

    Args:
      labels: J.
    """

    def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      rows = self.data.train
      item_rj = np.full((len(rows), labels), -1, np.int32)
      p_rj = np.zeros((len(rows), labels), np.float32)
      fold_r = self.folds.folds(rows)
      for fold in np.unique(fold_r).tolist():
        index = np.flatnonzero(fold_r == fold)
        for at, p_bn in self.folds.of(fold).chunks(rows.take(index)):
          own = index[at : at + len(p_bn)]
          item_rj[own] = found = top.best(p_bn, labels)
          p_rj[own] = np.take_along_axis(p_bn, np.maximum(found, 0), 1)
      np.save(part / 'items.npy', item_rj, allow_pickle=False)
      np.save(part / 'probabilities.npy', p_rj, allow_pickle=False)

    made = self._make('teacher', {'labels': labels}, build)
    return (
      np.load(made.folder / 'items.npy', allow_pickle=False),
      np.load(made.folder / 'probabilities.npy', allow_pickle=False),
    )

  def _make(self, stage: str, more: dict[str, Any], build: Any) -> Product:
    recipe = self._recipe
    inputs = {
      'data': self.digest,
      'tfidf': deviations(recipe.tfidf),
      'mixture': deviations(recipe.mixture),
      **more,
    }
    return self._products.make(
      f'next_{stage}', inputs, build, revision=REVISIONS['mixture']
    )


def histories(rows: NextItems, size: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns (items `[R, S]` oldest first, padded with 0; how many, `[R]`).

  Args:
    rows: the rows.
    size: S, the last items that are read.
  """
  recent_rs = rows.recent_bs(size)
  length_r = (recent_rs >= 0).sum(1).astype(np.int32)
  at_s = length_r[:, None] - 1 - np.arange(size)
  oldest_rs = np.take_along_axis(recent_rs, np.maximum(at_s, 0), 1)
  return np.where(at_s >= 0, oldest_rs, 0).astype(np.int32), length_r
