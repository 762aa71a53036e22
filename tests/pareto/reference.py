"""The rules once more, in float64 numpy, from the gradients themselves.

Written from the definitions and by other ways than ours: vectors instead of
Gramians, non-negative least squares instead of pivoting, singular values of the
gradients instead of eigenvalues of the Gramian.
"""

from collections.abc import Iterator

import numpy as np
from scipy import optimize


def jacobians(sizes: tuple[int, ...] = (2, 3, 4, 8, 32)) -> Iterator:
  """Yields (name, float64 `[K, P]`), independent gradients of many kinds."""
  for size in sizes:
    rng = np.random.default_rng(size)
    wide_kp = rng.normal(size=(size, 4 * size))
    yield f'{size}-random', wide_kp
    yield f'{size}-aligned', wide_kp + 0.7
    yield f'{size}-conflict', wide_kp - 0.8 * wide_kp.mean(0)
    scale_k1 = np.exp(1.5 * rng.normal(size=(size, 1)))
    yield f'{size}-scaled', scale_k1 * rng.normal(size=(size, 4 * size))
    yield f'{size}-axes', np.eye(size, 2 * size) * (1.0 + np.arange(2 * size))


def degenerate(sizes: tuple[int, ...] = (3, 4, 8)) -> Iterator:
  """Yields (name, `[K, P]`) with dependent, copied, zero, opposed gradients.

  Small whole numbers, so that float32 Gramians hold them exactly.
  """
  for size in sizes:
    rng = np.random.default_rng(100 + size)
    rows_kp = rng.integers(-3, 4, size=(size, 4 * size)).astype(np.float64)
    copied_kp = rows_kp.copy()
    copied_kp[1] = copied_kp[0]
    yield f'{size}-copied', copied_kp
    zero_kp = rows_kp.copy()
    zero_kp[0] = 0
    yield f'{size}-zero', zero_kp
    opposed_kp = rows_kp.copy()
    opposed_kp[1] = -opposed_kp[0]
    yield f'{size}-opposed', opposed_kp
    yield f'{size}-thin', rows_kp[:, : size - 1]
    yield f'{size}-plane', rows_kp[:, :2]


def float32_exact(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns gradients rounded so that float32 holds each of them."""
  return jacobian_kp.astype(np.float32).astype(np.float64)


def min_norm(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns MGDA's weights as non-negative least squares on [J^T; s 1^T]."""
  size, width = jacobian_kp.shape
  scale = np.sqrt((jacobian_kp**2).sum(-1).max())
  rows = np.vstack([jacobian_kp.T, np.full(size, scale)])
  right = np.append(np.zeros(width), scale)
  weights_k, _ = optimize.nnls(rows, right, maxiter=1000)
  return weights_k / weights_k.sum()


def project(jacobian_kp: np.ndarray, share_k: np.ndarray) -> np.ndarray:
  """Returns u + z, z >= 0 the least squares that end all conflicts."""
  target = -jacobian_kp.T @ share_k
  return share_k + optimize.nnls(jacobian_kp.T, target, maxiter=1000)[0]


def dualproj(jacobian_kp: np.ndarray) -> np.ndarray:
  size = len(jacobian_kp)
  return project(jacobian_kp, np.full(size, 1 / size))


def upgrad(jacobian_kp: np.ndarray) -> np.ndarray:
  size = len(jacobian_kp)
  return sum(project(jacobian_kp, row) for row in np.eye(size) / size)


def pcgrad(jacobian_kp: np.ndarray, order_kk: np.ndarray) -> np.ndarray:
  """Returns the sum itself, `[P]`: algorithm 1 on the vectors."""
  total_p = np.zeros(jacobian_kp.shape[1])
  for k, row in enumerate(jacobian_kp):
    now_p = row.copy()
    for j in order_kk[k]:
      other = jacobian_kp[j]
      if j != k and now_p @ other < 0:
        now_p -= (now_p @ other) / (other @ other) * other
    total_p += now_p
  return total_p


def aligned_mtl(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns sqrt(l_min) U S^-1 U^T 1/K from the gradients' singular values."""
  left, value, _ = np.linalg.svd(jacobian_kp, full_matrices=False)
  inside = value > 1e-6 * value[0]
  left, value = left[:, inside], value[inside]
  size = len(jacobian_kp)
  return value[-1] * left @ ((left.T @ np.full(size, 1 / size)) / value)


def imtl_g(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns the weights of the d with one projection on all unit gradients."""
  norm_k = np.linalg.norm(jacobian_kp, axis=-1)
  unit_kp = jacobian_kp / norm_k[:, None]
  direction_p = np.linalg.pinv(unit_kp) @ np.ones(len(unit_kp))
  weights_k = np.linalg.pinv(unit_kp).T @ direction_p / norm_k
  return weights_k / weights_k.sum()


def cagrad_gap(
  jacobian_kp: np.ndarray, weights_k: np.ndarray, c: float
) -> tuple[float, float]:
  """Returns (duality gap, |d - g_0| / (c |g_0|)) of CAGrad's program.

  The dual value bounds the best level from above for any point of the simplex,
  so a small gap proves the weights best, whoever found them.
  """
  size = len(jacobian_kp)
  average_p = jacobian_kp.mean(0)
  bound = c * np.linalg.norm(average_p)
  direction_p = jacobian_kp.T @ weights_k
  level = (jacobian_kp @ direction_p).min()
  added_k = np.maximum(weights_k - 1 / size, 0)
  simplex_k = added_k / added_k.sum()
  mixed_p = jacobian_kp.T @ simplex_k
  dual = mixed_p @ average_p + bound * np.linalg.norm(mixed_p)
  return dual - level, np.linalg.norm(direction_p - average_p) / bound
