"""Small problems with several objectives whose Pareto front is known."""

from collections.abc import Callable
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Problem:
  """K losses of a small vector, and where no loss can fall alone.

  Attributes:
    name: as a file name has it.
    losses: x `[n]` -> float32 `[K]`.
    starts: float32 `[S, n]`, where descents begin.
    front: float64 `[F, K]`, losses on the front, in order where it is a curve.
    length: the longest step of a descent.
  """

  name: str
  losses: Callable[[jax.Array], jax.Array]
  starts: np.ndarray
  front: np.ndarray
  length: float


def quadratics(num_objectives: int) -> Problem:
  """Returns 2 or 3 conflicting quadratics over the plane.

  L_k(x) = (x - c_k).A_k (x - c_k) / 2. Its front: the minimisers of sum_k w_k
  L_k, (sum_k w_k A_k)^-1 sum_k w_k A_k c_k, for w on the simplex; all of it,
  since the losses are convex.
  """
  center_kn = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.5]])[:num_objectives]
  axes = [np.diag([1.0, 2.0]), np.diag([4.0, 1.0]), np.diag([1.0, 1.0])]
  matrix_knn = np.stack(axes[:num_objectives])

  def losses(x: jax.Array) -> jax.Array:
    gap_kn = x - jnp.asarray(center_kn, jnp.float32)
    matrix = jnp.asarray(matrix_knn, jnp.float32)
    return 0.5 * jnp.einsum('kn,knm,km->k', gap_kn, matrix, gap_kn)

  front = []
  for weight_k in simplex(num_objectives, 400 if num_objectives == 2 else 40):
    matrix = np.einsum('k,knm->nm', weight_k, matrix_knn)
    right = np.einsum('k,knm,km->n', weight_k, matrix_knn, center_kn)
    gap_kn = np.linalg.solve(matrix, right) - center_kn
    front.append(0.5 * np.einsum('kn,knm,km->k', gap_kn, matrix_knn, gap_kn))
  starts = np.array(
    [[-2.0, 1.5], [-0.5, 2.0], [1.5, 1.8], [2.0, -0.5], [0.3, -1.5]]
  )
  name = f'quadratics_{num_objectives}'
  return Problem(
    name, losses, starts.astype(np.float32), np.array(front), length=0.2
  )


def bandit() -> Problem:
  """Returns a bandit of five arms with two rewards, a softmax policy on it.

  Losses are minus the mean rewards, so that they live in the convex hull of the
  arms. The front is the hull's edge from the first arm over the second to the
  third; the fourth is far below it, and mixtures just beat the fifth.
  """
  reward_ak = np.array(
    [[1.0, 0.0], [0.75, 0.7], [0.0, 1.0], [0.3, 0.3], [0.5, 0.75]]
  )

  def losses(x: jax.Array) -> jax.Array:
    return -jax.nn.softmax(x) @ jnp.asarray(reward_ak, jnp.float32)

  part = np.linspace(0.0, 1.0, 200)[:, None]
  edges = [(1.0 - part) * reward_ak[i] + part * reward_ak[j] for i, j in
           ((0, 1), (1, 2))]  # fmt: skip
  starts = np.eye(5) * 2.0
  return Problem(
    'bandit', losses, starts.astype(np.float32), -np.concatenate(edges), 0.5
  )


def fonseca_fleming(size: int = 3) -> Problem:
  """Returns Fonseca and Fleming's two losses, whose front is not convex.

  L_1 = 1 - exp(-|x - 1 / sqrt(n)|^2), L_2 with a plus (1995,
  https://doi.org/10.1162/evco.1995.3.1.1). The front: all coordinates equal,
  between -1 / sqrt(n) and 1 / sqrt(n).
  """
  center = size**-0.5

  def losses(x: jax.Array) -> jax.Array:
    square_k = jnp.stack([((x - center) ** 2).sum(), ((x + center) ** 2).sum()])
    return 1.0 - jnp.exp(-square_k)

  along = np.linspace(-center, center, 400)
  front = np.stack(
    [1 - np.exp(-size * (along + s * center) ** 2) for s in (-1, 1)], -1
  )
  starts = np.random.default_rng(2).uniform(-0.9, 0.9, size=(5, size))
  return Problem(
    'fonseca_fleming', losses, starts.astype(np.float32), front, length=0.1
  )


def simplex(num_objectives: int, parts: int) -> np.ndarray:
  """Returns a grid on the simplex, float64 `[F, K]`, in order for K = 2."""
  axes = np.meshgrid(*[np.arange(parts + 1)] * (num_objectives - 1))
  first = np.stack([axis.ravel() for axis in axes], -1)
  first = first[first.sum(-1) <= parts]
  rest = parts - first.sum(-1, keepdims=True)
  return np.concatenate([first, rest], -1) / parts


def all_problems() -> list[Problem]:
  """Returns the four, in the order of docs/pareto.md."""
  return [quadratics(2), quadratics(3), bandit(), fonseca_fleming()]
