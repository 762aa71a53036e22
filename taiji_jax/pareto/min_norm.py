"""The min-norm point: MGDA's weights."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import from_gramian
from taiji_jax.pareto.nnqp import positive, solve_nnqp
from taiji_jax.pareto.turns import in_turns
from taiji_jax.pareto.weighting import Weighting


def min_norm() -> Weighting:
  """Returns MGDA's rule: argmin over the simplex of |sum_k w_k g_k|^2.

  Desideri, 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and Koltun,
  arXiv:1810.04650, eq. 3. Minus the sum descends on every objective, or is 0,
  and then the point is Pareto stationary: no direction descends on all.

  Guarantees: on the simplex; not conflicting; the same weights when all
  gradients are scaled together, other ones when one is (short gradients gain
  weight); a zero gradient takes all the weight, since the point is then
  stationary. With two objectives it is the closed form; beyond, an exact active
  set, whose |sum|^2 is within 1e-5 of the best, as a part of the largest
  |g_k|^2.

  `Choice:` where several weights give the shortest sum (copies, more objectives
  than directions), nearly the least square of them, so that copies share
  alike; all gradients zero: uniform. Objectives that are not finite get weight
  0, the others are weighed as if alone; a Gramian that is not symmetric is
  symmetrised.

  Returns:
    A stateless `Weighting`; reads `gramian_kk`; weights float32 `[K]` on the
    simplex.
  """
  return from_gramian('min_norm', in_turns(_solve))


def _solve(
  gramian_kk: jax.Array, preference_k: jax.Array, finite_k: jax.Array
) -> jax.Array:
  largest = jnp.diagonal(gramian_kk).max()
  weights_k = (
    _pair(gramian_kk, finite_k)
    if gramian_kk.shape[0] == 2
    else _many(gramian_kk, finite_k)
  )
  return jnp.where(largest > 0, weights_k, preference_k)


def _pair(gramian_kk: jax.Array, finite_k: jax.Array) -> jax.Array:
  """Returns the closed form for two objectives, float32 `[2]`."""
  square_k = jnp.diagonal(gramian_kk)
  product = gramian_kk[0, 1]
  distance = square_k.sum() - 2.0 * product
  flat = distance <= 1e-7 * square_k.sum()
  first = (square_k[1] - product) / jnp.where(flat, 1.0, distance)
  first = jnp.where(flat, 0.5, jnp.clip(first, 0.0, 1.0))
  first = jnp.where(finite_k.all(), first, finite_k[0].astype(jnp.float32))
  return jnp.stack([first, 1.0 - first])


def _many(gramian_kk: jax.Array, finite_k: jax.Array) -> jax.Array:
  """Returns the weights of an active set, float32 `[K]`.

  On the simplex, adding `shift` to every entry of the Gramian adds a constant;
  it keeps v = w / |sum|^2 finite where the shortest sum is 0. Then w is v over
  its sum, v = argmin over v >= 0 of v.G v / 2 - sum(v), and that is solved with
  the diagonal scaled to 1.
  """
  square_k = jnp.diagonal(gramian_kk)
  square_k = jnp.where(finite_k, square_k, jnp.inf)
  finite_max = jnp.where(finite_k, square_k, 0.0).max()
  shift = jnp.maximum(square_k.min(), 1e-6 * finite_max)
  shift = jnp.where(finite_max > 0, shift, 1.0)
  scale_k = jnp.where(finite_k, jax.lax.rsqrt(square_k / shift + 1.0), 0.0)
  scaled_kk = (gramian_kk / shift + 1.0) * scale_k[:, None] * scale_k[None, :]
  eye_kk = jnp.eye(scale_k.shape[0], dtype=jnp.float32)
  scaled_kk = jnp.where(eye_kk > 0, 1.0, scaled_kk)
  scaled_k, _ = solve_nnqp(positive(scaled_kk), scale_k)
  weights_k = scaled_k * scale_k
  return weights_k / weights_k.sum()
