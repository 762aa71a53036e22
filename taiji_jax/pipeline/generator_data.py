"""What all arms of a generator's table share: rows, vectors, the teacher."""

from collections.abc import Callable
import dataclasses
import functools
import hashlib
import pathlib
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from taiji_jax.config import deviations
from taiji_jax.data import global_split, minionerec, sources
from taiji_jax.data.next_items import NextItemData, NextItems
from taiji_jax.evaluate import ranking
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe, NextItemsConfig
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.products import Product, Products
from taiji_jax.retrieve import mixture as mixture_lib
from taiji_jax.retrieve import tfidf, top, transitions
from taiji_jax.retrieve.components import Tables
from taiji_jax.retrieve.mixture import Mixture
from taiji_jax.retrieve.sparse import Sparse
from taiji_jax.retrieve.user_folds import UserFolds
from taiji_jax.semantic_ids import vectors

Build = Callable[[pathlib.Path, pathlib.Path], None]
"""(the product's folder, a folder for what is unfinished) -> its files."""

_ITEMS, _PROBABILITIES = 'items.npy', 'probabilities.npy'


def read(config: NextItemsConfig) -> NextItemData:
  """Returns the rows of a recipe.

  Args:
    config: its section `data`.

  Raises:
    UserError: a file is missing or malformed, or `left_out` names an item that
      the catalogue lacks.
  """
  found = _whole(config)
  ranking.check_known(found.catalog.ids, config.left_out)
  if not config.evaluated:
    return found
  fewer = {
    part: rows.take(
      np.linspace(0, len(rows) - 1, min(config.evaluated, len(rows)), dtype=int)
    )
    for part, rows in (('valid', found.valid), ('test', found.test))
  }
  return dataclasses.replace(found, **fewer)


def _whole(config: NextItemsConfig) -> NextItemData:
  """Returns all rows of a recipe."""
  if config.source == 'minionerec':
    return minionerec.read(
      sources.resolve(config.path),
      config.category,
      history=config.history,
      codes=config.codes,
    )
  log, catalog = sources.SOURCES[config.log.source](config.log)
  if config.source == 'leave_one_out':
    return global_split.leave_one_out(log, catalog, history=config.history)
  return global_split.global_split(
    log, catalog, core=config.core, history=config.history
  )


class Shared:
  """Rows, text vectors and the collaborative model; each made when asked.

  Attributes:
    recipe: of the run.
  """

  def __init__(self, recipe: GeneratorRecipe, products: Products):
    """Opens them; nothing is read.

    Args:
      recipe: of the run.
      products: where what takes long is kept.
    """
    self.recipe, self._products = recipe, products

  @functools.cached_property
  def data(self) -> NextItemData:
    """Returns catalogue and rows."""
    return read(self.recipe.data)

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
  def frequency_n(self) -> np.ndarray:
    """Returns how often training takes each item, int64 `[N]`."""
    return transitions.popularity(self.data.train, len(self.data.catalog))

  @functools.cached_property
  def vectors(self) -> Sparse:
    """Returns the TF-IDF vectors of the items' texts."""
    return tfidf.vectors(self.data.catalog.texts, self.recipe.tfidf)

  @functools.cached_property
  def near(self) -> Sparse:
    """Returns each item's text neighbours."""
    return tfidf.nearest(self.vectors, self.recipe.mixture.neighbours)

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
      vector_nd = vectors.latent(matrix, width).vector_nd
      np.save(part / 'text.npy', vector_nd, allow_pickle=False)

    made = self._make('text', {'width': width}, build)
    return np.load(made.folder / 'text.npy', allow_pickle=False)

  @functools.cached_property
  def mixture(self) -> Mixture:
    """Returns the collaborative model, its weights fitted on valid."""

    def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      found = mixture_lib.fit(
        self.data.train, self.data.valid, self.near, self.recipe.mixture
      )
      values = np.append(found.weight_c, found.nll)
      np.save(part / 'weights.npy', values, allow_pickle=False)

    made = self._make('mixture', {}, build)
    values = np.load(made.folder / 'weights.npy', allow_pickle=False)
    config = self.recipe.mixture
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
      save_lists(part, item_rj, p_rj)

    return self.kept_lists('teacher', {'labels': labels}, build)

  def kept_lists(
    self, stage: str, more: dict[str, Any], build: Build
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns (items, probabilities), made once.

    Args:
      stage: what they are.
      more: what they follow from, besides data and collaborative model.
      build: writes them by `save_lists`.
    """
    made = self._make(stage, more, build)
    return (
      np.load(made.folder / _ITEMS, allow_pickle=False),
      np.load(made.folder / _PROBABILITIES, allow_pickle=False),
    )

  def _make(self, stage: str, more: dict[str, Any], build: Build) -> Product:
    recipe = self.recipe
    inputs = {
      'data': self.digest,
      'tfidf': deviations(recipe.tfidf),
      'mixture': deviations(recipe.mixture),
      **more,
    }
    return self._products.make(
      f'next_{stage}', inputs, build, revision=REVISIONS['mixture']
    )


def save_lists(
  folder: pathlib.Path, item_rj: np.ndarray, p_rj: np.ndarray
) -> None:
  """Writes lists as `Shared.kept_lists` reads them.

  Args:
    folder: of the product.
    item_rj: int32 `[R, J]`, -1 for none.
    p_rj: float32, their probabilities.
  """
  np.save(folder / _ITEMS, item_rj, allow_pickle=False)
  np.save(folder / _PROBABILITIES, p_rj, allow_pickle=False)


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
