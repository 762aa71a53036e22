"""Exposures for the ranker: clicks of the log and sampled items not clicked."""

import dataclasses

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.types import Catalog, Log


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


def sample(
  log: Log,
  catalog: Catalog,
  events: np.ndarray,
  *,
  negatives: int = 4,
  history: int = 50,
  seed: int = 0,
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
  if negatives < 0:
    raise ValueError(f'negatives is {negatives}; give 0 or more.')
  known = events if known is None else known
  positions = np.flatnonzero(events)
  history_es = history_lib.before(log, positions, history)
  clicked = np.flatnonzero(log.click_e[positions])
  source = np.repeat(clicked, negatives)
  drawn, kept = _unowned(
    log, len(catalog), known, log.user_e[positions[source]], seed
  )
  source = np.concatenate([np.arange(len(positions)), source[kept]])
  event_x = positions[source]
  none = np.zeros(len(drawn), bool)
  return Exposures(
    user_x=log.user_e[event_x],
    history_xs=history_es[source],
    item_x=np.concatenate([log.item_e[positions], drawn]).astype(np.int32),
    click_x=np.concatenate([log.click_e[positions], none]),
    conversion_x=np.concatenate([log.conversion_e[positions], none]),
    event_x=event_x.astype(np.int64),
  )


def _unowned(
  log: Log, items: int, known: np.ndarray, user_q: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns one item a query that its user has not, and which queries have one.

  The r-th item that a user lacks is found without rejection: with the user's
  items at sorted places q_j of the pool, it lies at r + #{j: q_j - j <= r}.
  """
  pool, place_k = np.unique(log.item_e[known], return_inverse=True)
  key = np.unique(log.user_e[known] * np.int64(items) + place_k)
  owner, place = key // items, key % items
  users = np.arange(len(log.user_ids))
  start_u = np.searchsorted(owner, users)
  owned_u = np.searchsorted(owner, users, side='right') - start_u
  gap = place - (np.arange(len(key)) - start_u[owner])
  free_q = len(pool) - owned_u[user_q]
  kept = free_q > 0
  user_q, free_q = user_q[kept], free_q[kept]
  r = np.random.default_rng(seed).integers(0, np.maximum(free_q, 1))
  below = np.searchsorted(
    owner * np.int64(items) + gap, user_q * np.int64(items) + r, side='right'
  )
  return pool[r + below - start_u[user_q]], kept
