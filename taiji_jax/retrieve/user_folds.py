"""The mixture as a row of training may see it: without the row's own user.

A count that holds a row's own target tells it the answer: a model that learns
from such scores learns to trust them, and on new rows they do not hold. So the
users are parted into folds, and a row is scored by counts without its fold.
"""

from collections.abc import Callable, Iterator
import dataclasses
import functools

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.errors import UserError
from taiji_jax.retrieve.components import Tables
from taiji_jax.retrieve.mixture import Mixture
from taiji_jax.retrieve.sparse import Sparse

Read = Callable[[Mixture, NextItems, np.ndarray], np.ndarray]


class UserFolds:
  """Mixtures of one set of weights, one a fold of the users."""

  def __init__(self, mixture: Mixture, train: NextItems, near: Sparse):
    """Parts the users; counts nothing yet.

    Args:
      mixture: of all of `train`; its config says how many folds there are.
      train: the rows that it counts.
      near: the text neighbours that it reads.

    Raises:
      UserError: all rows are of users of one fold.
    """
    self._mixture, self._train, self._near = mixture, train, near
    users = sorted(set(train.user))
    rng = np.random.default_rng(mixture.config.seed)
    fold_u = rng.integers(mixture.config.folds, size=len(users))
    self._fold = dict(zip(users, fold_u.tolist(), strict=True))
    if len(set(self._fold.values())) < 2:
      raise UserError(
        f'all training rows are of users of one fold ({len(users)} users), so'
        ' that none is left to count for them; give rows of more users.'
      )
    self._of = functools.cache(self._made)

  def folds(self, rows: NextItems) -> np.ndarray:
    """Returns the fold whose users a row's counts lack, int64 `[B]`.

    Args:
      rows: any; a user without training rows has -1, whom all counts lack.
    """
    return np.array([self._fold.get(user, -1) for user in rows.user], np.int64)

  def of(self, fold: int) -> Mixture:
    """Returns the mixture without the users of a fold; of -1 the whole one."""
    return self._mixture if fold < 0 else self._of(fold)

  def _made(self, fold: int) -> Mixture:
    kept = self.folds(self._train) != fold
    tables = Tables.of(self._train.take(kept), self._near, self._mixture.config)
    return dataclasses.replace(self._mixture, tables=tables)

  def scores(self, rows: NextItems) -> np.ndarray:
    """Returns the probability of every item, float32 `[B, N]`.

    Args:
      rows: the contexts; each sees the counts without its user's fold.
    """
    p_bn = np.empty((len(rows), self._mixture.items), np.float32)
    for index, mixture in self._parts(rows):
      p_bn[index] = mixture.scores(rows.take(index))
    return p_bn

  def best(self, rows: NextItems, count: int) -> np.ndarray:
    """Returns the likeliest items, int32 `[B, count]`; see `Mixture.best`.

    Args:
      rows: the contexts.
      count: the length of the lists.
    """
    item_bk = np.full((len(rows), count), -1, np.int32)
    for index, mixture in self._parts(rows):
      item_bk[index] = mixture.best(rows.take(index), count)
    return item_bk

  def features(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns float32 `[B, K, C]`; see `Mixture.features`.

    Args:
      rows: the contexts.
      item_bk: int32 `[B, K]`, candidates; -1 is none.
    """
    return self._joined(Mixture.features, rows, item_bk)

  def evidence(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns float32 `[B, K, E]`; see `Mixture.evidence`.

    Args:
      rows, item_bk: see `features`.
    """
    return self._joined(Mixture.evidence, rows, item_bk)

  def popularity(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns float32 `[B, K, 1]`; see `Mixture.popularity`.

    Args:
      rows, item_bk: see `features`.
    """
    return self._joined(Mixture.popularity, rows, item_bk)

  def _joined(
    self, read: Read, rows: NextItems, item_bk: np.ndarray
  ) -> np.ndarray:
    parts = [
      (index, read(mixture, rows.take(index), item_bk[index]))
      for index, mixture in self._parts(rows)
    ]
    if not parts:
      return read(self._mixture, rows, item_bk)
    shape = (*item_bk.shape, parts[0][1].shape[-1])
    found = np.empty(shape, np.float32)
    for index, part in parts:
      found[index] = part
    return found

  def _parts(self, rows: NextItems) -> Iterator[tuple[np.ndarray, Mixture]]:
    """Yields (positions of a fold's rows, their mixture)."""
    rows.check(self._mixture.items)
    fold_b = self.folds(rows)
    for fold in np.unique(fold_b).tolist():
      yield np.flatnonzero(fold_b == fold), self.of(fold)
