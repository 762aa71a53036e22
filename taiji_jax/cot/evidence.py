"""What the training logs say about which item follows which, and for whom.

A count that holds the very event that is asked about would tell it: where it
does, say so (`own`), and the event is taken off.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools

import numpy as np

from taiji_jax.retrieve import counts
from taiji_jax.retrieve.counts import Pairs
from taiji_jax.types import Catalog, Log

_MIN_SUPPORT = 50


@dataclasses.dataclass(frozen=True)
class Followers:
  """How often an item came soon after another in one user's training part.

  Attributes:
    pairs: counts of (earlier item, later item).
    window: how many clicks back an item still counts as just before.
  """

  pairs: Pairs
  window: int = counts.WINDOW

  def count(
    self, earlier: Sequence[int], later: int, own: bool = False
  ) -> np.ndarray:
    """Returns int64 `[len(earlier)]`, how often `later` came after each.

    Args:
      earlier: items.
      later: an item.
      own: whether an event that is counted is the one asked about: `later`
        after `earlier`, which is its history, most recent first.
    """
    earlier = np.asarray(earlier, np.int64)
    found = self.pairs.count(earlier, later)
    if own:
      found -= (earlier[:, None] == earlier[: self.window]).sum(1)
    return found

  def ranked(self, earlier: Sequence[int], count: int) -> list[int]:
    """Returns the items that came most often after those, none of them one.

    Args:
      earlier: items.
      count: the most to return; fewer where fewer came.
    """
    later_q, total_q = self._totals(earlier)
    new = ~np.isin(later_q, np.asarray(earlier, np.int64))
    later_q, total_q = later_q[new], total_q[new]
    return later_q[np.argsort(-total_q, kind='stable')[:count]].tolist()

  def candidates(self, earlier: Sequence[int], least: int = 2) -> list[int]:
    """Returns the items that came after those at least so often, ascending.

    What a text may say of them is `LeakGuard.evidence(history, candidates)`.

    Args:
      earlier: items that the prompt shows.
      least: times that an item came after any of them, added up, at least 1.
    """
    later_q, total_q = self._totals(earlier)
    return later_q[total_q >= least].tolist()

  def _totals(self, earlier: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns what came after those, ascending, and how often in all."""
    _, later, count = self.pairs.expand(np.asarray(earlier, np.int64))
    later_q, at = np.unique(later, return_inverse=True)
    return later_q, np.bincount(at, count, len(later_q)).astype(np.int64)


def followers(
  log: Log, catalog: Catalog, events: np.ndarray, window: int = counts.WINDOW
) -> Followers:
  """Returns the counts of items within `window` clicks of one user.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part; no other event is counted.
    window: how many clicks back an item still counts as just before.
  """
  lags = range(1, window + 1)
  return Followers(counts.followed(log, events, len(catalog), lags), window)


@dataclasses.dataclass(frozen=True)
class Affinities:
  """How much likelier a first level is for users with a profile value.

  Attributes:
    clicks: (field, value, L1) -> training events of those users on that level,
      of those users, on that level, and all; only for values with enough.
  """

  clicks: Mapping[tuple[str, str, str], tuple[int, int, int, int]]

  @functools.cached_property
  def lift(self) -> Mapping[tuple[str, str, str], float]:
    """Returns the share of the level among those users / among all."""
    return {key: _lift(*clicks) for key, clicks in self.clicks.items()}

  def strongest(
    self, profile: Mapping[str, str], level: str, own: bool = False
  ) -> tuple[str, str] | None:
    """Returns the (field, value) that speaks most for `level`, if any does.

    Args:
      profile: the user's fields.
      level: an L1.
      own: whether an event that is counted is the one asked about: of this user
        and on this level.
    """
    found = []
    for field, value in sorted(profile.items()):
      clicks = self.clicks.get((field, value, level))
      if clicks is not None:
        found.append((_lift(*(n - own for n in clicks)), field, value))
    best = max(found, default=(0.0, '', ''))
    return best[1:] if best[0] > 1 else None


def _lift(both: int, users: int, level: int, everything: int) -> float:
  """Returns (both / users) / (level / everything), 0 where that is nothing."""
  if not users or not level:
    return 0.0
  return both / users / (level / everything)


def affinities(
  log: Log, catalog: Catalog, events: np.ndarray, fields: Sequence[str]
) -> Affinities:
  """Returns what the training part says of the profile `fields`."""
  levels = [c[0] if c else '' for c in catalog.categories]
  names, level_n = np.unique(np.array(levels), return_inverse=True)
  positions = np.flatnonzero(events & log.click_e)
  count_ul = np.zeros((len(log.user_ids), len(names)), np.int64)
  np.add.at(
    count_ul, (log.user_e[positions], level_n[log.item_e[positions]]), 1
  )
  level_l = count_ul.sum(0)
  found = {}
  for field in fields:
    values = np.array([p.get(field, '') for p in log.profiles])
    for value in np.unique(values[values != '']):
      both_l = count_ul[values == value].sum(0)
      if both_l.sum() < _MIN_SUPPORT:
        continue
      for name, both, level in zip(names, both_l, level_l, strict=True):
        if name and level:
          clicks = both, both_l.sum(), level, level_l.sum()
          found[field, str(value), str(name)] = tuple(map(int, clicks))
  return Affinities(found)
