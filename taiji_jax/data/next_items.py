"""Rows of next-item prediction, their catalogue, and a data set's three parts.

A row is what a user took before (the history, oldest first) and what came next
(the target). Unlike `types.Rows` it needs no log: MiniOneRec's files have none.
"""

from collections.abc import Sequence
import dataclasses
import functools

import numpy as np

from taiji_jax.errors import UserError

HISTORY = 10
"""The most items of a history in MiniOneRec's protocol."""


@dataclasses.dataclass(frozen=True)
class ItemCatalog:
  """The items. Position in these tuples is the item's index `n` everywhere.

  Attributes:
    ids: the source's ids, unique. Length N, at least 1.
    titles: on one line, length N.
    texts: title and description on one line, length N.
    brands: '' where unknown, length N.
    codes_nl: int32 `[N, L]`, the semantic IDs that came with the items, each
      code at least 0; None where none came.
  """

  ids: tuple[str, ...]
  titles: tuple[str, ...]
  texts: tuple[str, ...]
  brands: tuple[str, ...]
  codes_nl: np.ndarray | None = None

  def __post_init__(self):
    if not self.ids:
      raise UserError('the catalogue holds no items; give at least one.')
    if len(self.index) < len(self.ids):
      twice = next(i for n, i in enumerate(self.ids) if self.index[i] != n)
      raise UserError(
        f'the catalogue holds item {twice!r} twice; keep one of the two.'
      )
    for name in ('titles', 'texts', 'brands', 'codes_nl'):
      value = getattr(self, name)
      if value is not None and len(value) != len(self.ids):
        raise ValueError(
          f'{len(value)} {name} for {len(self.ids)} items; give one each.'
        )

  def __len__(self) -> int:
    return len(self.ids)

  @functools.cached_property
  def index(self) -> dict[str, int]:
    """Returns id -> index n."""
    return {item: n for n, item in enumerate(self.ids)}

  def take(self, index_n: np.ndarray) -> 'ItemCatalog':
    """Returns the items at `index_n`, in that order.

    Args:
      index_n: int, each at most once.
    """
    codes_nl = None if self.codes_nl is None else self.codes_nl[index_n]
    names = ('ids', 'titles', 'texts', 'brands')
    parts = ([getattr(self, name)[n] for n in index_n] for name in names)
    return ItemCatalog(*map(tuple, parts), codes_nl)


@dataclasses.dataclass(frozen=True)
class NextItems:
  """B rows: the user, the history, and the item that came next.

  The histories stand one behind the other, so that they may differ in length:
  that of row b is `history_q[start_b[b] : start_b[b + 1]]`.

  Attributes:
    user: the id of each row's user, length B.
    history_q: int32 `[Q]`, items of the catalogue, oldest first in each row.
    start_b: int64 `[B + 1]`, ascending from 0 to Q.
    target_b: int32 `[B]`, items of the catalogue.
  """

  user: tuple[str, ...]
  history_q: np.ndarray
  start_b: np.ndarray
  target_b: np.ndarray

  def __post_init__(self):
    rows, starts = len(self.target_b), len(self.start_b)
    if len(self.user) != rows or starts != rows + 1:
      raise ValueError(
        f'{len(self.user)} users, {starts} starts and {rows} targets do not'
        ' make rows; give one each, and one start more.'
      )

  @classmethod
  def of(
    cls,
    users: Sequence[str],
    histories: Sequence[Sequence[int]],
    targets: Sequence[int],
  ) -> 'NextItems':
    """Returns the rows of lists.

    Args:
      users: of each row.
      histories: of each row, oldest first.
      targets: of each row.
    """
    lengths = [len(history) for history in histories]
    return cls(
      tuple(users),
      np.array([item for h in histories for item in h], np.int32),
      np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(
        np.int64
      ),
      np.asarray(targets, np.int32),
    )

  def __len__(self) -> int:
    return len(self.target_b)

  @property
  def length_b(self) -> np.ndarray:
    """Returns the items of each history, int64 `[B]`."""
    return np.diff(self.start_b)

  def history(self, b: int) -> np.ndarray:
    """Returns the history of row b, int32, oldest first."""
    return self.history_q[self.start_b[b] : self.start_b[b + 1]]

  def recent_bs(self, size: int) -> np.ndarray:
    """Returns the last items of each history, int32 `[B, size]`.

    Args:
      size: the most items S, at least 1.

    Returns:
      Most recent first, padded with -1.
    """
    if size < 1:
      raise ValueError(f'size is {size}; a history holds at least one item.')
    place_s = np.arange(size)
    known_bs = place_s < self.length_b[:, None]
    if not len(self.history_q):
      return np.full(known_bs.shape, -1, np.int32)
    at_bs = np.where(known_bs, self.start_b[1:, None] - 1 - place_s, 0)
    return np.where(known_bs, self.history_q[at_bs], -1).astype(np.int32)

  def check(self, items: int, targets: bool = False) -> None:
    """Returns if a model of so many items knows all that a row holds.

    Args:
      items: N. A history may have -1, which is no item.
      targets: whether the targets are looked at as well.

    Raises:
      UserError: it does not know one; which item, and in which row.
    """
    wrong_q = (self.history_q < -1) | (self.history_q >= items)
    if wrong_q.any():
      q = int(wrong_q.argmax())
      b = int(np.searchsorted(self.start_b, q, side='right')) - 1
      raise UserError(_unknown(b, self.history_q[q], 'in its history', items))
    wrong_b = (self.target_b < 0) | (self.target_b >= items)
    if targets and wrong_b.any():
      b = int(wrong_b.argmax())
      raise UserError(_unknown(b, self.target_b[b], 'as its target', items))

  def take(self, index: np.ndarray) -> 'NextItems':
    """Returns the rows at `index`, in that order.

    Args:
      index: int, or bool `[B]` for those that are kept.
    """
    index = np.asarray(index)
    if index.dtype == bool:
      index = np.flatnonzero(index)
    length = self.length_b[index]
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return NextItems(
      tuple(self.user[b] for b in index.tolist()),
      self.history_q[_ranges(self.start_b[:-1][index], length)],
      start,
      self.target_b[index],
    )


