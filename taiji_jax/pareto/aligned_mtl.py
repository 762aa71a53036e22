"""Aligned-MTL's weights: gradients made orthogonal and of one length."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import from_gramian, line_of_zero
from taiji_jax.pareto.preference import Preference
from taiji_jax.pareto.product import product
from taiji_jax.pareto.weighting import Weighting


def aligned_mtl(preference: Preference | None = None) -> Weighting:
  """Returns the rule w = sqrt(l_min) G^(-1/2) p.

  Senushkin et al., arXiv:2305.19000, algorithm 1: the nearest system of
  orthogonal gradients of the least singular value's length, averaged by p. The
  inverse root is taken where the Gramian has rank.

  Guarantees: the same weights when all gradients are scaled together. Weights
  may be negative, and the sum may conflict with a gradient; neither linear in
  the scale of one gradient nor free of it.

  `Choice:` an eigenvalue counts as 0 below 4 K 1.2e-7 of the largest (float32),
  and l_min is the least of the others: across that line the rule jumps, as the
  paper's does. All gradients zero: p. Objectives that are not finite get weight
  0, the others are weighed as if alone.

  Args:
    preference: p, K numbers >= 0, normalised to sum 1; None is uniform.
      `Observation.preference_k` goes before it.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`.

  Raises:
    ValueError: a preference is negative, not finite or all zero.
  """
  return from_gramian('aligned_mtl', _solve, preference)


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  del finite_k
  largest = jnp.diagonal(gramian_kk).max()
  scaled_kk = gramian_kk / jnp.where(largest > 0, largest, 1.0)
  value_k, vector_kk = jnp.linalg.eigh(scaled_kk, symmetrize_input=False)
  inside_k = value_k > value_k[-1] * line_of_zero(value_k.shape[0])
  least = jnp.where(inside_k, value_k, jnp.inf).min()
  root_k = jnp.where(inside_k, jnp.sqrt(least / value_k), 0.0)
  weights_k = product(vector_kk, root_k * product(preference_k, vector_kk))
  return jnp.where(largest > 0, weights_k, preference_k)
