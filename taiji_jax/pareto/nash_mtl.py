"""Nash-MTL's weights: the bargain of the objectives over one step."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import from_gramian, reciprocal, unit_gradients
from taiji_jax.pareto.product import product
from taiji_jax.pareto.turns import in_turns
from taiji_jax.pareto.weighting import Weighting

# Newton's decrement at the end, squared; the program's value is then within
# half of it of the least.
TOLERANCE = 1e-9
MAX_STEPS = 50
JITTER = 1e-6


def nash_mtl() -> Weighting:
  """Returns the rule with G w = 1 / w, w > 0: the Nash bargaining solution.

  Navon et al., arXiv:2202.01017, eq. 3: the step of given length that maximises
  the sum of log <g_k, d>. The sum's square length is K whatever the gradients.

  Guarantees: weights > 0; not conflicting where there is a bargain; the
  direction does not depend on the scale of any gradient (w_k goes with
  1 / |g_k|).

  `Choice:` solved on unit gradients by damped Newton on the strictly convex
  w.C w / 2 - sum_k log w_k, to a squared decrement of 1e-9, with 1e-6 on the
  diagonal: where the gradients oppose each other, and no bargain exists, it
  keeps the weights finite and the sum near 0 (below 1e-3 of what the weights
  spend), its direction rounding. The implementations' clip of the
  norm is left to the optimiser. A zero gradient has nothing to bargain for and
  gets weight 0, one that is not finite too; all zero: uniform.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`, >= 0.
  """
  return from_gramian('nash_mtl', in_turns(_solve))


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  del finite_k
  cosine_kk, norm_k = unit_gradients(gramian_kk)
  weights_k = _bargain(cosine_kk) * reciprocal(norm_k)
  return jnp.where(norm_k.max() > 0, weights_k, preference_k)


def _bargain(cosine_kk: jax.Array) -> jax.Array:
  """Returns b > 0 with C b = 1 / b, float32 `[K]`."""
  size = cosine_kk.shape[0]
  eye_kk = jnp.eye(size, dtype=jnp.float32)
  matrix_kk = cosine_kk + JITTER * eye_kk

  def newton(b_k: jax.Array) -> tuple[jax.Array, jax.Array]:
    slope_k = product(matrix_kk, b_k) - 1.0 / b_k
    # In units of b the Hessian is b C b + 1, never worse than 1.
    scaled_kk = matrix_kk * b_k[:, None] * b_k[None, :] + eye_kk
    factor_kk = jax.lax.linalg.cholesky(scaled_kk, symmetrize_input=False)
    right_k = slope_k * b_k
    step_k = jax.scipy.linalg.cho_solve((factor_kk, True), right_k)
    return step_k, product(right_k, step_k)

  def body(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    b_k, _, step = carry
    step_k, square = newton(b_k)
    decrement = jnp.sqrt(jnp.maximum(square, 0.0))
    # The full step once it is safe for a self-concordant function.
    rate = jnp.where(decrement < 0.25, 1.0, 1.0 / (1.0 + decrement))
    return b_k * (1.0 - rate * step_k), square, step + 1

  def unfinished(carry: tuple[jax.Array, ...]) -> jax.Array:
    return (carry[1] > TOLERANCE) & (carry[2] < MAX_STEPS)

  start = jax.lax.rsqrt(jnp.maximum(matrix_kk.sum() / size, JITTER))
  start_k = jnp.full((size,), start, jnp.float32)
  carry = (start_k, jnp.float32(jnp.inf), jnp.int32(0))
  return jax.lax.while_loop(unfinished, body, carry)[0]
