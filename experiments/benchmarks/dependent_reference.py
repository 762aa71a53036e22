"""Updates in float64, of the gradients themselves: least squares, no pivots."""

from collections.abc import Callable

import numpy as np
from scipy import optimize

ITERATIONS = 10_000


def shortest(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns the shortest convex combination of the gradients, `[P]`."""
  size, width = jacobian_kp.shape
  scale = np.linalg.norm(jacobian_kp, axis=-1).max()
  rows = np.vstack([jacobian_kp.T, np.full(size, scale)])
  right = np.append(np.zeros(width), scale)
  weights_k, _ = optimize.nnls(rows, right, maxiter=ITERATIONS)
  return jacobian_kp.T @ weights_k / weights_k.sum()


def projected(jacobian_kp: np.ndarray, share_k: np.ndarray) -> np.ndarray:
  """Returns the nearest to sum_k u_k g_k that conflicts with none, `[P]`.

  With the unit gradients: the directions are the same, the numbers better.
  """
  unit_kp = jacobian_kp / np.linalg.norm(jacobian_kp, axis=-1, keepdims=True)
  direction_p = jacobian_kp.T @ share_k
  length = max(float(np.linalg.norm(direction_p)), 1e-30)
  added_k, _ = optimize.nnls(
    unit_kp.T, -direction_p / length, maxiter=ITERATIONS
  )
  return direction_p + length * unit_kp.T @ added_k


def projected_average(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns DualProj's update, `[P]`."""
  size = len(jacobian_kp)
  return projected(jacobian_kp, np.full(size, 1 / size))


def average_projected(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns UPGrad's update, `[P]`."""
  rows = np.eye(len(jacobian_kp)) / len(jacobian_kp)
  return np.sum([projected(jacobian_kp, row) for row in rows], axis=0)


def aligned(jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns Aligned-MTL's update by singular values, `[P]`."""
  left, value, right = np.linalg.svd(jacobian_kp, full_matrices=False)
  inside = value > 1e-9 * value[0]
  average = left[:, inside].mean(0)
  return value[inside].min() * average @ right[inside]


UPDATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
  'min_norm': shortest,
  'upgrad': average_projected,
  'dualproj': projected_average,
  'aligned_mtl': aligned,
}
