"""The offline reward table: r_id of every (row, item)."""

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import percentile, scores
from taiji_jax.types import RewardTable, Rows


def build(
  score_fn: scores.ScoreFn,
  rows: Rows,
  num_items: int,
  *,
  miss: float = 0.0,
) -> RewardTable:
  """Returns r_id of `rows` x all items: percentiles of the rows' scores.

  `Choice:` the paper's min-max is over a set of rows, so that a reward moves
  with the set and with how long the tower was trained. A percentile within the
  row depends on neither.

  Args:
    score_fn: `(user_b, history_bs) -> scores [b, n]`, any scale, -inf lowest.
    rows: the contexts, R of them.
    num_items: N.
    miss: the reward of an answer that names no item, in [0, 1].

  Raises:
    UserError: no rows, or a score that is NaN.
  """
  if not len(rows):
    raise UserError('there are no rows to score; give rl or evaluation rows.')
  if not 0.0 <= miss <= 1.0:
    raise UserError(f'the miss value is {miss}; choose one from 0 to 1.')
  reward_rn = np.empty((len(rows), num_items), np.float32)
  for index_b in scores.chunks(len(rows), num_items):
    score_bn = score_fn(rows.user_r[index_b], rows.history_rs[index_b])
    check(score_bn, index_b)
    reward_rn[index_b] = percentile.of_all(score_bn)
  return RewardTable(reward_rn, miss)


def check(score_bn: np.ndarray, index_b: np.ndarray) -> None:
  """Raises UserError where a score is NaN.

  Args:
    score_bn: float, any scale.
    index_b: the row of each.
  """
  wrong_bn = np.isnan(score_bn)
  if wrong_bn.any():
    place, item = np.argwhere(wrong_bn)[0].tolist()
    raise UserError(
      f'the score of row {index_b[place]} and item {item} is NaN; the ID tower'
      ' diverged, so lower tower.lr.'
    )
