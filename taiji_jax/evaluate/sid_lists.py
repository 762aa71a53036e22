"""Lists at the level of semantic IDs, as published, and their items.

Two items of one ID are one at the level of IDs: a collision is credited there,
and not at the level of items. An ID is a number here, equal where all codes
are.
"""

import numpy as np


def numbers(codes_nl: np.ndarray) -> np.ndarray:
  """Returns the number of each item's ID, int32 `[N]`.

  Args:
    codes_nl: int `[N, L]`.

  Returns:
    From 0 on, in the order of the codes; equal for equal IDs alone.
  """
  return (
    np.unique(codes_nl, axis=0, return_inverse=True)[1].ravel().astype(np.int32)
  )


def of_items(item_bk: np.ndarray, sid_n: np.ndarray) -> np.ndarray:
  """Returns the IDs of lists of items, int32 `[B, K]`, each once.

  Args:
    item_bk: int `[B, K]`, best first, padded with -1.
    sid_n: int32 `[N]`, of `numbers`.

  Returns:
    Best first, padded with -1: an ID stands where its first item stood, less
    the repeats before it.
  """
  sid_bk = np.where(item_bk >= 0, sid_n[item_bk], -1)
  first_bk = np.zeros(sid_bk.shape, bool)
  for b, sid_k in enumerate(sid_bk):
    first_bk[b, np.unique(sid_k, return_index=True)[1]] = True
  return _packed(sid_bk, first_bk & (sid_bk >= 0))


def expanded(
  sid_bk: np.ndarray, sid_n: np.ndarray, count_n: np.ndarray, length: int
) -> np.ndarray:
  """Returns the items of lists of IDs, int32 `[B, length]`.

  An ID gives all of its items, each with a rank of its own: those that are
  taken more often in training first, then by index.

  Args:
    sid_bk: int `[B, K]`, best first, padded with -1.
    sid_n: int32 `[N]`, of `numbers`.
    count_n: int `[N]`, how often each item is taken in training.
    length: of the lists.

  Returns:
    Best first, padded with -1.
  """
  # By ID, then the more frequent, then the index.
  order = np.lexsort((np.arange(len(sid_n)), -count_n, sid_n))
  size_i = np.bincount(sid_n)
  start_i = np.cumsum(size_i) - size_i
  list_bm = np.full((len(sid_bk), length), -1, np.int32)
  for b, sid_k in enumerate(sid_bk):
    at = 0
    for sid in sid_k[sid_k >= 0].tolist():
      items = order[start_i[sid] : start_i[sid] + size_i[sid]][: length - at]
      list_bm[b, at : at + len(items)] = items
      at += len(items)
      if at == length:
        break
  return list_bm


def _packed(value_bk: np.ndarray, kept_bk: np.ndarray) -> np.ndarray:
  """Returns the kept values of each row in order, padded with -1."""
  packed_bk = np.full(value_bk.shape, -1, np.int32)
  b, k = np.nonzero(kept_bk)
  place_bk = np.cumsum(kept_bk, axis=1) - 1
  packed_bk[b, place_bk[b, k]] = value_bk[b, k]
  return packed_bk
