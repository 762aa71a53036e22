"""The re-ranker of a generator's table, and the teacher that it can be."""

import pathlib
import time

import numpy as np

from taiji_jax import metrics
from taiji_jax.evaluate import ranking
from taiji_jax.pipeline.generator_data import Shared, save_lists
from taiji_jax.rank import rerank
from taiji_jax.rank.rerank import Reranker

_ROWS = 512


def features(shared: Shared, part: str, item_rk: np.ndarray) -> np.ndarray:
  """Returns what the re-ranker reads of items, float32 `[R, K, F]`.

  log p of each component of the collaborative model and of the whole, and how
  much evidence there is (of training rows without the row's own user); the
  cosines of its text with the last item's and with the nearest one's of the
  history; how often it is taken (log(1 + n)), whether it is in the history,
  whether it is the last of it, and how long the history is. Nothing that counts
  has seen the row's own user.

  Args:
    shared: rows and models.
    part: which rows: 'train', 'valid' or 'test'.
    item_rk: int, -1 for none.
  """
  rows = getattr(shared.data, part)
  source = shared.folds if part == 'train' else shared.mixture
  recent_rs = rows.recent_bs(shared.recipe.data.history)
  seen_rks = item_rk[..., None] == recent_rs[:, None]
  known_r = np.log1p((recent_rs >= 0).sum(1))
  taken_rk1 = source.popularity(rows, item_rk) * len(shared.data.train)
  parts = [
    source.features(rows, item_rk),
    source.evidence(rows, item_rk),
    _cosines(shared, recent_rs, item_rk),
    np.log1p(taken_rk1),
    seen_rks.any(-1)[..., None],
    seen_rks[..., :1],
    np.broadcast_to(known_r[:, None, None], (*item_rk.shape, 1)),
  ]
  return np.concatenate(parts, -1).astype(np.float32)


def _cosines(
  shared: Shared, recent_rs: np.ndarray, item_rk: np.ndarray
) -> np.ndarray:
  """Returns cosines of texts, float32 `[R, K, 2]`: last item's, nearest one's.

  Of the latent vectors, 0 where there is no text.
  """
  found = np.zeros((*item_rk.shape, 2), np.float32)
  # A small catalogue has no more directions than items.
  most = min(shared.vectors.rows, shared.vectors.columns) - 1
  text_nd = shared.text_nd(max(min(shared.recipe.rerank.text_width, most), 0))
  if text_nd is None:
    return found
  norm_n1 = np.linalg.norm(text_nd, axis=1, keepdims=True)
  text_nd = text_nd / np.where(norm_n1 > 0, norm_n1, 1.0)
  for at in range(0, len(item_rk), _ROWS):
    own = slice(at, at + _ROWS)
    before_rsd = text_nd[recent_rs[own]] * (recent_rs[own] >= 0)[..., None]
    item_rkd = text_nd[np.maximum(item_rk[own], 0)]
    cosine_rks = item_rkd @ before_rsd.swapaxes(1, 2)
    found[own] = np.stack([cosine_rks[..., 0], cosine_rks.max(-1)], -1)
  return found


def fit(
  shared: Shared, item_rk: np.ndarray, feature_rkf: np.ndarray, seed: int
) -> Reranker:
  """Returns a re-ranker, trained on the training rows alone.

  Args:
    shared: rows and models.
    item_rk: int, the lists of the training rows.
    feature_rkf: of them, see `features`.
    seed: of its training.
  """
  place_r = ranking.in_lists(item_rk, shared.data.train.target_b)
  config = shared.recipe.rerank.fit
  begin = time.monotonic()
  found = rerank.fit(feature_rkf, item_rk >= 0, place_r, config, seed)
  metrics.LOG.info(
    're-ranker %d: %d of %d lists hold the next item; trained in %.1f s',
    seed,
    int((place_r >= 0).sum()),
    len(place_r),
    time.monotonic() - begin,
  )
  return found


def teacher(shared: Shared, labels: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns (items, probabilities) of the training rows, `[R, J]` each.

  The collaborative model's lists, ordered anew: a softmax of the re-ranker's
  scores. A row is scored by counts without its user, and by a re-ranker that
  was trained without the users of its fold.

  Args:
    shared: rows and models.
    labels: J.
  """
  config = shared.recipe.rerank

  def build(part: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    rows = shared.data.train
    item_rk = shared.folds.best(rows, config.beams)
    there_rk = item_rk >= 0
    place_r = ranking.in_lists(item_rk, rows.target_b)
    feature_rkf = features(shared, 'train', item_rk)
    fold_r = shared.folds.folds(rows)
    score_rk = np.empty(item_rk.shape, np.float32)
    for fold in np.unique(fold_r).tolist():
      own, others = fold_r == fold, fold_r != fold
      found = rerank.fit(
        feature_rkf[others], there_rk[others], place_r[others], config.fit, fold
      )
      score_rk[own] = found.scores(feature_rkf[own], there_rk[own])
    score_rk -= score_rk.max(1, keepdims=True)
    p_rk = np.exp(score_rk)
    p_rk /= p_rk.sum(1, keepdims=True)
    order_rk = np.argsort(-p_rk, axis=1, kind='stable')
    p_rk = np.take_along_axis(p_rk, order_rk, 1)
    item_rk = np.take_along_axis(item_rk, order_rk, 1)
    save_lists(part, np.where(p_rk > 0, item_rk, -1), p_rk)

  item_rk, p_rk = shared.kept_lists(
    'reranked_teacher', {'rerank': config.learnt()}, build
  )
  return item_rk[:, :labels], p_rk[:, :labels]
