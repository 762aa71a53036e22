"""Next-item rows of a log: MiniOneRec's split by time, and leave-one-out.

https://arxiv.org/abs/2510.24431: items without a usable title leave, then the
5-core is taken, repeats are kept; each user in the order of time, every prefix
a sample with the last ten items for a history; all samples in the order of
their target's time, the first 8 of 10 parts for training, then one for
validation, then one for the test.
"""

from collections.abc import Sequence

import numpy as np

from taiji_jax.data.k_core import k_core
from taiji_jax.data.next_items import (
  HISTORY,
  ItemCatalog,
  NextItemData,
  NextItems,
  prefixes,
)
from taiji_jax.data.plain import plain
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

_PARTS = ('training', 'validation', 'test')
_TRAIN, _VALID = 0.8, 0.9


def global_split(
  log: Log, catalog: Catalog, *, core: int = 5, history: int = HISTORY
) -> NextItemData:
  """Returns MiniOneRec's own split of a log.

  Only clicks count. Of samples at one time those of the user that the log lists
  first stand first, each user's in the order of the log. Items that leave are
  in the catalogue no more.

  Args:
    log: the log; its times order the samples of all users, so that a log whose
      times are places in sequences is none for it.
    catalog: its items. `Choice:` a title with markup is not usable.
    core: every user and every item has at least so many events, 1 keeps all.
    history: the most items of a history.

  Raises:
    UserError: nothing is left, or a part is empty.
  """
  usable_n = np.array([bool(plain(title)) for title in catalog.titles], bool)
  events = np.flatnonzero(log.click_e & usable_n[log.item_e])
  events = events[k_core(log.user_e[events], log.item_e[events], core)]
  if not len(events):
    raise UserError(
      f'the {core}-core of the clicks on items with a title is empty; give a'
      ' longer log, or a smaller core.'
    )
  events = events[np.argsort(log.user_e[events], kind='stable')]
  rows, event_b = _prefixes(log, events, history)
  by_time = np.argsort(log.time_e[events[event_b]], kind='stable')
  rows = rows.take(by_time)
  # As the published script cuts: rounded down, twice.
  ends = (0, int(len(rows) * _TRAIN), int(len(rows) * _VALID), len(rows))
  parts = [
    rows.take(np.arange(start, end))
    for start, end in zip(ends[:-1], ends[1:], strict=True)
  ]
  return _renumbered(catalog, np.unique(log.item_e[events]), parts)


def leave_one_out(
  log: Log, catalog: Catalog, *, history: int = HISTORY
) -> NextItemData:
  """Returns the customary split of a log: the last item of each user.

  A user's last click is for the test, the one before for validation, every
  earlier prefix is a training row. A click without an earlier one of its user
  is no row. All items stay.

  Args:
    log: the log.
    catalog: its items.
    history: the most items of a history.

  Raises:
    UserError: a part is empty.
  """
  events = np.flatnonzero(log.click_e)
  events = events[np.argsort(log.user_e[events], kind='stable')]
  rows, event_b = _prefixes(log, events, history)
  user_e = log.user_e[events]
  end_e = np.searchsorted(user_e, user_e, side='right')
  after_b = end_e[event_b] - 1 - event_b
  parts = [rows.take(after_b >= 2), rows.take(after_b == 1)]
  parts.append(rows.take(after_b == 0))
  return _renumbered(catalog, np.arange(len(catalog)), parts)


def _prefixes(
  log: Log, events: np.ndarray, history: int
) -> tuple[NextItems, np.ndarray]:
  return prefixes(log.user_ids, log.user_e[events], log.item_e[events], history)


def _renumbered(
  catalog: Catalog, kept_n: np.ndarray, parts: Sequence[NextItems]
) -> NextItemData:
  """Returns the data with the kept items alone, ascending."""
  for name, rows in zip(_PARTS, parts, strict=True):
    if not len(rows):
      raise UserError(
        f'the {name} part has no row; give a log with more events a user.'
      )
  rows = [
    NextItems(
      part.user,
      np.searchsorted(kept_n, part.history_q).astype(np.int32),
      part.start_b,
      np.searchsorted(kept_n, part.target_b).astype(np.int32),
    )
    for part in parts
  ]
  return NextItemData(_catalog(catalog, kept_n), *rows)


def _catalog(catalog: Catalog, kept_n: np.ndarray) -> ItemCatalog:
  """Returns the kept items.

  `Choice:` a catalogue has no descriptions; the text is title and categories.
  """
  brands = catalog.brands or ('',) * len(catalog)
  kept = kept_n.tolist()
  return ItemCatalog(
    tuple(catalog.item_ids[n] for n in kept),
    tuple(catalog.titles[n] for n in kept),
    tuple(' '.join((catalog.titles[n], *catalog.categories[n])) for n in kept),
    tuple(brands[n] for n in kept),
  )