@dataclasses.dataclass(frozen=True)
class NextItemData:
  """A catalogue and its rows.

  Attributes:
    catalog: the items.
    train, valid, test: the rows to learn from, to choose by, to be judged by.
    official_train: how many training rows the official files of this set have;
      None where nobody says.
  """

  catalog: ItemCatalog
  train: NextItems
  valid: NextItems
  test: NextItems
  official_train: int | None = None

  @property
  def share(self) -> float | None:
    """Returns the share of the official training rows that are here."""
    if self.official_train is None:
      return None
    return len(self.train) / self.official_train


def prefixes(
  users: Sequence[str],
  user_e: np.ndarray,
  item_e: np.ndarray,
  history: int = HISTORY,
) -> tuple[NextItems, np.ndarray]:
  """Returns a row for every event but a user's first, and its event.

  Each event is the target of the items before it: every prefix of a sequence is
  a sample.

  Args:
    users: names of the users.
    user_e: int `[E]`, ascending: user by user, each in the order of time.
    item_e: int `[E]`.
    history: the most items of a history, the last ones; at least 1.

  Returns:
    The rows in the order of the events, and int64 `[B]`, the event of each.
  """
  if history < 1:
    raise UserError(f'history is {history}; give at least 1.')
  place_e = np.arange(len(user_e))
  before_e = place_e - np.searchsorted(user_e, user_e)
  length_e = np.minimum(before_e, history)
  event_b = np.flatnonzero(length_e)
  length_b = length_e[event_b]
  rows = NextItems(
    tuple(users[u] for u in user_e[event_b].tolist()),
    item_e[_ranges(event_b - length_b, length_b)].astype(np.int32),
    np.concatenate([[0], np.cumsum(length_b)]).astype(np.int64),
    item_e[event_b].astype(np.int32),
  )
  return rows, event_b


def _unknown(row: int, item: int, where: str, items: int) -> str:
  return (
    f'row {row} has item {item} {where}, and the model knows {items} items;'
    f' give numbers from 0 to {items - 1}, or leave that item out.'
  )


def _ranges(start_i: np.ndarray, length_i: np.ndarray) -> np.ndarray:
  """Returns start, start + 1, ... of each range, one behind the other."""
  skip_i = start_i - (np.cumsum(length_i) - length_i)
  return np.arange(length_i.sum()) + np.repeat(skip_i, length_i)
