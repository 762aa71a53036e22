"""What the training logs say about which item follows which, and for whom.

A count that holds the very event that is asked about would tell it: where it
does, say so (`own`), and the event is taken off.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
import dataclasses
import functools

import numpy as np

from taiji_jax.retrieve import counts
from taiji_jax.retrieve.counts import Pairs
from taiji_jax.types import Catalog, Log

SUPPORT = 4
"""So often a category follows a history, and a text may name it."""

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
    found = self.pairs.count(np.asarray(earlier, np.int64), later)
    return found - self.own(earlier) if own else found

  def own(self, earlier: Sequence[int]) -> np.ndarray:
    """Returns int64 `[len(earlier)]`, what one event adds to counts after each.

    Args:
      earlier: the event's history, most recent first.
    """
    earlier = np.asarray(earlier, np.int64)
    return (earlier[:, None] == earlier[: self.window]).sum(1)

  def ranked(self, earlier: Sequence[int], count: int) -> list[int]:
    """Returns the items that came most often after those, none of them one.

    Args:
      earlier: items.
      count: the most to return; fewer where fewer came.
    """
    later_q, total_q = self.totals(earlier)
    new = ~np.isin(later_q, np.asarray(earlier, np.int64))
    later_q, total_q = later_q[new], total_q[new]
    return later_q[np.argsort(-total_q, kind='stable')[:count]].tolist()

  def totals(self, earlier: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns what came after those items, ascending, and how often in all."""
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


class Kinds:
  """How often an item of a category came soon after another item.

  Args:
    followers: the counts of items.
    catalog: the items. A name of several levels or paths is one category.
  """

  def __init__(self, followers: Followers, catalog: Catalog):
    self._followers = followers
    self._names = [frozenset(path) for path in catalog.categories]
    self._after = functools.lru_cache(maxsize=1 << 14)(self._counted)

  def count(
    self, earlier: Sequence[int], name: str, own: bool = False
  ) -> np.ndarray:
    """Returns int64 `[len(earlier)]`, how often the category came after each.

    Args:
      earlier: items.
      name: a category.
      own: whether an event that is counted is the one asked about, of an item
        of the category: see `Followers.count`.
    """
    found = np.array([self._after(int(n))[name] for n in earlier], np.int64)
    return found - self._followers.own(earlier) if own else found

  def names(
    self, earlier: Sequence[int], least: int = SUPPORT
  ) -> tuple[str, ...]:
    """Returns the categories that came after those items at least so often.

    Args:
      earlier: items.
      least: times, all of these items added up, at least 1.
    """
    total: Counter[str] = Counter()
    for item in dict.fromkeys(earlier):
      total.update(self._after(int(item)))
    return tuple(sorted(name for name in total if total[name] >= least))

  def _counted(self, item: int) -> Counter[str]:
    found: Counter[str] = Counter()
    later_q, total_q = self._followers.totals([item])
    for later, total in zip(later_q.tolist(), total_q.tolist(), strict=True):
      for name in self._names[later]:
        found[name] += total
    return found


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
