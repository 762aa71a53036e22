"""How a tower's order of all items treats the items that rows ask about."""

import dataclasses

import numpy as np

from taiji_jax.rank import percentile, scores
from taiji_jax.types import Rows


@dataclasses.dataclass(frozen=True)
class Order:
  """What a score says of some items of each row.

  Attributes:
    percentile_rm: float32 `[R, M]`, of the M asked items, the truth first; NaN
      where an item is -1.
    auc_rj: float64 `[R, J]`, for each set of negatives the share that the
      truth outranks, a tie counting half; NaN where a row has none.
  """

  percentile_rm: np.ndarray
  auc_rj: np.ndarray

  def hits(self, k: int, num_items: int) -> np.ndarray:
    """Returns whether the truth is among the k best, float `[R]`.

    An item that ties is above it by half.

    Args:
      k: how many are best.
      num_items: N.
    """
    above_r = (1 - self.percentile_rm[:, 0].astype(float)) * (num_items - 1)
    return (np.round(2 * above_r) / 2 < k).astype(float)


def of(
  score_fn: scores.ScoreFn,
  rows: Rows,
  num_items: int,
  item_rm: np.ndarray,
  negative_rjq: np.ndarray,
) -> Order:
  """Returns where the truth and other items stand; memory flat in items.

  Args:
    score_fn: `(user_b, history_bs) -> scores [b, n]`.
    rows: the contexts, R of them.
    num_items: N.
    item_rm: int `[R, M]`, other items than the truth, -1 for none.
    negative_rjq: int `[R, J, Q]`, J sets of Q negatives a row, -1 for none.
  """
  item_rm = np.concatenate([rows.target_r[:, None], item_rm], -1)
  percentile_rm = np.full(item_rm.shape, np.nan, np.float32)
  auc_rj = np.full(negative_rjq.shape[:2], np.nan)
  for index_b in scores.chunks(len(rows), num_items):
    score_bn = score_fn(rows.user_r[index_b], rows.history_rs[index_b])
    percentile_rm[index_b] = percentile.of_items(
      score_bn, np.maximum(item_rm[index_b], 0)
    )
    auc_rj[index_b] = _auc(
      np.asarray(score_bn), rows.target_r[index_b], negative_rjq[index_b]
    )
  percentile_rm[item_rm < 0] = np.nan
  return Order(percentile_rm, auc_rj)


def _auc(
  score_bn: np.ndarray, target_b: np.ndarray, negative_bjq: np.ndarray
) -> np.ndarray:
  at = np.arange(len(target_b))
  truth_b = score_bn[at, target_b][:, None, None]
  score_bjq = score_bn[at[:, None, None], np.maximum(negative_bjq, 0)]
  valid_bjq = negative_bjq >= 0
  won_bjq = (truth_b > score_bjq) + 0.5 * (truth_b == score_bjq)
  count_bj = valid_bjq.sum(-1)
  with np.errstate(invalid='ignore'):
    return (won_bjq * valid_bjq).sum(-1) / np.where(count_bj, count_bj, np.nan)
