"""A made log of any size: popularity like Zipf's, users with a topic."""

import numpy as np

from taiji_jax.data import history
from taiji_jax.types import Catalog, Log, Rows

CLICKS, HISTORY, TOPIC = 7, 50, 100
# Of the clicks are of the user's own topic.
_OWN = 0.7
# Categories of the three levels, and items of a brand.
_LEVELS, _BRAND = (20, 200, 1000), 50


def log(size: int, seed: int = 0) -> Log:
  """Returns seven clicks each of so many users, on as many items.

  A topic is `TOPIC` items next to each other, the first of which are the most
  popular; the other clicks are on all items, the n-th likeliest as n^(-2/3).

  Args:
    size: users, and items.
    seed: of all that is drawn.
  """
  rng = np.random.default_rng(seed)
  user = np.repeat(np.arange(size, dtype=np.int32), CLICKS)
  topic_u = rng.integers(0, max(size // TOPIC, 1), size)
  near = topic_u[user] * TOPIC + (TOPIC * rng.random(len(user)) ** 2).astype(
    np.int64
  )
  far = (size * rng.random(len(user)) ** 3).astype(np.int64)
  item = np.where(rng.random(len(user)) < _OWN, near, far) % size
  order = rng.permutation(len(user))
  return Log(
    tuple(map(str, range(size))),
    ({},) * size,
    user[order],
    item[order].astype(np.int32),
    np.arange(len(user)),
    np.ones(len(user), bool),
    np.zeros(len(user), bool),
  )


def catalog(size: int) -> Catalog:
  """Returns so many items: a topic has one category path and 14 brands."""
  topic_n = [n // TOPIC for n in range(size)]
  return Catalog(
    tuple(map(str, range(size))),
    tuple(f'item {n}' for n in range(size)),
    tuple(tuple(f'{k} {t % k}' for k in _LEVELS) for t in topic_n),
    tuple(f'brand {7 * n % max(size // _BRAND, 1)}' for n in range(size)),
  )


def held_out(log: Log) -> tuple[np.ndarray, Rows]:
  """Returns (the events to count, bool `[E]`, the last click of each user).

  Rows whose item is in their history are left out.
  """
  last_u = np.zeros(len(log.user_ids), np.int64)
  # Of several at one place the last is kept: the log is in order.
  last_u[log.user_e] = np.arange(len(log))
  events = np.ones(len(log), bool)
  events[last_u] = False
  rows = Rows(
    last_u,
    log.user_e[last_u],
    log.item_e[last_u],
    history.before(log, last_u, HISTORY),
  )
  seen = (rows.history_rs == rows.target_r[:, None]).any(1)
  return events, rows.take(np.flatnonzero(~seen))
