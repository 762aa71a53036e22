"""DualProj's weights: the average gradient, made free of conflict."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.dual_cone import project
from taiji_jax.pareto.gram import from_gramian, reciprocal, unit_gradients
from taiji_jax.pareto.nnqp import positive
from taiji_jax.pareto.preference import Preference
from taiji_jax.pareto.turns import in_turns
from taiji_jax.pareto.weighting import Weighting


def dualproj(preference: Preference | None = None) -> Weighting:
  """Returns the rule P(sum_k p_k g_k), P the projection on the dual cone.

  The program of gradient episodic memory (Lopez-Paz and Ranzato,
  arXiv:1706.08840, eq. 11) with the average as the direction to correct; named
  so in arXiv:2406.16232.

  Guarantees: weights >= p_k; not conflicting; the same weights when all
  gradients are scaled together; not linear in the scale of one; without a
  conflict between the average and a gradient the weights are p.

  `Choice:` as `upgrad`: solved on unit gradients with 1e-5 on the diagonal,
  nearly taken out by refinement where that is no worse; zero gradients keep
  p_k; objectives that are not finite get weight 0.

  Args:
    preference: p, K numbers >= 0, normalised to sum 1; None is uniform.
      `Observation.preference_k` goes before it.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`, >= p.

  Raises:
    ValueError: a preference is negative, not finite or all zero.
  """
  return from_gramian('dualproj', in_turns(_solve), preference)


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  del finite_k
  cosine_kk, norm_k = unit_gradients(gramian_kk)
  longest = norm_k.max()
  norm_k = norm_k / jnp.where(longest > 0, longest, 1.0)
  unit_k = project(positive(cosine_kk), preference_k * norm_k)
  weights_k = unit_k * reciprocal(norm_k)
  return jnp.where(norm_k > 0, weights_k, preference_k)
