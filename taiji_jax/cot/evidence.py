"""What the training logs say about which item follows which, and for whom.

A count that holds the very event that is asked about would tell it: where it
does, say so (`own`), and the event is taken off.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.types import Catalog, Log

_MIN_SUPPORT = 50


@dataclasses.dataclass(frozen=True)
class Followers:
  """How often an item came soon after another in one user's training part.

  Attributes:
    items: number of items N.
    key_q: int64 `[Q]`, earlier item * N + later item, sorted.
    count_q: int64 `[Q]`.
    window: how many clicks back an item still counts as just before.
  """

  items: int
  key_q: np.ndarray
  count_q: np.ndarray
  window: int = 10

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
    wanted = earlier * self.items + later
    at = np.minimum(np.searchsorted(self.key_q, wanted), len(self.key_q) - 1)
    found = np.where(self.key_q[at] == wanted, self.count_q[at], 0)
    if own:
      found -= (earlier[:, None] == earlier[: self.window]).sum(1)
    return found

  def ranked(self, earlier: Sequence[int], count: int) -> list[int]:
    """Returns the items that came most often after those, none of them one.

    Args:
      earlier: items.
      count: the most to return; fewer where fewer came.
    """
    totals = np.zeros(self.items, np.int64)
    for item in earlier:
      low, high = self._after(item)
      totals[self.key_q[low:high] % self.items] += self.count_q[low:high]
    totals[list(earlier)] = 0
    best = np.argsort(-totals, kind='stable')[:count]
    return best[totals[best] > 0].tolist()

  def _after(self, item: int) -> tuple[int, int]:
    low, high = np.searchsorted(
      self.key_q, (item * self.items, (item + 1) * self.items)
    )
    return int(low), int(high)


def followers(
  log: Log, catalog: Catalog, events: np.ndarray, window: int = 10
) -> Followers:
  """Returns the counts of items within `window` clicks of one user.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part; no other event is counted.
    window: how many clicks back an item still counts as just before.
  """
  positions = np.flatnonzero(events & log.click_e)
  part = dataclasses.replace(
    log,
    **{
      name: getattr(log, name)[positions]
      for name in ('user_e', 'item_e', 'time_e', 'click_e', 'conversion_e')
    },
  )
  before_es = history_lib.before(part, np.arange(len(part)), window)
  key_es = before_es * np.int64(len(catalog)) + part.item_e[:, None]
  key = key_es[before_es >= 0]
  key_q, count_q = np.unique(key, return_counts=True)
  if not len(key_q):
    key_q, count_q = np.array([-1]), np.array([0])
  return Followers(len(catalog), key_q, count_q, window)


def candidates(
  followers: Followers, history: Sequence[int], least: int = 2
) -> list[int]:
  """Returns the items that came after those at least so often, ascending.

  What a text may say about them is `LeakGuard.evidence(history, candidates)`.

  Args:
    followers: counts of the training part.
    history: items that the prompt shows.
    least: times that an item came after any of them, added up, at least 1.
  """
  slices = []
  for item in history:
    key = np.array([item, item + 1], np.int64) * followers.items
    slices.append(slice(*np.searchsorted(followers.key_q, key)))
  if not slices:
    return []
  later = np.concatenate([followers.key_q[s] % followers.items for s in slices])
  count = np.concatenate([followers.count_q[s] for s in slices])
  item_q, at = np.unique(later, return_inverse=True)
  total = np.bincount(at, count, len(item_q))
  return item_q[total >= least].tolist()


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
    return {key: _lift(*counts) for key, counts in self.clicks.items()}

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
      counts = self.clicks.get((field, value, level))
      if counts is not None:
        found.append((_lift(*(n - own for n in counts)), field, value))
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
  clicks = {}
  for field in fields:
    values = np.array([p.get(field, '') for p in log.profiles])
    for value in np.unique(values[values != '']):
      both_l = count_ul[values == value].sum(0)
      if both_l.sum() < _MIN_SUPPORT:
        continue
      for name, both, level in zip(names, both_l, level_l, strict=True):
        if name and level:
          counts = both, both_l.sum(), level, level_l.sum()
          clicks[field, str(value), str(name)] = tuple(map(int, counts))
  return Affinities(clicks)
