"""The program over the positive orthant: optimal, and it always ends."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from taiji_jax.pareto import nnqp

SOLVE = jax.jit(lambda m, b: nnqp.solve_nnqp(nnqp.positive(m), b))


def cosines(size: int, width: int, seed: int) -> np.ndarray:
  rows = np.random.default_rng(seed).normal(size=(size, width))
  rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
  return rows @ rows.T


class NnqpTest(parameterized.TestCase):
  def test_hand(self):
    # M = [[1, .5], [.5, 1]], b = (1, 0): freely z = (4/3, -2/3), so the second
    # is held at 0, z_1 = 1 and its slope .5 is not negative.
    matrix_kk = jnp.asarray([[1.0, 0.5], [0.5, 1.0]])
    z_k, free_k = SOLVE(matrix_kk, jnp.asarray([1.0, 0.0]))
    np.testing.assert_allclose(z_k, [1.0, 0.0], atol=1e-6)
    np.testing.assert_array_equal(free_k, [True, False])

  @parameterized.product(size=(3, 10, 32, 64), seed=(0, 1))
  def test_optimal(self, size: int, seed: int):
    matrix_kk = cosines(size, 2 * size, seed)
    for linear_k in np.random.default_rng(seed).normal(size=(5, size)):
      z_k, _ = SOLVE(
        jnp.asarray(matrix_kk, jnp.float32), jnp.asarray(linear_k, jnp.float32)
      )
      root_kk = np.linalg.cholesky(matrix_kk).T
      target_k = np.linalg.solve(root_kk.T, linear_k)
      wanted_k, _ = optimize.nnls(root_kk, target_k, maxiter=10_000)
      np.testing.assert_allclose(z_k, wanted_k, atol=1e-4)

  def test_where_full_exchanges_cycle(self):
    # Matrices that are positive definite, far from diagonally dominant: block
    # exchanges alone are known to cycle on some, single ones must end it.
    for seed in range(20):
      rows = np.random.default_rng(seed).normal(size=(12, 13))
      rows -= 0.95 * rows.mean(0)
      rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
      matrix_kk = rows @ rows.T + 1e-3 * np.eye(12)
      linear_k = np.random.default_rng(seed).normal(size=12)
      z_k = np.asarray(SOLVE(
        jnp.asarray(matrix_kk, jnp.float32), jnp.asarray(linear_k, jnp.float32)
      )[0], np.float64)  # fmt: skip
      slope_k = matrix_kk @ z_k - linear_k
      scale = np.abs(matrix_kk) @ z_k + np.abs(linear_k)
      self.assertGreater((slope_k / scale).min(), -1e-3)
      self.assertLess(abs(z_k @ slope_k) / (z_k @ scale), 1e-3)

  @parameterized.parameters(np.nan, np.inf)
  def test_ends_on_what_is_not_finite(self, value: float):
    matrix_kk = jnp.eye(4).at[0, 1].set(value)
    SOLVE(matrix_kk, jnp.ones(4))
    SOLVE(jnp.eye(4), jnp.full(4, value))

  def test_ends_on_an_indefinite_matrix(self):
    matrix_kk = np.random.default_rng(0).uniform(-1, 1, size=(16, 16))
    matrix_kk = (matrix_kk + matrix_kk.T) / 2
    np.fill_diagonal(matrix_kk, 1.0)
    z_k, _ = SOLVE(jnp.asarray(matrix_kk, jnp.float32), jnp.ones(16))
    self.assertEqual(z_k.shape, (16,))


if __name__ == '__main__':
  absltest.main()
