"""Weights that never change."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.pareto.weighting import Observation, Weighting


def fixed(weights: Sequence[float] | None = None) -> Weighting:
  """Returns the rule that always answers `weights` (uniform where None).

  Args:
    weights: K numbers >= 0 with a positive sum; normalised to sum 1.

  Returns:
    A stateless `Weighting`; weights float32 `[K]` on the simplex.

  Raises:
    ValueError: a weight is negative or not finite, all are zero, or there are
      not K of them.
  """
  if weights is not None:
    weights = np.asarray(weights, np.float32)
    if (
      weights.ndim != 1
      or not np.isfinite(weights).all()
      or (weights < 0).any()
      or not weights.sum() > 0
    ):
      raise ValueError(
        f'fixed: weights {weights} must be numbers >= 0, not all zero.'
      )
    weights = weights / weights.sum()

  def init(num_objectives: int) -> jax.Array:
    if weights is None:
      return jnp.full((num_objectives,), 1.0 / num_objectives, jnp.float32)
    if len(weights) != num_objectives:
      raise ValueError(
        f'fixed: {len(weights)} weights for {num_objectives} objectives.'
      )
    return jnp.asarray(weights)

  def update(
    observation: Observation, state: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    del observation
    return state, state

  return Weighting(init, update)
