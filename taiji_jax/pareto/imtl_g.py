"""IMTL-G's weights: a sum that projects alike on every gradient."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import (
  from_gramian,
  line_of_zero,
  reciprocal,
  unit_gradients,
)
from taiji_jax.pareto.product import product
from taiji_jax.pareto.weighting import Weighting


def imtl_g() -> Weighting:
  """Returns the rule whose sum has one projection on all unit gradients.

  Liu et al., Towards Impartial Multi-task Learning, ICLR 2021,
  https://openreview.net/forum?id=IMPnRXEWpvr, eq. 6: <d, g_k / |g_k|> alike for
  all k, sum_k w_k = 1. In cosines C: w_k goes with (C^+ 1)_k / |g_k|.

  Guarantees: weights sum to 1; the direction does not depend on the scale of
  any gradient, up to its sign. Weights may be negative, the direction may even
  turn against all gradients.

  `Choice:` dependent gradients by the pseudo-inverse of the cosines (of
  arXiv:2406.16232's generalisation, in unit gradients), eigenvalues below
  4 K 1.2e-7 of the largest being 0; where the weights' sum is below 1e-5 of
  the sum of their sizes no such d exists and all weights are 0; a zero gradient
  gets weight 0, one that is not finite too; all zero: uniform.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]`.
  """
  return from_gramian('imtl_g', _solve)


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  del finite_k
  cosine_kk, norm_k = unit_gradients(gramian_kk)
  value_k, vector_kk = jnp.linalg.eigh(cosine_kk, symmetrize_input=False)
  inside_k = value_k > value_k[-1] * line_of_zero(value_k.shape[0])
  real_k = (norm_k > 0).astype(jnp.float32)
  part_k = jnp.where(inside_k, product(real_k, vector_kk) / value_k, 0.0)
  weights_k = product(vector_kk, part_k) * reciprocal(norm_k)
  total, sizes = weights_k.sum(), jnp.abs(weights_k).sum()
  exists = jnp.abs(total) > 1e-5 * sizes
  weights_k = jnp.where(exists, weights_k / jnp.where(exists, total, 1.0), 0.0)
  return jnp.where(sizes > 0, weights_k, preference_k)
