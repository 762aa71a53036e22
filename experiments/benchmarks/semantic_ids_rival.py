"""Residual k-means as one would write it in numpy."""

import numpy as np

_ROWS = 8192


def made(items: int, width: int, seed: int = 0) -> np.ndarray:
  """Returns vectors in groups of groups, float32 `[items, width]`.

  Args:
    items: how many.
    width: of each.
    seed: of all that is drawn.
  """
  rng = np.random.default_rng(seed)
  vector_nd = np.empty((items, width), np.float32)
  centers = [s * rng.normal(size=(64, width)) for s in (2.0, 1.0)]
  for start in range(0, items, _ROWS):
    here = min(_ROWS, items - start)
    part_nd = rng.normal(size=(here, width)).astype(np.float32)
    for center_gd in centers:
      part_nd += center_gd[rng.integers(0, 64, here)].astype(np.float32)
    vector_nd[start : start + here] = part_nd
  return vector_nd


def nearest(x_nd: np.ndarray, center_kd: np.ndarray) -> np.ndarray:
  """Returns the nearest centre of each row, some thousand rows at a time."""
  square_k = (center_kd**2).sum(1)
  code_n = np.empty(len(x_nd), np.int64)
  for start in range(0, len(x_nd), _ROWS):
    part = slice(start, start + _ROWS)
    code_n[part] = (square_k - 2 * x_nd[part] @ center_kd.T).argmin(1)
  return code_n


def fit(
  x_nd: np.ndarray, levels: int, codes: int, iterations: int, seed: int = 0
) -> np.ndarray:
  """Returns codebooks `[levels, codes, width]`, begun with random rows.

  Args:
    x_nd: float32.
    levels, codes: sizes.
    iterations: of Lloyd's steps, all of which are done.
    seed: of the rows.
  """
  rng = np.random.default_rng(seed)
  found = []
  for _ in range(levels):
    center_kd = x_nd[rng.choice(len(x_nd), codes, replace=False)]
    for _ in range(iterations):
      center_kd = means(x_nd, nearest(x_nd, center_kd), center_kd)
    x_nd = x_nd - center_kd[nearest(x_nd, center_kd)]
    found.append(center_kd)
  return np.stack(found)


def means(
  x_nd: np.ndarray, code_n: np.ndarray, center_kd: np.ndarray
) -> np.ndarray:
  """Returns the mean of the rows of each code; a code without rows stays."""
  order = np.argsort(code_n, kind='stable')
  count_k = np.bincount(code_n, minlength=len(center_kd))
  used = np.flatnonzero(count_k)
  first = (np.cumsum(count_k) - count_k)[used]
  center_kd = center_kd.copy()
  total = np.add.reduceat(x_nd[order], first)
  center_kd[used] = total / count_k[used, None]
  return center_kd


def encode(x_nd: np.ndarray, codebook_lkd: np.ndarray) -> np.ndarray:
  """Returns the codes, `[n, levels]`."""
  found = []
  for center_kd in codebook_lkd:
    code_n = nearest(x_nd, center_kd)
    x_nd = x_nd - center_kd[code_n]
    found.append(code_n)
  return np.stack(found, 1)


def error(
  x_nd: np.ndarray, code_nl: np.ndarray, codebook_lkd: np.ndarray
) -> float:
  """Returns the mean squared error over the mean squared distance from mean."""
  wrong, spread, mean_d = 0.0, 0.0, x_nd.mean(0)
  for start in range(0, len(x_nd), _ROWS):
    part = slice(start, start + _ROWS)
    levels = range(len(codebook_lkd))
    own_nd = sum(codebook_lkd[at][code_nl[part, at]] for at in levels)
    wrong += ((x_nd[part] - own_nd) ** 2).sum()
    spread += ((x_nd[part] - mean_d) ** 2).sum()
  return float(wrong / spread)
