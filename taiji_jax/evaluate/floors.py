"""What a recommender without any model says: the least to be beaten.

A floor sees training events and a row's history, as the model does, and is
tuned on nothing. `popular` and `markov` rank items, so that they get an answer
text and every metric; `repeat_category` states a category path only.
"""

import dataclasses

import numpy as np
from scipy import sparse

from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log, Rows

BACK_OFF = (1.0, 0.5, 0.25)
"""Markov weights of the last item, the one before, and the one before that."""


@dataclasses.dataclass(frozen=True)
class Floor:
  """What a floor recommends.

  Attributes:
    item_r: int32 `[R]`, its answer: the first of its list; -1 where that is
      empty, since nothing is left to recommend.
    ranked_rk: int32 `[R, K]`, its list, best first, padded with -1.
  """

  item_r: np.ndarray
  ranked_rk: np.ndarray


def popularity(log: Log, train_e: np.ndarray, num_items: int) -> np.ndarray:
  """Returns the training events of each item, int64 `[N]`.

  Args:
    log: the whole log.
    train_e: bool, the training events.
    num_items: N.
  """
  count_n = np.bincount(log.item_e[train_e], minlength=num_items)
  if not count_n.any():
    raise UserError(
      'no event is a training event; move the cut to a later one.'
    )
  return count_n


def popular(
  log: Log,
  train_e: np.ndarray,
  rows: Rows,
  num_items: int,
  *,
  top: int = 100,
  consumed_once: bool = False,
) -> Floor:
  """Returns the items with the most training events; ties go by index.

  Args:
    log: the whole log.
    train_e: bool, the training events.
    rows: the contexts.
    num_items: N.
    top: length of the list; at most N items are in it.
    consumed_once: whether items of the history are left out.
  """
  count_n = popularity(log, train_e, num_items)
  score_rn = np.tile(count_n.astype(np.float64), (len(rows), 1))
  return _rank(score_rn, rows, top, consumed_once)


def markov(
  log: Log,
  train_e: np.ndarray,
  rows: Rows,
  num_items: int,
  *,
  top: int = 100,
  consumed_once: bool = False,
) -> Floor:
  """Returns the items that most often follow the user's last ones.

  The score of an item is sum_j BACK_OFF[j] P(item | next after history item j)
  plus a share of popularity below any transition, which settles ties and ranks
  items when the history is empty or new. P counts pairs of adjacent training
  events of one user.

  Args:
    log: the whole log.
    train_e: bool, the training events.
    rows: the contexts.
    num_items: N.
    top: length of the list; at most N items are in it.
    consumed_once: whether items of the history are left out.
  """
  count_n = popularity(log, train_e, num_items)
  next_nn = _transitions(log, train_e, num_items)
  rarest = 1.0 / max(next_nn.sum(1).max(), 1.0)
  share_n = count_n / count_n.sum()
  score_rn = np.tile(1e-3 * BACK_OFF[-1] * rarest * share_n, (len(rows), 1))
  mass_n = np.maximum(np.asarray(next_nn.sum(1)).ravel(), 1.0)
  for j, weight in enumerate(BACK_OFF[: rows.history_rs.shape[1]]):
    item_r = rows.history_rs[:, j]
    weight_r = np.where(item_r >= 0, weight / mass_n[item_r], 0.0)
    score_rn += next_nn[item_r].multiply(weight_r[:, None]).toarray()
  return _rank(score_rn, rows, top, consumed_once)


def repeat_category(rows: Rows, catalog: Catalog) -> list[tuple[str, ...]]:
  """Returns the category path of each user's last item, () without one.

  Args:
    rows: the contexts.
    catalog: the items.
  """
  return [
    catalog.categories[item] if item >= 0 else ()
    for item in rows.history_rs[:, 0].tolist()
  ]


def _transitions(
  log: Log, train_e: np.ndarray, num_items: int
) -> sparse.csr_array:
  """Returns counts [N, N] of (item, the same user's next item)."""
  event = np.flatnonzero(train_e)
  event = event[np.argsort(log.user_e[event], kind='stable')]
  user, item = log.user_e[event], log.item_e[event]
  same = user[1:] == user[:-1]
  pair = item[:-1][same], item[1:][same]
  ones = np.ones(len(pair[0]))
  counts = sparse.coo_array((ones, pair), shape=(num_items, num_items))
  return counts.tocsr()


def _rank(
  score_rn: np.ndarray, rows: Rows, top: int, consumed_once: bool
) -> Floor:
  if consumed_once:
    row, position = np.nonzero(rows.history_rs >= 0)
    score_rn[row, rows.history_rs[row, position]] = -np.inf
  ranked_rk = np.argsort(-score_rn, axis=1, kind='stable')[:, :top]
  left_rk = np.take_along_axis(score_rn, ranked_rk, 1) > -np.inf
  ranked_rk = np.where(left_rk, ranked_rk, -1).astype(np.int32)
  return Floor(ranked_rk[:, 0], ranked_rk)
