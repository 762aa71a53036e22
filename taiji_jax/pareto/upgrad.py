"""UPGrad's weights: every gradient made free of conflict, then averaged."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.dual_cone import project
from taiji_jax.pareto.gram import from_gramian, reciprocal, unit_gradients
from taiji_jax.pareto.nnqp import positive
from taiji_jax.pareto.preference import Preference
from taiji_jax.pareto.product import product
from taiji_jax.pareto.turns import in_turns
from taiji_jax.pareto.weighting import Weighting


def upgrad(preference: Preference | None = None) -> Weighting:
  """Returns the rule sum_k p_k P(g_k), P the projection on the dual cone.

  Quinton and Rey, Jacobian Descent, arXiv:2406.16232, eq. 3 and 5. The dual
  cone holds the directions that have no negative product with any gradient.

  Guarantees: weights >= p_k; not conflicting; linear under scaling (twice the
  gradient, twice its share), so the weights don't change with a common scale;
  without a conflict the weights are p.

  `Choice:` programs are solved on unit gradients with 1e-5 on the diagonal,
  nearly taken out again by refinement where that is no worse; a gradient below
  1e-6 of the longest counts as zero and keeps weight p_k. Objectives that are
  not finite get weight 0, the others are weighed as if alone.

  Args:
    preference: p, K numbers >= 0, normalised to sum 1; None is uniform.
      `Observation.preference_k` goes before it.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`, >= p.

  Raises:
    ValueError: a preference is negative, not finite or all zero.
  """
  return from_gramian('upgrad', in_turns(_solve), preference)


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  del finite_k
  cosine_kk, norm_k = unit_gradients(gramian_kk)
  cosine = positive(cosine_kk)
  eye_kk = jnp.eye(norm_k.shape[0], dtype=jnp.float32)
  unit_kk = jax.vmap(in_turns(project), (None, 0))(cosine, eye_kk)
  share_k = preference_k * norm_k
  weights_k = product(share_k, unit_kk) * reciprocal(norm_k)
  return jnp.where(norm_k > 0, weights_k, preference_k)
