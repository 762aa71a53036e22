"""Which item comes after which, and how often, out of next-item rows.

Where every prefix of a sequence is a row, each pair of its items stands in the
rows once for all: the later one as a target, the earlier one in its history. So
the counts of rows are those of the sequences.
"""

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.errors import UserError
from taiji_jax.retrieve.sparse import Sparse


def popularity(rows: NextItems, items: int) -> np.ndarray:
  """Returns how often each item was taken, int64 `[N]`.

  Args:
    rows: of training. A history of one item is the beginning of a sequence,
      whose first item is nowhere a target: it counts as well.
    items: number of items N.

  Raises:
    UserError: there is no row.
  """
  if not len(rows):
    raise UserError(
      'there is no training row, so nothing can be counted; give at least one.'
    )
  first = rows.history_q[rows.start_b[:-1][rows.length_b == 1]]
  counted = np.concatenate([rows.target_b, first])
  return np.bincount(counted, minlength=items)


def after(
  rows: NextItems,
  items: int,
  *,
  lags: int = 1,
  decay: float = 1.0,
  reverse: float = 0.0,
) -> Sparse:
  """Returns what came after each item, `[N, N]`, and how often.

  C[m, n] = sum over pairs (m, then n after l items) of decay^(l - 1), plus
  `reverse` times as much of the pairs (n, then m).

  Args:
    rows: of training.
    items: number of items N.
    lags: the farthest pair, at least 1.
    decay: of a lag over the one before, in (0, 1].
    reverse: in [0, 1].
  """
  recent_bs = rows.recent_bs(lags)
  b, lag = np.nonzero(recent_bs >= 0)
  first, second = recent_bs[b, lag], rows.target_b[b]
  weight = decay**lag
  if reverse:
    first, second = (
      np.concatenate([first, second]),
      np.concatenate([second, first]),
    )
    weight = np.concatenate([weight, reverse * weight])
  return Sparse.of(items, items, first, second, weight)
