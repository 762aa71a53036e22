"""What can be said of semantic IDs without a recommender."""

import dataclasses

import numpy as np
from scipy import sparse

from taiji_jax.retrieve import neighbours
from taiji_jax.semantic_ids import collisions, keys, vectors


@dataclasses.dataclass(frozen=True)
class Statistics:
  """How good IDs are, in numbers.

  Attributes:
    items, levels, codes: N, L, K.
    error: mean squared distance of a vector from what its ID stands for, over
      that from the mean vector; None where nothing is known to decode it.
    fitted: the same where each code stands for the mean of what the levels
      before leave (`level_means`): known of any IDs, whatever made them.
    used_l: codes of each level that an item has.
    perplexity_l: exp of the entropy of each level's codes, in [1, K]; K where
      all are used equally.
    unique: share of the items that have their ID alone.
    distinct: different IDs over items, 1 where all are.
    largest: items of the ID that most have.
    neighbours: how many nearest items of each are looked at.
    near_l: share of (item, near item) that have the first 1, 2, ... L codes in
      common.
    chance_l: the same of any two items.
  """

  items: int
  levels: int
  codes: int
  error: float | None
  fitted: float
  used_l: tuple[int, ...]
  perplexity_l: tuple[float, ...]
  unique: float
  distinct: float
  largest: int
  neighbours: int
  near_l: tuple[float, ...]
  chance_l: tuple[float, ...]

  @property
  def shared_items(self) -> int:
    """Returns how many items share their ID with another one."""
    return round((1 - self.unique) * self.items)

  @property
  def shared_ids(self) -> int:
    """Returns how many IDs several items have."""
    return round((self.distinct - self.unique) * self.items)


def describe(
  code_nl: np.ndarray,
  codes: int,
  vector_nd: np.ndarray,
  decoded_nd: np.ndarray | None = None,
  *,
  count: int = 10,
  most: int = 1 << 14,
  seed: int = 0,
) -> Statistics:
  """Returns the statistics of IDs.

  Args:
    code_nl: int in [0, K).
    codes: K.
    vector_nd: float, of the same items; neighbours have the largest cosine.
    decoded_nd: float, what the IDs stand for (`Quantiser.decode`), None where
      that is not known.
    count: nearest items that are looked at.
    most: of more items than these a sample is looked at for neighbours, since
      finding them is quadratic.
    seed: of the sample.

  Raises:
    UserError: a code is out of range.
  """
  code_nl = keys.check(code_nl, codes, 'the IDs')
  vectors.check(vector_nd)
  items, levels = code_nl.shape
  full_n = keys.of(code_nl, codes)
  _, count_g = np.unique(full_n, return_counts=True)
  share_lk = [
    np.bincount(code_n, minlength=codes) / items for code_n in code_nl.T
  ]
  count = min(count, items - 1)
  return Statistics(
    items=items,
    levels=levels,
    codes=codes,
    error=None if decoded_nd is None else _error(vector_nd, decoded_nd),
    fitted=_error(vector_nd, level_means(code_nl, codes, vector_nd)),
    used_l=tuple(int((share_k > 0).sum()) for share_k in share_lk),
    perplexity_l=tuple(map(_perplexity, share_lk)),
    unique=1 - float(collisions.sharing(code_nl, codes).mean()),
    distinct=len(count_g) / items,
    largest=int(count_g.max()),
    neighbours=count,
    near_l=_near(code_nl, vector_nd, count, most, seed),
    chance_l=tuple(
      _same_share(keys.of(code_nl[:, :level], codes))
      for level in range(1, levels + 1)
    ),
  )


def level_means(
  code_nl: np.ndarray, codes: int, vector_nd: np.ndarray
) -> np.ndarray:
  """Returns what codes stand for, float64 `[n, d]`, as these vectors say.

  The mean vector, and of each level in turn the mean of what is left of the
  items that have the code. Codes that say nothing explain some of it too,
  about as many of N parts as there are codes: compare with random ones.

  Args:
    code_nl: int in [0, K).
    codes: K.
    vector_nd: float, of the same items.
  """
  mean_d = np.mean(vector_nd, 0, dtype=np.float64)
  rest_nd = np.asarray(vector_nd, np.float64) - mean_d
  decoded_nd = np.tile(mean_d, (len(rest_nd), 1))
  place = np.arange(len(rest_nd) + 1)
  for code_n in code_nl.T:
    shape = (len(rest_nd), codes)
    has_nk = sparse.csr_array((np.ones(len(rest_nd)), code_n, place), shape)
    count_k = np.maximum(np.bincount(code_n, minlength=codes), 1)
    part_nd = ((has_nk.T @ rest_nd) / count_k[:, None])[code_n]
    decoded_nd += part_nd
    rest_nd -= part_nd
  return decoded_nd


def _perplexity(share_k: np.ndarray) -> float:
  p_k = share_k[share_k > 0]
  return float(np.exp(-np.sum(p_k * np.log(p_k))))


def _error(vector_nd: np.ndarray, decoded_nd: np.ndarray) -> float:
  """Returns the mean squared error over the mean squared distance from mean."""
  mean_d = np.mean(vector_nd, 0, dtype=np.float64)
  spread = np.mean(np.sum((vector_nd - mean_d) ** 2, 1))
  wrong = np.mean(np.sum((vector_nd - decoded_nd) ** 2, 1, dtype=np.float64))
  return float(wrong / spread) if spread > 0 else 0.0


def _same_share(key_n: np.ndarray) -> float:
  """Returns the share of pairs of two items whose number is the same."""
  _, count_g = np.unique(key_n, return_counts=True)
  pairs = len(key_n) * (len(key_n) - 1)
  return float((count_g * (count_g - 1.0)).sum() / pairs) if pairs else 0.0


def _near(
  code_nl: np.ndarray, vector_nd: np.ndarray, count: int, most: int, seed: int
) -> tuple[float, ...]:
  """Returns the share of near pairs whose first codes agree, by how many."""
  if count < 1:
    return (0.0,) * code_nl.shape[1]
  if len(code_nl) > most:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(code_nl), most, replace=False))
    code_nl, vector_nd = code_nl[rows], vector_nd[rows]
  count = min(count, len(code_nl) - 1)
  near_nk = neighbours.nearest(vector_nd, count + 1).item_nk
  # Itself comes first, but for equal vectors: any of them is left out then.
  own_nk = near_nk == np.arange(len(near_nk))[:, None]
  own_nk[~own_nk.any(1), -1] = True
  near_nk = near_nk[~own_nk].reshape(len(near_nk), count)
  same_nkl = code_nl[near_nk] == code_nl[:, None]
  return tuple(np.cumprod(same_nkl, 2).mean((0, 1)).tolist())
