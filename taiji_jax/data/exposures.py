"""Exposures for the judge: events of the log and sampled items not clicked."""

import dataclasses

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.types import Catalog, Log

Seed = int | tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Exposures:
  """What was shown to whom in which context, and what came of it.

  Attributes:
    user_x: int32 `[X]`.
    history_xs: int32 `[X, S]`, most recent first, padded with -1.
    item_x: int32 `[X]`.
    click_x, conversion_x: bool `[X]`.
    event_x: int64 `[X]`, the event in whose context the item is shown.
  """

  user_x: np.ndarray
  history_xs: np.ndarray
  item_x: np.ndarray
  click_x: np.ndarray
  conversion_x: np.ndarray
  event_x: np.ndarray

  def __len__(self) -> int:
    return len(self.user_x)


class Unclicked:
  """Items that users do not have, drawn uniformly.

  The pool is the items of the `known` events; a user has those of their own.
  """

  def __init__(self, log: Log, catalog: Catalog, known: np.ndarray):
    """Sorts what each user has.

    Args:
      log: the whole log.
      catalog: its items.
      known: bool `[E]`, the events that say which items there are and which
        are the user's.
    """
    # The r-th item that a user lacks is found without rejection: with the
    # user's items at sorted places q_j of the pool, it lies at
    # r + #{j: q_j - j <= r}.
    self._items = np.int64(max(len(catalog), 1))
    self._pool, place_k = np.unique(log.item_e[known], return_inverse=True)
    key = np.unique(log.user_e[known] * self._items + place_k)
    owner, place = key // self._items, key % self._items
    users = np.arange(len(log.user_ids))
    self._start_u = np.searchsorted(owner, users)
    owned_u = np.searchsorted(owner, users, side='right') - self._start_u
    self._free_u = len(self._pool) - owned_u
    gap = place - (np.arange(len(key)) - self._start_u[owner])
    self._key = owner * self._items + gap

  def some(self, user_q: np.ndarray) -> np.ndarray:
    """Returns bool `[q]`, whether there is an item that the user lacks."""
    return self._free_u[user_q] > 0

  def draw(self, user_q: np.ndarray, seed: Seed) -> np.ndarray:
    """Returns one item a query that its user has not, `[q]`.

    Args:
      user_q: int, users for whom `some` holds.
      seed: of the draw: a function of it and nothing else.
    """
    free_q = self._free_u[user_q]
    r = np.random.default_rng(seed).integers(0, np.maximum(free_q, 1))
    below = np.searchsorted(self._key, user_q * self._items + r, side='right')
    return self._pool[r + below - self._start_u[user_q]].astype(np.int32)


def shown(log: Log, events: np.ndarray, *, history: int = 50) -> Exposures:
  """Returns the events of the log as exposures, in its order.

  Args:
    log: the whole log.
    events: bool `[E]`, which of them.
    history: the most items of a history, S.
  """
  event_x = np.flatnonzero(events).astype(np.int64)
  return Exposures(
    user_x=log.user_e[event_x],
    history_xs=history_lib.before(log, event_x, history),
    item_x=log.item_e[event_x].astype(np.int32),
    click_x=log.click_e[event_x],
    conversion_x=log.conversion_e[event_x],
    event_x=event_x,
  )


def sample(
  log: Log,
  catalog: Catalog,
  events: np.ndarray,
  *,
  negatives: int = 4,
  history: int = 50,
  seed: Seed = 0,
  known: np.ndarray | None = None,
) -> Exposures:
  """Returns the events and, for each click, items that were not clicked.

  Choice: an open log holds no impressions, so they are simulated: `negatives`
  items a click, uniform over the items of `known` events that are none of the
  user's there, in the same context, neither clicked nor converted. A user
  with every item gets none. Logs with real impressions take `negatives=0`.

  Args:
    log: the whole log.
    catalog: its items.
    events: bool `[E]`, the events to show (the training part).
    negatives: sampled items a click, at least 0.
    history: the most items of a history, S.
    seed: of the sample.
    known: bool `[E]`, the events that say which items there are and which
      are the user's; None is `events`. To score held-out events, give the
      training and the held-out ones together.

  Returns:
    X exposures; event i of `events` comes first, in the order of the log, then
    all sampled ones.
  """
  real = shown(log, events, history=history)
  unclicked = Unclicked(log, catalog, events if known is None else known)
  source = sources(real, unclicked, negatives)
  drawn = unclicked.draw(real.user_x[source], seed)
  source = np.concatenate([np.arange(len(real)), source])
  none = np.zeros(len(drawn), bool)
  return Exposures(
    user_x=real.user_x[source],
    history_xs=real.history_xs[source],
    item_x=np.concatenate([real.item_x, drawn]),
    click_x=np.concatenate([real.click_x, none]),
    conversion_x=np.concatenate([real.conversion_x, none]),
    event_x=real.event_x[source],
  )


def sources(
  real: Exposures, unclicked: Unclicked, negatives: int
) -> np.ndarray:
  """Returns the exposures in whose context an item is drawn, one an item.

  Each click of a user who lacks an item, `negatives` times.

  Args:
    real: what the log holds.
    unclicked: where items are drawn from.
    negatives: sampled items a click, at least 0.
  """
  if negatives < 0:
    raise ValueError(f'negatives is {negatives}; give 0 or more.')
  clicked = np.flatnonzero(real.click_x & unclicked.some(real.user_x))
  return np.repeat(clicked, negatives)
