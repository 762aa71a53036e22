"""What items are like, as vectors: who follows whom, and several joined."""

from collections.abc import Iterable, Sequence
import dataclasses

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from taiji_jax.errors import UserError


def check(vector_nd: np.ndarray, what: str = 'the vectors') -> None:
  """Raises UserError where something is no table of vectors.

  Args:
    vector_nd: anything.
    what: they are, for the error.
  """
  shape = np.shape(vector_nd)
  if len(shape) != 2 or 0 in shape:
    raise UserError(
      f'{what} have the shape {shape}; give at least one row an item and at'
      ' least one column.'
    )


def next_pairs(
  sequences: Iterable[Sequence[int]],
) -> tuple[np.ndarray, np.ndarray]:
  """Returns each item and the item that comes next, int64 `[p]` each.

  Args:
    sequences: the items of each user, in the order of time.
  """
  first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
  for sequence in sequences:
    item_s = np.asarray(sequence, np.int64)
    first.append(item_s[:-1])
    second.append(item_s[1:])
  return np.concatenate(first), np.concatenate(second)


def co_occurrence(
  first_p: np.ndarray,
  second_p: np.ndarray,
  items: int,
  width: int = 64,
  *,
  smoothing: float = 0.75,
  seed: int = 0,
) -> np.ndarray:
  """Returns vectors of which items are near each other in time.

  The truncated singular value decomposition of a matrix of positive pointwise
  mutual information, pairs counted in either order (Levy, Goldberg and Dagan,
  2015, doi:10.1162/tacl_a_00134, 2.1, 3.2): M = max(0, log(n_ij / n - log
  P(i) - log P(j))), vectors U sqrt(S).

  Args:
    first_p, second_p: int in [0, N), pairs; of `next_pairs`.
    items: N.
    width: of the vectors, below N.
    smoothing: power of the counts of the other item, in (0, 1], so that rare
      ones gain less.
    seed: of the decomposition's start.

  Returns:
    float32 `[n, d]`; an item without a pair has the zero vector.

  Raises:
    UserError: there is no pair, an item is out of range, or N is too small.
  """
  matrix = _positive_pmi(first_p, second_p, items, smoothing)
  if not 1 <= width < items:
    raise UserError(
      f'width is {width} with {items} items; give at least 1 and fewer than'
      ' there are items.'
    )
  begin_n = np.random.default_rng(seed).normal(size=items)
  u_nd, s_d, _ = linalg.svds(matrix, k=width, v0=begin_n)
  order = np.argsort(-s_d, kind='stable')
  u_nd, s_d = u_nd[:, order], s_d[order]
  vector_nd = u_nd * _signs(u_nd) * np.sqrt(np.maximum(s_d, 0))
  alone_n = np.diff(matrix.indptr) == 0
  return np.where(alone_n[:, None], 0.0, vector_nd).astype(np.float32)


def _positive_pmi(
  first_p: np.ndarray, second_p: np.ndarray, items: int, smoothing: float
) -> sparse.csr_array:
  """Returns max(0, PMI) of the pairs in either order, float64 `[N, N]`."""
  first_p, second_p = np.asarray(first_p), np.asarray(second_p)
  if not len(first_p):
    raise UserError(
      'there is no pair of items, one after the other; give longer sequences.'
    )
  for item_p in (first_p, second_p):
    if item_p.min() < 0 or item_p.max() >= items:
      wrong = item_p.min() if item_p.min() < 0 else item_p.max()
      raise UserError(
        f'item {wrong} is in a pair, with {items} items; give numbers from 0 to'
        f' {items - 1}.'
      )
  if not 0 < smoothing <= 1:
    raise UserError(
      f'smoothing is {smoothing}; give a number above 0, up to 1.'
    )
  pair = np.r_[first_p, second_p], np.r_[second_p, first_p]
  count = sparse.coo_array((np.ones(len(pair[0])), pair), (items, items))
  # To rows: this adds up what comes twice.
  count = count.tocsr()
  total_n = count.sum(1)
  smooth_n = total_n**smoothing
  row, column = count.nonzero()
  expected = total_n[row] * smooth_n[column] / smooth_n.sum()
  count.data = np.maximum(np.log(count.data / expected), 0.0)
  count.eliminate_zeros()
  return count


def joined(
  sources: Sequence[np.ndarray], weights: Sequence[float] | None = None
) -> np.ndarray:
  """Returns the sources side by side, each of mean norm 1, float32 `[n, d]`.

  Args:
    sources: float `[n, ...]` each, of the same items in the same order.
    weights: what each is multiplied by after that; None for 1.

  Raises:
    UserError: there is none, the items differ in number, or all vectors of one
      are 0.
  """
  weights = [1.0] * len(sources) if weights is None else weights
  if not sources or len(weights) != len(sources):
    raise UserError(
      f'there are {len(sources)} sources of vectors and {len(weights)} weights;'
      ' give at least one source, and a weight for each.'
    )
  parts = []
  for i, (vector_nd, weight) in enumerate(zip(sources, weights, strict=True)):
    check(vector_nd, f'the vectors of source {i}')
    if len(vector_nd) != len(sources[0]):
      raise UserError(
        f'source {i} has vectors of {len(vector_nd)} items, the first one of'
        f' {len(sources[0])}; give one for each item, in the same order.'
      )
    norm = np.linalg.norm(vector_nd, axis=1).mean()
    if not norm > 0:
      raise UserError(
        f'all vectors of source {i} are 0; leave that source out.'
      )
    parts.append(np.asarray(vector_nd) * (weight / norm))
  return np.concatenate(parts, 1).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Latent:
  """Dense vectors of sparse ones, and what makes them of any.

  Attributes:
    vector_nd: float32, mean norm 1.
    projection_vd: float32; sparse rows times this are dense ones.
  """

  vector_nd: np.ndarray
  projection_vd: np.ndarray


def latent(vector_nv: sparse.csr_array, width: int, seed: int = 0) -> Latent:
  """Returns dense vectors of sparse ones.

  Latent semantic analysis: the truncated singular value decomposition U S,
  which is X V; another row x of the same terms has the vector x V.

  Args:
    vector_nv: of the items, such as TF-IDF of their texts.
    width: d, below both sizes.
    seed: of the decomposition's start.

  Raises:
    UserError: the width is too large, or all vectors are 0.
  """
  least = min(vector_nv.shape)
  if not 1 <= width < least:
    raise UserError(
      f'width is {width} for {vector_nv.shape[0]} items of'
      f' {vector_nv.shape[1]} terms; give at least 1 and fewer than {least}.'
    )
  begin = np.random.default_rng(seed).normal(size=least)
  u_nd, s_d, v_dv = linalg.svds(vector_nv.astype(np.float64), k=width, v0=begin)
  order = np.argsort(-s_d, kind='stable')
  sign_d = _signs(u_nd[:, order])
  vector_nd = u_nd[:, order] * sign_d * s_d[order]
  norm = np.linalg.norm(vector_nd, axis=1).mean()
  scaled_nd = joined([vector_nd])
  projection_vd = v_dv[order].T * sign_d / norm
  return Latent(scaled_nd, projection_vd.astype(np.float32))


def _signs(u_nd: np.ndarray) -> np.ndarray:
  """Returns what makes each column's largest part positive: both are right."""
  largest = np.abs(u_nd).argmax(0)
  return np.where(u_nd[largest, np.arange(u_nd.shape[1])] < 0, -1.0, 1.0)
