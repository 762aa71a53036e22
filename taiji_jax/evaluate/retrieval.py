"""Title Hit-Rate@K: is the true item among those nearest to the answer?"""

from collections.abc import Sequence

import numpy as np

_DECIMALS = 6


def target_rank(
  query_rd: np.ndarray,
  pool_nd: np.ndarray,
  target_r: np.ndarray,
  chunk: int = 512,
) -> np.ndarray:
  """Returns the place of the target among the pool by cosine, int64 `[R]`.

  0 is the nearest item. Cosines that agree to six decimals are ties, which go
  by index: equal texts have equal vectors, but not equal rounding.

  Args:
    query_rd: float, one vector a row, of any norm above 0.
    pool_nd: float, one vector an item.
    target_r: int32, the true items.
    chunk: rows compared at once.
  """
  pool_nd = _unit(pool_nd)
  index_n = np.arange(len(pool_nd))
  rank_r = np.empty(len(query_rd), np.int64)
  for start in range(0, len(query_rd), chunk):
    part = slice(start, start + chunk)
    target = target_r[part, None]
    cosine_bn = np.round(_unit(query_rd[part]) @ pool_nd.T, _DECIMALS)
    own_b1 = np.take_along_axis(cosine_bn, target, 1)
    before_bn = (cosine_bn > own_b1) | (
      (cosine_bn == own_b1) & (index_n < target)
    )
    rank_r[part] = before_bn.sum(1)
  return rank_r


def title_hit_rate(
  query_rd: np.ndarray,
  titled_r: np.ndarray,
  pool_nd: np.ndarray,
  target_r: np.ndarray,
  tops: Sequence[int] = (50, 100),
) -> dict[int, np.ndarray]:
  """Returns, for each K, whether the target is among the K nearest, `[R]`.

  Title_Hit-Rate@K of arXiv:2606.03866. `Choice:` the paper does not say how it
  is computed: the embedded answer title is the query, the titles of the whole
  catalogue are the pool. A row without a title scores 0.

  Args:
    query_rd: float, the embedded answer titles; anything where there is none.
    titled_r: bool, whether the answer has a title.
    pool_nd: float, the embedded titles of all items.
    target_r: int32, the true items.
    tops: the Ks.

  Returns:
    float32 `[R]` of 0 and 1 a K.
  """
  rank_r = target_rank(query_rd, pool_nd, target_r)
  return {
    k: (np.asarray(titled_r, bool) & (rank_r < k)).astype(np.float32)
    for k in tops
  }


def list_hit_rate(
  ranked_rk: np.ndarray, target_r: np.ndarray, tops: Sequence[int] = (50, 100)
) -> dict[int, np.ndarray]:
  """Returns, for each K, whether the target is among a list's first K, `[R]`.

  The plain counterpart of `title_hit_rate`, for what ranks items itself.

  Args:
    ranked_rk: int32, items, best first, padded with -1; as long as the largest
      K unless the catalogue is smaller.
    target_r: int32, the true items.
    tops: the Ks.
  """
  hit_rk = ranked_rk == target_r[:, None]
  return {k: hit_rk[:, :k].any(1).astype(np.float32) for k in tops}


def cosine(a_rd: np.ndarray, b_rd: np.ndarray) -> np.ndarray:
  """Returns the cosine of paired vectors, float32 `[R]` in [-1, 1].

  Args:
    a_rd, b_rd: float, of any norm; a zero vector has cosine 0.
  """
  product_r = np.sum(_unit(a_rd) * _unit(b_rd), -1)
  return np.clip(product_r, -1.0, 1.0).astype(np.float32)


def _unit(x_nd: np.ndarray) -> np.ndarray:
  norm_n1 = np.linalg.norm(x_nd, axis=-1, keepdims=True)
  return x_nd / np.maximum(norm_n1, 1e-12)
