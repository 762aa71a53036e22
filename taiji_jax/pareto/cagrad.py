"""CAGrad's weights: near the average, as good as can be for the worst off."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import from_gramian, reciprocal, unit_gradients
from taiji_jax.pareto.nnqp import Factored, positive, solve_nnqp, solve_on
from taiji_jax.pareto.product import product, square
from taiji_jax.pareto.turns import in_turns
from taiji_jax.pareto.weighting import Weighting

# How near |d - g_0| comes to its bound, as a part of it.
TOLERANCE = 1e-5
MAX_STEPS = 60


def cagrad(c: float = 0.5) -> Weighting:
  """Returns the rule argmax over |d - g_0| <= c |g_0| of min_k <g_k, d>.

  Liu et al., arXiv:2110.14048, eq. 2, g_0 the average gradient. d is
  g_0 + sum_k v_k g_k: weights 1/K + v_k.

  Guarantees: weights >= 1/K; the same weights when all gradients are scaled
  together; no gradient does worse than under g_0; not conflicting for c >= 1
  only; at c = 0 the average. Not linear in the scale of one gradient.

  `Choice:` solved as a program in the level min_k <g_k, d>, which rises with
  the bound, by Newton steps kept within a bracket, to a bound met within 1e-5;
  where several d are as good, the one nearest to g_0 (the paper's quotient by
  |g_w| is undefined there). Objectives that are not finite get weight 0, and
  g_0 is the average of the others; all gradients zero: uniform.

  Args:
    c: radius of the ball as a part of |g_0|, >= 0; 0.5 is the paper's.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`, >= 1/K.

  Raises:
    ValueError: c is negative or not finite.
  """
  if not 0 <= c < float('inf'):
    raise ValueError(f'cagrad: c={c} must be a finite number >= 0.')

  def solve(
    gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
  ) -> jax.Array:
    del preference_k
    average_k = finite_k / jnp.maximum(finite_k.sum(), 1).astype(jnp.float32)
    if c == 0:
      return average_k
    cosine_kk, norm_k = unit_gradients(gramian_kk)
    longest = norm_k.max()
    norm_k = norm_k / jnp.where(longest > 0, longest, 1.0)
    pull_k = product(cosine_kk, norm_k * average_k)
    radius = jnp.sqrt(jnp.maximum(product(norm_k * average_k, pull_k), 0.0))
    # A zero gradient keeps the level at or below 0.
    capped = (finite_k & (norm_k == 0)).any()
    added_k = _climb(
      positive(cosine_kk), pull_k, norm_k, radius, c * radius, capped
    )
    return average_k + added_k * reciprocal(norm_k)

  return from_gramian('cagrad', in_turns(solve))


def _climb(
  cosine: Factored,
  pull_k: jax.Array,
  norm_k: jax.Array,
  radius: jax.Array,
  bound: jax.Array,
  capped: jax.Array,
) -> jax.Array:
  """Returns v >= 0 of the unit gradients with |sum_k v_k e_k| = bound.

  For a level a, the shortest v with <g_k, g_0 + sum v e> >= a for all k is a
  program over v >= 0; its length rises with a and, on one free set, its square
  is a parabola in a.
  """
  real_k = norm_k > 0
  per_level_k = reciprocal(norm_k)
  eye_kk = jnp.eye(norm_k.shape[0], dtype=jnp.float32)
  matrix_kk = cosine.matrix_kk + cosine.jitter * eye_kk

  def program(level: jax.Array, free_k: jax.Array) -> tuple[jax.Array, ...]:
    linear_k = jnp.where(real_k, level * per_level_k - pull_k, -1.0)
    return solve_nnqp(cosine, linear_k, free_k)

  def body(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    low, high, level, free_k, _, _, step = carry
    v_k, free_k = program(level, free_k)
    length = jnp.sqrt(jnp.maximum(square(matrix_kk, v_k), 0.0))
    low = jnp.where(length <= bound, level, low)
    high = jnp.where(length <= bound, high, level)
    slope_k = solve_on(matrix_kk, free_k, per_level_k)
    offset_k = solve_on(matrix_kk, free_k, pull_k)
    lead, cross, rest = (
      square(matrix_kk, slope_k),
      product(slope_k, product(matrix_kk, offset_k)),
      square(matrix_kk, offset_k) - bound**2,
    )
    root = cross + jnp.sqrt(jnp.maximum(cross**2 - lead * rest, 0.0))
    aim = root / jnp.where(lead > 0, lead, 1.0)
    inside = (aim > low) & (aim < high) & (lead > 0)
    level = jnp.where(inside, aim, 0.5 * (low + high))
    met = jnp.abs(length - bound) <= TOLERANCE * bound
    met |= high - low <= 1e-7 * jnp.maximum(jnp.abs(low), jnp.abs(high))
    return low, high, level, free_k, v_k, met, step + 1

  def unfinished(carry: tuple[jax.Array, ...]) -> jax.Array:
    return ~carry[5] & (carry[6] < MAX_STEPS)

  low, high = _bracket(pull_k, norm_k, radius + bound, capped)
  none_k = jnp.zeros_like(norm_k)
  carry = (low, high, high, real_k, none_k, bound <= 0, jnp.int32(0))
  _, _, _, _, v_k, _, _ = jax.lax.while_loop(unfinished, body, carry)
  # Where the jitter holds up most of a positive level, there is none to reach.
  reached_k = product(cosine.matrix_kk, v_k) + pull_k
  held_k = cosine.jitter * v_k > 0.5 * jnp.abs(reached_k)
  stationary = (held_k & (v_k > 0) & real_k).any() & (high > 0)
  return jnp.where(stationary, program(jnp.float32(0), real_k)[0], v_k)


def _bracket(
  pull_k: jax.Array, norm_k: jax.Array, reach: jax.Array, capped: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns levels that min_k <g_k, d> lies between, float32 scalars.

  Args:
    pull_k: <e_k, g_0> of the unit gradients.
    norm_k: the gradients' norms.
    reach: the most that |d| can be.
    capped: whether a gradient is zero.
  """
  real_k = norm_k > 0
  product_k = jnp.where(real_k, norm_k * pull_k, jnp.inf)
  low = product_k.min()
  low = jnp.where(capped, jnp.minimum(low, 0.0), low)
  low = jnp.where(jnp.isfinite(low), low, 0.0)
  high = jnp.where(real_k, norm_k, jnp.inf).min() * reach * 1.001
  high = jnp.where(jnp.isfinite(high), high, 0.0)
  high = jnp.where(capped, jnp.minimum(high, 0.0), high)
  return low, high
