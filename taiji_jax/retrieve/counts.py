"""Which item came after which, and how often: sparse counts of a log."""

from collections.abc import Sequence
import dataclasses
import functools

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.errors import UserError
from taiji_jax.types import Log


@dataclasses.dataclass(frozen=True)
class Pairs:
  """Counts of (item, other item), of those pairs alone that were seen.

  Attributes:
    items: number of items N.
    key_q: int64 `[Q]`, item * N + other item, ascending.
    count_q: int64 `[Q]`, at least 1.
  """

  items: int
  key_q: np.ndarray
  count_q: np.ndarray

  @classmethod
  def of(cls, items: int, first: np.ndarray, second: np.ndarray) -> 'Pairs':
    """Returns how often each pair comes.

    Args:
      items: number of items N.
      first, second: int `[P]`, the pairs.
    """
    key = first.astype(np.int64) * items + second
    return cls(items, *np.unique(key, return_counts=True))

  def count(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the count of each pair, int64 of their common shape."""
    wanted = np.asarray(first, np.int64) * self.items + second
    if not len(self.key_q):
      return np.zeros(wanted.shape, np.int64)
    at = np.minimum(np.searchsorted(self.key_q, wanted), len(self.key_q) - 1)
    return np.where(self.key_q[at] == wanted, self.count_q[at], 0)

  def expand(self, item_i: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns (i, other item, count) of all pairs of several items.

    Args:
      item_i: int `[I]`, items; the same one may come twice, and -1 has no pair.

    Returns:
      int64 `[P]` each; `i` is a position in `item_i`, ascending.
    """
    item_i = np.asarray(item_i, np.int64)
    low_i = self._start_n[item_i]
    length_i = np.where(item_i >= 0, self.lengths[item_i], 0)
    i_p = np.repeat(np.arange(len(item_i)), length_i)
    skip_i = low_i - (np.cumsum(length_i) - length_i)
    q_p = np.arange(len(i_p)) + skip_i[i_p]
    return i_p, self.key_q[q_p] % self.items, self.count_q[q_p]

  @functools.cached_property
  def lengths(self) -> np.ndarray:
    """Returns how many pairs begin with each item, int64 `[N]`."""
    return np.diff(self._start_n)

  @functools.cached_property
  def _start_n(self) -> np.ndarray:
    """Returns where the pairs of each item begin, int64 `[N + 1]`."""
    first = np.arange(self.items + 1) * np.int64(self.items)
    return np.searchsorted(self.key_q, first)

  def total(self) -> np.ndarray:
    """Returns the pairs that begin with each item, int64 `[N]`."""
    first_q = self.key_q // self.items
    return np.bincount(first_q, self.count_q, self.items).astype(np.int64)

  def both(self) -> 'Pairs':
    """Returns the counts of each pair in either order."""
    first_q, second_q = np.divmod(self.key_q, self.items)
    key = np.concatenate([self.key_q, second_q * self.items + first_q])
    key_q, at = np.unique(key, return_inverse=True)
    twice = np.concatenate([self.count_q, self.count_q])
    return Pairs(
      self.items, key_q, np.bincount(at, twice, len(key_q)).astype(np.int64)
    )


def followed(
  log: Log, events: np.ndarray, items: int, lags: Sequence[int]
) -> Pairs:
  """Returns how often an item was clicked some clicks after another.

  Lag 1 is the user's next click among `events`. Each user's clicks count by
  themselves; what is no click counts nowhere.

  Args:
    log: the whole log.
    events: bool `[E]`, those that count.
    items: number of items N.
    lags: how many clicks later, each at least 1.
  """
  clicks = history_lib.clicks_by_user(log, events)
  user_c, item_c = log.user_e[clicks], log.item_e[clicks]
  first, second = [item_c[:0]], [item_c[:0]]
  for lag in lags:
    same = user_c[lag:] == user_c[: max(len(user_c) - lag, 0)]
    first.append(item_c[: len(same)][same])
    second.append(item_c[lag:][same])
  return Pairs.of(items, np.concatenate(first), np.concatenate(second))


def popularity(log: Log, events: np.ndarray, items: int) -> np.ndarray:
  """Returns the clicks of each item, int64 `[N]`.

  Args:
    log: the whole log.
    events: bool `[E]`, those that count.
    items: number of items N.

  Raises:
    UserError: no event is one that counts.
  """
  counted = events & log.click_e
  if not counted.any():
    raise UserError(
      'no click is a training event, so nothing can be counted; move the cut'
      ' to a later one, or give a longer log.'
    )
  return np.bincount(log.item_e[counted], minlength=items)


LAGS = ((1,), (2,), (3,), (4, 5, 6, 7, 8, 9, 10))
"""Lags that are counted apart, and those that are counted together."""
WINDOW = LAGS[-1][-1]


@dataclasses.dataclass(frozen=True)
class Counts:
  """All that the retriever knows of which item goes with which.

  Attributes:
    popularity_n: int64 `[N]`, clicks.
    after: what followed at the lags of each entry of `LAGS`.
    together: clicks of one user at most `WINDOW` apart, in either order.
  """

  popularity_n: np.ndarray
  after: tuple[Pairs, ...]
  together: Pairs


def count(log: Log, events: np.ndarray, items: int) -> Counts:
  """Returns the counts of a log.

  Args:
    log: the whole log.
    events: bool `[E]`, those that count.
    items: number of items N.

  Raises:
    UserError: no event is one that counts.
  """
  window = followed(log, events, items, range(1, WINDOW + 1))
  return Counts(
    popularity(log, events, items),
    tuple(followed(log, events, items, lags) for lags in LAGS),
    window.both(),
  )
