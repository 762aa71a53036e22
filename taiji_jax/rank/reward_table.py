"""The offline reward table: the frozen ranker's CTCVR of every (row, item)."""

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank.scores import ScoreFn
from taiji_jax.types import RewardTable, Rows


def build(
  score_fn: ScoreFn,
  rows: Rows,
  num_items: int,
  *,
  bounds: tuple[float, float] | None = None,
  consumed_once: bool = False,
  miss: float = 0.0,
  chunk: int = 512,
) -> RewardTable:
  """Returns the table of `rows` x all items, with its min-max bounds.

  `Choice:` the paper is silent on the set that min-max runs over. It is the
  whole table of the RL rows; evaluation rows reuse those bounds (`bounds`), so
  that a reward means the same in both.

  `Choice:` where items are consumed once (nobody rates a film twice), an item
  of the row's history has the value `low`. The log holds no example of one, so
  the ranker knows no better than that it is like what the user chose: it would
  score it about as high as the truth.

  Args:
    score_fn: `(user_b, history_bs) -> CTCVR [b, n]`, float in [0, 1].
    rows: the contexts, R of them.
    num_items: N.
    bounds: (low, high) of another table, whose scale this one shall have.
    consumed_once: whether items of the history get the value `low`.
    miss: the normalised value of an answer that names no item, in [0, 1].
    chunk: rows scored at once; the last chunk is filled up with repeats.

  Raises:
    UserError: no rows, a value that is not finite or no probability, or bounds
      that are equal.
  """
  if not len(rows):
    raise UserError('there are no rows to score; widen rl or evaluation rows.')
  if not 0.0 <= miss <= 1.0:
    raise UserError(f'the miss value is {miss}; choose one from 0 to 1.')
  table_rn = np.empty((len(rows), num_items), np.float32)
  for start in range(0, len(rows), chunk):
    index_b = np.arange(start, start + chunk) % len(rows)
    scored = score_fn(rows.user_r[index_b], rows.history_rs[index_b])
    table_rn[start : start + chunk] = scored[: len(rows) - start]
  _check(table_rn)
  fresh_rn = ~_in_history(rows, num_items) if consumed_once else True
  low, high = bounds or (
    float(table_rn.min(where=fresh_rn, initial=np.inf)),
    float(table_rn.max(where=fresh_rn, initial=-np.inf)),
  )
  if not low < high:
    raise UserError(
      f'CTCVR runs from {low:.6g} to {high:.6g}, so min-max has no scale;'
      ' train the ID tower for longer.'
    )
  if consumed_once:
    table_rn[~fresh_rn] = low
  return RewardTable(table_rn, low, high, miss)


def _check(table_rn: np.ndarray) -> None:
  wrong_rn = ~((table_rn >= 0) & (table_rn <= 1))
  if wrong_rn.any():
    row, item = np.argwhere(wrong_rn)[0].tolist()
    raise UserError(
      f'CTCVR of row {row} and item {item} is {table_rn[row, item]}, no'
      ' probability; the ID tower diverged, so lower its learning rate.'
    )


def _in_history(rows: Rows, num_items: int) -> np.ndarray:
  row, position = np.nonzero(rows.history_rs >= 0)
  seen_rn = np.zeros((len(rows), num_items), bool)
  seen_rn[row, rows.history_rs[row, position]] = True
  return seen_rn
