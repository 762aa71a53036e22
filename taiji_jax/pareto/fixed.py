"""Weights that never change."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.preference import Preference, checked, preferred
from taiji_jax.pareto.weighting import Observation, Weighting, check_count


def fixed(weights: Preference | None = None) -> Weighting:
  """Returns the rule that always answers `weights` (uniform where None).

  Linear scalarisation: the weights are the preference, and
  `Observation.preference_k`, where it is given, goes before them.

  Guarantees: on the simplex; linear under scaling; the same weights whatever
  the gradients are, finite or not: it looks at none. Reaches only the convex
  part of a front.

  Args:
    weights: K numbers >= 0 with a positive sum; normalised to sum 1.

  Returns:
    A `Weighting` whose state is its weights; float32 `[K]` on the simplex.

  Raises:
    ValueError: a weight is negative or not finite, all are zero, or there are
      not K of them.
  """
  given_k = checked(weights, 'fixed')

  def init(num_objectives: int) -> jax.Array:
    check_count('fixed', num_objectives)
    if given_k is None:
      return jnp.full((num_objectives,), 1.0 / num_objectives, jnp.float32)
    if len(given_k) != num_objectives:
      raise ValueError(
        f'fixed: {len(given_k)} weights for {num_objectives} objectives; give'
        ' one number an objective.'
      )
    return jnp.asarray(given_k)

  def update(
    observation: Observation, state: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    if observation.preference_k is None:
      return state, state
    all_k = jnp.ones(state.shape, bool)
    return preferred(None, observation.preference_k, all_k, 'fixed'), state

  return Weighting(init, update, reads='nothing')
