"""What is wrong with the events of a log: noted by kind, told at once."""

from collections.abc import Callable, Mapping, Sequence
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax.data.faults import Faults

if TYPE_CHECKING:
  from taiji_jax.data.log import Events

_LOG = logging.getLogger('taiji_jax')


def check_clicked(
  events: 'Events', orphan_e: np.ndarray, faults: Faults
) -> None:
  """Notes the events `orphan_e`, bool `[E]`: conversions without a click."""
  orphans = np.flatnonzero(orphan_e)
  if len(orphans):
    faults.refuse(
      'conversions without a click',
      f'{events.where(int(orphans[0]))}: a conversion without a click',
      'mark the click or remove the conversion',
      len(orphans),
    )


def named(events: 'Events', faults: Faults) -> np.ndarray:
  """Returns which events have a user, bool `[E]`; others are noted."""
  named_e = np.array([bool(user_id) for user_id in events.user_ids])
  missing = np.flatnonzero(~named_e)
  if len(missing):
    faults.add(
      'events without a user',
      f'{events.where(int(missing[0]))}: the user id is empty',
      'fill it in or remove the row',
      len(missing),
    )
  return named_e


def strangers(
  events: 'Events', profiles: Mapping[str, Any], faults: Faults
) -> dict[str, dict[str, str]]:
  """Returns an empty profile for each user whom the user table lacks.

  That some are missing is usual, so it is told; that all are is a fault.
  """
  missing = [u not in profiles for u in events.user_ids]
  found = dict.fromkeys(
    u for u, m in zip(events.user_ids, missing, strict=True) if m and u
  )
  if found and all(missing):
    faults.add(
      'events whose user is not in the user table',
      f'{events.where(0)}: user {events.user_ids[0]!r} is not in the user'
      ' table, nor is any other user of the log',
      'check the ids, or leave the user table out',
    )
    return {}
  if found:
    _LOG.warning(
      '%s of %s users of the log are not in the user table: they have no'
      ' profile.',
      f'{len(found):,}',
      f'{len(set(events.user_ids) - {""}):,}',
    )
  return {user: {} for user in found}


def known(
  ids: Sequence[str],
  place_e: np.ndarray,
  where: Callable[[int], str],
  faults: Faults,
) -> np.ndarray:
  """Returns which events are of a known item, bool `[E]`; others are noted."""
  missing = np.flatnonzero(place_e < 0)
  gone = [row for row in missing.tolist() if ids[row] in faults.items]
  if gone:
    faults.leave_out('events of the items left out', len(gone))
    missing = np.setdiff1d(missing, gone)
  if len(missing):
    row = int(missing[0])
    faults.add(
      'events whose item is not in the item table',
      f'{where(row)}: item {ids[row]!r} is not in the item table',
      'add it there or remove the row',
      len(missing),
    )
  return place_e >= 0


def times(events: 'Events', faults: Faults) -> np.ndarray:
  """Returns the times, int64 `[E]`; those that do not fit are noted."""
  limit = np.iinfo(np.int64)
  fits = [limit.min <= time <= limit.max for time in events.times]
  if not all(fits):
    row = fits.index(False)
    faults.refuse(
      'times beyond 64 bits',
      f'{events.where(row)}: time {events.times[row]} does not fit 64 bits',
      'give seconds, or milliseconds, since 1970',
      fits.count(False),
    )
  times = (t if fit else 0 for t, fit in zip(events.times, fits, strict=True))
  return np.fromiter(times, np.int64, len(fits))
