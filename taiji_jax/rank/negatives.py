"""Items that rows' users never took, drawn to tell the truth from."""

import numpy as np

from taiji_jax.types import Log, Rows

_ROUNDS = 30


def draw(
  weight_n: np.ndarray, log: Log, rows: Rows, count: int, seed: int
) -> np.ndarray:
  """Returns `count` items a row, int32 `[R, count]`, -1 where none was found.

  Drawn with replacement, with probability proportional to weight; none is the
  row's target, of its history, or of the log's clicks of its user, earlier or
  later. What hits one of those is drawn again, up to 30 times.

  Args:
    weight_n: float `[N]`, at least 0: the training clicks of each item for
      negatives as popular as what is clicked, or 1 where there are some.
    log: the whole log.
    rows: the contexts.
    count: items a row.
    seed: of the draw.
  """
  drawn_rm = np.full((len(rows), count), -1, np.int32)
  if not len(rows) or not weight_n.sum() > 0:
    return drawn_rm
  share_n = weight_n / weight_n.sum()
  taken = _taken(log, rows, len(weight_n))
  row_q = np.repeat(np.arange(len(rows)), count)
  place_q = np.tile(np.arange(count), len(rows))
  rng = np.random.default_rng(seed)
  for _ in range(_ROUNDS):
    item_q = rng.choice(len(share_n), len(row_q), p=share_n)
    key_q = row_q * np.int64(len(share_n)) + item_q
    free_q = ~np.isin(key_q, taken)
    drawn_rm[row_q[free_q], place_q[free_q]] = item_q[free_q]
    row_q, place_q = row_q[~free_q], place_q[~free_q]
    if not len(row_q):
      break
  return drawn_rm


def _taken(log: Log, rows: Rows, items: int) -> np.ndarray:
  """Returns row x items + item of all that is no negative of its row."""
  row, position = np.nonzero(rows.history_rs >= 0)
  keys = [
    row * np.int64(items) + rows.history_rs[row, position],
    np.arange(len(rows)) * np.int64(items) + rows.target_r,
  ]
  clicks = np.flatnonzero(log.click_e)
  clicks = clicks[np.argsort(log.user_e[clicks], kind='stable')]
  user_c = log.user_e[clicks]
  start_r = np.searchsorted(user_c, rows.user_r)
  size_r = np.searchsorted(user_c, rows.user_r, side='right') - start_r
  row = np.repeat(np.arange(len(rows)), size_r)
  within = np.arange(len(row)) - np.repeat(np.cumsum(size_r) - size_r, size_r)
  item = log.item_e[clicks[np.repeat(start_r, size_r) + within]]
  keys.append(row * np.int64(items) + item)
  return np.unique(np.concatenate(keys))
