"""The retriever's work as one would write it: scipy.sparse, dense numpy."""

import dataclasses

import numpy as np
from scipy import sparse

from taiji_jax.retrieve import counts, entries
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.neighbours import Neighbours
from taiji_jax.types import Log


@dataclasses.dataclass(frozen=True)
class Counted:
  """What `counts.Counts` holds, as matrices `[N, N]`.

  Attributes:
    popularity_n: clicks.
    after: what followed, an entry of `counts.LAGS` each.
    together: clicks of one user near each other, in either order.
  """

  popularity_n: np.ndarray
  after: tuple[sparse.csr_array, ...]
  together: sparse.csr_array


def count(log: Log, events: np.ndarray, items: int) -> Counted:
  """Returns the counts of a log, by sums of sparse matrices."""
  clicks = np.flatnonzero(events & log.click_e)
  clicks = clicks[np.argsort(log.user_e[clicks], kind='stable')]
  user, item = log.user_e[clicks], log.item_e[clicks]

  def at(lag: int) -> sparse.csr_array:
    same = user[lag:] == user[:-lag]
    pair = item[:-lag][same], item[lag:][same]
    one = np.ones(len(pair[0]), np.int64)
    # To rows: this adds up what comes twice.
    return sparse.coo_array((one, pair), (items, items)).tocsr()

  after = []
  for lags in counts.LAGS:
    found = at(lags[0])
    for lag in lags[1:]:
      found = found + at(lag)
    after.append(found)
  window = after[0]
  for found in after[1:]:
    window = window + found
  popularity_n = np.bincount(item, minlength=items)
  return Counted(popularity_n, tuple(after), (window + window.T).tocsr())


@dataclasses.dataclass(frozen=True)
class Dense:
  """Lists of a fitted logit, every item of every row scored.

  Attributes:
    counted: of the log.
    near: by the titles.
    items: of the catalogue.
    weight_f: as `features.NAMES`.
    decay: weight of an item over that of the one after it.
    candidates: among so many the answer is chosen.
  """

  counted: Counted
  near: Neighbours
  items: Items
  weight_f: np.ndarray
  decay: float
  candidates: int

  def lists(
    self, history_rs: np.ndarray, count: int
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns items, log P `[R, count]`, and the one answer `[R]`.

    No item of the history comes again.

    Args:
      history_rs: int32, most recent first, padded with -1.
      count: length of the lists.
    """
    found = [self._row(history_s[history_s >= 0]) for history_s in history_rs]
    item_rm, logp_rm, answer_r = (np.array(x) for x in zip(*found, strict=True))
    return item_rm[:, :count], logp_rm[:, :count], answer_r

  def _row(self, history_h: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    score_n = self.weight_f @ self._features(history_h)
    score_n[history_h] = -np.inf
    top = score_n.max()
    log_total = top + np.log(np.exp(score_n - top).sum())
    most = min(self.candidates, len(score_n) - len(np.unique(history_h)))
    item_m = np.argpartition(-score_n, most - 1)[:most]
    item_m = item_m[np.argsort(-score_n[item_m], kind='stable')]
    logp_m = score_n[item_m] - log_total
    return item_m, logp_m, self._answer(item_m, np.exp(logp_m))

  def _answer(self, item_m: np.ndarray, p_m: np.ndarray) -> int:
    value_m = np.zeros(len(item_m))
    for code_n in self.items.code_ln:
      code_m = code_n[item_m]
      value_m += np.where(
        code_m >= 0, np.bincount(code_m + 1, p_m)[code_m + 1], 0
      )
    p_n = np.zeros(len(self.items.leaf_n))
    p_n[item_m] = p_m
    value_m += p_n[self.near.item_nk[item_m]].sum(1)
    return int(item_m[np.argmax(value_m)])

  def _features(self, history_h: np.ndarray) -> np.ndarray:
    counted, items = self.counted, self.items
    size, recent = len(items.leaf_n), history_h[: counts.WINDOW]
    weight_h = entries.recency(len(history_h), self.decay)
    total = weight_h.sum() + 1

    def row_sum(matrix: sparse.csr_array, item_h: np.ndarray) -> np.ndarray:
      found_n = np.zeros(size)
      for item in item_h:
        own = slice(matrix.indptr[item], matrix.indptr[item + 1])
        found_n[matrix.indices[own]] += matrix.data[own]
      return np.log1p(found_n)

    def near_sum(item_h: np.ndarray, w_h: np.ndarray) -> np.ndarray:
      found_n = np.zeros(size)
      for item, weight in zip(item_h, w_h, strict=True):
        other = self.near.item_nk[item]
        cosine = np.where(other == item, 0, self.near.cosine_nk[item])
        found_n[other] += weight * cosine
      return found_n

    codes = [*items.code_ln, items.brand_n]
    last = [
      ((c == c[history_h[:1]]) & (c >= 0)).astype(np.float64) for c in codes
    ]
    share = [
      np.where(
        c >= 0, np.bincount(c[history_h] + 1, weight_h, c.max() + 2)[c + 1], 0
      )
      for c in codes
    ]
    itself_n = np.bincount(history_h, weight_h, size)
    return np.stack(
      [
        np.log1p(counted.popularity_n),
        *last[:3],
        *(x / total for x in share[:3]),
        *(
          row_sum(matrix, recent[lags[0] - 1 : lags[-1]])
          for lags, matrix in zip(counts.LAGS, counted.after, strict=True)
        ),
        row_sum(counted.together, recent[:1]),
        row_sum(counted.together, recent),
        near_sum(recent[:1], weight_h[:1]),
        near_sum(recent[1:], weight_h[1 : len(recent)]),
        last[3],
        share[3] / total,
        itself_n / total,
      ]
    )
