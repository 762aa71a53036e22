"""The Gramian of K gradients: repaired, in unit gradients; rules that read it.

All arithmetic is float32, whatever the dtype that comes in.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from taiji_jax.pareto.preference import Preference, checked, preferred
from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  require,
)

# (gramian_kk, preference_k, finite_k) -> weights_k
Solve = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]

# A gradient shorter than this part of the longest counts as zero.
ZERO_NORM = 1e-6


def finite_objectives(gramian_kk: jax.Array) -> jax.Array:
  """Returns bool `[K]`: False for the objectives that are not finite.

  An objective is not finite where its own square is not, or where a product
  with an objective whose square is finite is not. Log it beside the weights: a
  rule that reads the Gramian leaves such an objective out.

  Args:
    gramian_kk: float `[K, K]`.
  """
  gramian_kk = jnp.asarray(gramian_kk)
  own_k = jnp.isfinite(jnp.diagonal(gramian_kk))
  return own_k & (jnp.isfinite(gramian_kk) | ~own_k).all(-1)


def repaired(
  gramian_kk: ArrayLike | None, rule: str
) -> tuple[jax.Array, jax.Array]:
  """Returns (float32 `[K, K]` symmetric and finite, bool `[K]` finite).

  `Choice:` a matrix that is not symmetric is replaced by the mean of itself and
  its transpose, a negative square by 0; rows and columns of objectives that are
  not finite become 0.

  Args:
    gramian_kk: float `[K, K]`, as the observation holds it.
    rule: who asks; named in the error.

  Raises:
    ValueError: there is no Gramian, it is not a square matrix, or K = 0.
  """
  gramian_kk = require(gramian_kk, rule, 'gramian_kk')
  shape = gramian_kk.shape
  if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
    raise ValueError(
      f'{rule}: a Gramian of shape {shape}; it must be [K, K] with K >= 1.'
    )
  gramian_kk = 0.5 * gramian_kk + 0.5 * gramian_kk.T
  finite_k = finite_objectives(gramian_kk)
  both_kk = finite_k[:, None] & finite_k[None, :]
  both_kk &= (gramian_kk >= 0) | ~jnp.eye(shape[0], dtype=bool)
  return jnp.where(both_kk, gramian_kk, 0.0), finite_k


def unit_gradients(gramian_kk: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns (cosine_kk, norm_k) of a repaired Gramian.

  What is solved in cosines does not depend on the scale of any one gradient,
  and is as well conditioned as the directions allow. A gradient that counts as
  zero has norm 0 and is orthogonal to all others.

  Args:
    gramian_kk: float32 `[K, K]`, as `repaired` returns it.

  Returns:
    cosine_kk: float32 `[K, K]` in [-1, 1], diagonal 1.
    norm_k: float32 `[K]`, >= 0.
  """
  norm_k = jnp.sqrt(jnp.diagonal(gramian_kk))
  norm_k = jnp.where(norm_k > ZERO_NORM * norm_k.max(), norm_k, 0.0)
  inverse_k = reciprocal(norm_k)
  cosine_kk = gramian_kk * inverse_k[:, None] * inverse_k[None, :]
  eye_kk = jnp.eye(norm_k.shape[0], dtype=jnp.float32)
  return jnp.where(eye_kk > 0, 1.0, jnp.clip(cosine_kk, -1.0, 1.0)), norm_k


def reciprocal(value_k: jax.Array) -> jax.Array:
  """Returns 1 / value_k, and 0 where it is 0."""
  return jnp.where(value_k > 0, 1.0 / jnp.where(value_k > 0, value_k, 1.0), 0.0)


def line_of_zero(size: int) -> float:
  """Returns the part of the largest eigenvalue below which one counts as 0."""
  return 4 * size * float(jnp.finfo(jnp.float32).eps)


def settled(
  weights_k: jax.Array, fallback_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  """Returns `weights_k`, 0 where an objective is not finite.

  `fallback_k` (finite, usually the preference) stands in where the weights
  themselves are not finite or no objective is.
  """
  good = (jnp.isfinite(weights_k) & (finite_k.any())).all()
  weights_k = jnp.where(good, weights_k, fallback_k)
  return jnp.where(finite_k, weights_k, 0.0)


def from_gramian(
  rule: str, solve: Solve, preference: Preference | None = None
) -> Weighting:
  """Returns the stateless `Weighting` of a function of the Gramian.

  Args:
    rule: its name, for errors.
    solve: (gramian_kk, preference_k, finite_k) -> weights_k; the Gramian comes
      repaired.
    preference: the rule's own preference vector.

  Raises:
    ValueError: as `checked`.
  """
  given_k = checked(preference, rule)

  def init(num_objectives: int) -> tuple[()]:
    check_count(rule, num_objectives)
    return ()

  def update(
    observation: Observation, state: tuple[()]
  ) -> tuple[jax.Array, tuple[()]]:
    gramian_kk, finite_k = repaired(observation.gramian_kk, rule)
    preference_k = preferred(given_k, observation.preference_k, finite_k, rule)
    weights_k = solve(gramian_kk, preference_k, finite_k)
    return settled(weights_k, preference_k, finite_k), state

  return Weighting(init, update)
