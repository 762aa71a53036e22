"""Quadratic programs over the positive orthant, K up to about a hundred.

Every rule with an inner program is one of these in the right coordinates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.product import product

# Added to the diagonal of a matrix with unit diagonal; the least that makes it
# safely positive definite is taken, then undone by a step of refinement.
JITTERS = (1e-5, 1e-3, 1e-1)
# A sign counts as wrong beyond this part of the largest entry.
TOLERANCE = 1e-6
# Full exchanges in a row that may fail before single ones begin.
PATIENCE = 3


class Factored(NamedTuple):
  """A matrix made positive definite.

  Attributes:
    matrix_kk: float32 `[K, K]`, as given.
    jitter: float32, what was added to its diagonal.
  """

  matrix_kk: jax.Array
  jitter: jax.Array


def positive(matrix_kk: jax.Array) -> Factored:
  """Returns `matrix_kk` with the jitter that makes it positive definite.

  Args:
    matrix_kk: float32 `[K, K]`, symmetric, diagonal about 1.
  """
  eye_kk = jnp.eye(matrix_kk.shape[0], dtype=jnp.float32)

  def fails(jitter: float | jax.Array) -> jax.Array:
    factor_kk = jax.lax.linalg.cholesky(
      matrix_kk + jitter * eye_kk, symmetrize_input=False
    )
    return ~jnp.isfinite(factor_kk).all()

  small, medium, large = (jnp.float32(j) for j in JITTERS)
  jitter = jax.lax.cond(
    fails(small),
    lambda: jnp.where(fails(medium), large, medium),
    lambda: small,
  )
  return Factored(matrix_kk, jitter)


def solve_on(
  matrix_kk: jax.Array, free_k: jax.Array, right_k: jax.Array
) -> jax.Array:
  """Returns x with (M x)_F = right_F and x = 0 off F.

  Args:
    matrix_kk: float32 `[K, K]`, positive definite.
    free_k: bool `[K]`, the set F.
    right_k: float32 `[K]`.
  """
  return _substitute(_factor(matrix_kk, free_k), free_k, right_k)


def _factor(matrix_kk: jax.Array, free_k: jax.Array) -> jax.Array:
  both_kk = free_k[:, None] & free_k[None, :]
  eye_kk = jnp.eye(free_k.shape[0], dtype=matrix_kk.dtype)
  return jax.lax.linalg.cholesky(
    jnp.where(both_kk, matrix_kk, eye_kk), symmetrize_input=False
  )


def _substitute(
  factor_kk: jax.Array, free_k: jax.Array, right_k: jax.Array
) -> jax.Array:
  return jax.scipy.linalg.cho_solve(
    (factor_kk, True), jnp.where(free_k, right_k, 0.0)
  )


def solve_nnqp(
  factored: Factored, linear_k: jax.Array, free_k: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
  """Returns (argmin over z >= 0 of z.M z / 2 - linear.z, its free set).

  Block principal pivoting: all coordinates whose sign is wrong change sides at
  once, and where that stops helping, only the last of them does, which can't
  cycle for a positive definite matrix (Judice and Pires, 1994; Kim and Park,
  2011, https://doi.org/10.1137/110821172). The active set is found exactly, up
  to signs within `TOLERANCE`; then a step of refinement takes most of the
  jitter's bias out, where signs and slopes bear it. The bound on the pivots is
  there for matrices with NaN.

  Args:
    factored: as `positive` returns it.
    linear_k: float32 `[K]`.
    free_k: bool `[K]`, where to begin; None begins with all coordinates free.

  Returns:
    z_k: float32 `[K]`, >= 0.
    free_k: bool `[K]`, the coordinates that may be above 0.
  """
  size = linear_k.shape[0]
  eye_kk = jnp.eye(size, dtype=jnp.float32)
  matrix_kk = factored.matrix_kk + factored.jitter * eye_kk
  index_k = jnp.arange(size)
  if free_k is None:
    free_k = jnp.ones((size,), bool)
  allowed = TOLERANCE * jnp.maximum(jnp.abs(linear_k).max(), 1e-30)

  def wrong_signs(free_k: jax.Array) -> jax.Array:
    z_k = solve_on(matrix_kk, free_k, linear_k)
    slope_k = product(matrix_kk, z_k) - linear_k
    small = TOLERANCE * jnp.abs(z_k).max()
    return jnp.where(free_k, z_k < -small, slope_k < -allowed)

  def body(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    free_k, wrong_k, best, patience, step = carry
    count = wrong_k.sum()
    better = count < best
    patience = jnp.where(better, PATIENCE, patience - 1)
    last = jnp.where(wrong_k, index_k, -1).max()
    one_k = index_k == last
    free_k ^= jnp.where(patience >= 0, wrong_k, one_k)
    best = jnp.where(better, count, best)
    return free_k, wrong_signs(free_k), best, patience, step + 1

  def unfinished(carry: tuple[jax.Array, ...]) -> jax.Array:
    return carry[1].any() & (carry[4] < 20 * size + 20)

  carry = (
    free_k,
    wrong_signs(free_k),
    jnp.int32(size + 1),
    jnp.int32(PATIENCE),
    jnp.int32(0),
  )
  free_k = jax.lax.while_loop(unfinished, body, carry)[0]
  return _refined(factored, matrix_kk, linear_k, free_k), free_k


def _refined(
  factored: Factored,
  matrix_kk: jax.Array,
  linear_k: jax.Array,
  free_k: jax.Array,
) -> jax.Array:
  """Returns the z >= 0 of a free set, most of the jitter's bias taken out.

  The refined z is kept only where it is nearer to an optimum than the plain
  one: on dependent gradients its step is mostly rounding, and may leave signs
  and slopes wrong.

  Args:
    factored: as `positive` returns it.
    matrix_kk: the same with its jitter.
    linear_k: float32 `[K]`.
    free_k: bool `[K]`.
  """
  factor_kk = _factor(matrix_kk, free_k)

  def slope(z_k: jax.Array) -> jax.Array:
    return product(factored.matrix_kk, z_k) - linear_k

  def wrong(z_k: jax.Array) -> jax.Array:
    # At an optimum z = 0 or the slope is, and neither is negative.
    return jnp.abs(jnp.minimum(z_k, slope(z_k))).max()

  plain_k = _substitute(factor_kk, free_k, linear_k)
  refined_k = plain_k - _substitute(factor_kk, free_k, slope(plain_k))
  plain_k, refined_k = jnp.maximum(plain_k, 0.0), jnp.maximum(refined_k, 0.0)
  return jnp.where(wrong(refined_k) < wrong(plain_k), refined_k, plain_k)
