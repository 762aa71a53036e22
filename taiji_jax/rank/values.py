"""Values of asked (row, item) pairs, without a table of all."""

from collections.abc import Callable
import dataclasses
import functools

import jax
import numpy as np

from taiji_jax.rank import percentile, reward_table, scores
from taiji_jax.types import Rows

# (scores [b, n], item [b]) -> values [b]
ReadFn = Callable[[jax.Array, np.ndarray], jax.Array]


@dataclasses.dataclass(frozen=True)
class Values:
  """r_id by the reward tower and CTCVR by the judge, of items asked for.

  Scores are made in chunks of pairs and dropped: memory does not grow with the
  rows, and `reward` equals what a table of these rows would hold.

  Attributes:
    rows: the contexts, R of them.
    num_items: N.
    score_fn: the reward tower's, `(user_b, history_bs) -> scores [b, n]`.
    ctcvr_fn: the judge's, `(user_b, history_bs) -> CTCVR [b, n]`.
    miss: the reward of an answer that names no item, in [0, 1].
  """

  rows: Rows
  num_items: int
  score_fn: scores.ScoreFn
  ctcvr_fn: scores.ScoreFn
  miss: float = 0.0

  def reward(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Returns r_id `[...]` in [0, 1]; item -1 (none) has the miss value.

    Args:
      row: int `[...]`, positions in the rows.
      item: int `[...]`, of a shape that goes with it.
    """
    return self._of_pairs(self.score_fn, _percentile, row, item, self.miss)

  def ctcvr(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Returns CTCVR `[...]` in [0, 1]; item -1 (none) has 0.

    Args:
      row, item: as in `reward`.
    """
    return self._of_pairs(self.ctcvr_fn, _value, row, item, 0.0)

  def rewards_of(self, row: int) -> np.ndarray:
    """Returns r_id of all items in one row, `[N]`."""
    one = self.rows.take(np.array([row]))
    table = reward_table.build(
      self.score_fn, one, self.num_items, miss=self.miss
    )
    return table.reward_rn[0]

  def _of_pairs(
    self,
    score_fn: scores.ScoreFn,
    read: ReadFn,
    row: np.ndarray,
    item: np.ndarray,
    missed: float,
  ) -> np.ndarray:
    row, item = np.broadcast_arrays(row, item)
    found = np.full(row.shape, missed, np.float32)
    named = item >= 0
    row_q, item_q = row[named], item[named]
    value_q = np.empty(len(row_q), np.float32)
    for index_b in scores.chunks(len(row_q), self.num_items):
      at_b = row_q[index_b]
      score_bn = score_fn(self.rows.user_r[at_b], self.rows.history_rs[at_b])
      reward_table.check(score_bn, at_b)
      value_q[index_b] = read(score_bn, item_q[index_b])
    found[named] = value_q
    return found


@functools.partial(jax.jit)
def _value(score_bn: jax.Array, item_b: jax.Array) -> jax.Array:
  return jax.numpy.take_along_axis(score_bn, item_b[:, None], -1)[:, 0]


def _percentile(score_bn: jax.Array, item_b: np.ndarray) -> jax.Array:
  return percentile.of_items(score_bn, item_b[:, None])[:, 0]
