"""The best items of dense scores."""

import numpy as np


def best(score_bn: np.ndarray, count: int) -> np.ndarray:
  """Returns the items of the highest scores, int32 `[B, count]`.

  Args:
    score_bn: float `[B, N]`; what scores -inf is never listed.
    count: at least 1; of fewer items all are listed.

  Returns:
    Best first, ties by index, padded with -1.
  """
  rows, items = score_bn.shape
  ranked_bk = np.full((rows, count), -1, np.int32)
  if not rows:
    return ranked_bk
  top = min(count, items)
  least_b = -np.partition(-score_bn, top - 1, axis=1)[:, top - 1]
  for b, score_n in enumerate(score_bn):
    item_q = np.flatnonzero((score_n >= least_b[b]) & (score_n > -np.inf))
    found = item_q[np.argsort(-score_n[item_q], kind='stable')[:top]]
    ranked_bk[b, : len(found)] = found
  return ranked_bk
