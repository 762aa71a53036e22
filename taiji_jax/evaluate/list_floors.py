"""What a look-up without learning lists: the least that a table carries.

The counterpart of `floors` for next-item rows, which have no log.
"""

from collections.abc import Sequence

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.evaluate.floors import BACK_OFF
from taiji_jax.retrieve import top, transitions
from taiji_jax.retrieve.sparse import Sparse

_CELLS = 1 << 22
_SHARE = 1e-3


def popular(
  train: NextItems, rows: NextItems, items: int, count: int
) -> np.ndarray:
  """Returns the items that training takes most often, int32 `[B, count]`.

  Args:
    train: the rows of training.
    rows: the contexts.
    items: number of items N.
    count: the length of the lists, K; ties go by index.

  Raises:
    UserError: training has no row.
  """
  count_n = transitions.popularity(train, items)
  list_1k = top.best(count_n[None].astype(np.float64), count)
  return np.repeat(list_1k, len(rows), axis=0)


def markov(
  train: NextItems,
  rows: NextItems,
  items: int,
  count: int,
  back_off: Sequence[float] = BACK_OFF,
) -> np.ndarray:
  """Returns the items that most often follow the last ones, `[B, count]`.

  The score of n is sum_j back_off[j] C[h_j, n], with h_0 the last item, and
  less popularity than any transition weighs: it settles ties and ranks all
  others.
  C counts adjacent items of training.

  `Choice:` the weights 1, 1/2 and 1/4 of the last three items, lag 1 alone;
  counts, not shares, which are worse on the validation rows of MiniOneRec's
  Industrial set (NDCG@10 .1011, counts .1024).

  Args:
    train: the rows of training.
    rows: the contexts.
    items: number of items N.
    count: the length of the lists, K; ties go by index.
    back_off: weights of the last item, the one before, and so on; each above 0.

  Raises:
    UserError: training has no row.
  """
  count_n = transitions.popularity(train, items)
  follows = transitions.after(train, items)
  least = follows.value_q.min() if len(follows.value_q) else 1.0
  base_n = _SHARE * min(back_off) * least * count_n / count_n.sum()
  recent_bs = rows.recent_bs(len(back_off))
  chunk = max(1, _CELLS // items)
  parts = [
    top.best(_scores(follows, base_n, part_bs, back_off), count)
    for part_bs in np.split(recent_bs, range(chunk, len(rows), chunk))
  ]
  return np.concatenate(parts)


def neighbours(
  near: Sparse, rows: NextItems, train: NextItems, count: int
) -> np.ndarray:
  """Returns the items nearest to the last one, itself first, `[B, count]`.

  Args:
    near: `[N, N]`, cosines of the text neighbours, see `retrieve.tfidf`.
    rows: the contexts.
    train: the rows of training, whose popularity ranks all other items.
    count: the length of the lists, K; ties go by index.

  Raises:
    UserError: training has no row.
  """
  items = near.rows
  count_n = transitions.popularity(train, items)
  least = near.value_q.min() if len(near.value_q) else 1.0
  base_n = _SHARE * least * count_n / count_n.sum()
  own = Sparse.identity(items)
  # Above any cosine.
  near = near.plus(own.with_values(2.0 * own.value_q))
  chunk = max(1, _CELLS // items)
  last_b1 = rows.recent_bs(1)
  parts = [
    top.best(_scores(near, base_n, part_b1, (1.0,)), count)
    for part_b1 in np.split(last_b1, range(chunk, len(rows), chunk))
  ]
  return np.concatenate(parts)


def _scores(
  matrix: Sparse,
  base_n: np.ndarray,
  recent_bs: np.ndarray,
  weight_s: Sequence[float],
) -> np.ndarray:
  """Returns base_n + sum_s weight_s matrix[h_s], float64 `[b, N]`."""
  score_bn = np.tile(base_n.astype(np.float64), (len(recent_bs), 1))
  for s, weight in enumerate(weight_s):
    weight_b = np.full(len(recent_bs), weight)
    matrix.add_rows(score_bn, recent_bs[:, s], weight_b)
  return score_bn
