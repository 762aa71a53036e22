"""PCGrad's weights: each gradient loses what conflicts with the others."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import repaired, settled
from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
)


class PcgradState(NamedTuple):
  """The random key's data, uint32 `[2]` (threefry)."""

  key_data: jax.Array


def pcgrad(seed: int | None = 0) -> Weighting:
  """Returns gradient surgery's rule: sum_k of g_k, its conflicts projected off.

  Yu et al., arXiv:2001.06782, algorithm 1: for each k, take g_k and go through
  the other objectives in random order; where <g_k, g_j> < 0 subtract its
  projection on g_j. The state holds the key, so a run repeats exactly.

  Guarantees: weights >= 1 (the paper sums, it does not average); linear under
  scaling; the same weights when all gradients are scaled together; not
  conflicting with two objectives only. The order matters from three on, so that
  permuting the objectives changes the answer.

  `Choice:` a zero gradient keeps weight 1; objectives that are not finite get
  weight 0, the others are weighed as if alone; the Gramian is symmetrised.

  Args:
    seed: of the key; None goes through 0..K-1 each time instead, without any
      randomness.

  Returns:
    A `Weighting`; reads `gramian_kk`; weights float32 `[K]`, >= 1.
  """
  ordered = seed is None

  def init(num_objectives: int) -> PcgradState:
    check_count('pcgrad', num_objectives)
    key = jax.random.key(0 if ordered else seed, impl='threefry2x32')
    return PcgradState(key_data=jax.random.key_data(key))

  def update(
    observation: Observation, state: PcgradState
  ) -> tuple[jax.Array, PcgradState]:
    gramian_kk, finite_k = repaired(observation.gramian_kk, 'pcgrad')
    size = finite_k.shape[0]
    if ordered or size <= 2:
      order_kk = jnp.broadcast_to(jnp.arange(size), (size, size))
    else:
      key = jax.random.wrap_key_data(state.key_data, impl='threefry2x32')
      key, drawn = jax.random.split(key)
      order_kk = draw_orders(drawn, size)
      state = PcgradState(key_data=jax.random.key_data(key))
    weights_k = without_conflicts(gramian_kk, order_kk).sum(0)
    return settled(weights_k, finite_k.astype(jnp.float32), finite_k), state

  return Weighting(init, update)


def draw_orders(key: jax.Array, num_objectives: int) -> jax.Array:
  """Returns one random order for each objective, int32 `[K, K]`."""
  shape = (num_objectives, num_objectives)
  return jnp.argsort(jax.random.uniform(key, shape), axis=-1)


def without_conflicts(gramian_kk: jax.Array, order_kk: jax.Array) -> jax.Array:
  """Returns the coefficients of each g_k after surgery, float32 `[K, K]`.

  Args:
    gramian_kk: float32 `[K, K]`.
    order_kk: int `[K, K]`, row k the order in which g_k meets the others.
  """
  size = gramian_kk.shape[0]
  row_k = jnp.arange(size)
  square_k = jnp.diagonal(gramian_kk)

  def meet(coefficient_kk: jax.Array, other_k: jax.Array) -> tuple:
    product_k = (gramian_kk[other_k] * coefficient_kk).sum(-1)
    conflict_k = (product_k < 0) & (other_k != row_k) & (square_k[other_k] > 0)
    share_k = product_k / jnp.where(conflict_k, square_k[other_k], 1.0)
    share_k = jnp.where(conflict_k, share_k, 0.0)
    return coefficient_kk.at[row_k, other_k].add(-share_k), None

  start_kk = jnp.eye(size, dtype=jnp.float32)
  return jax.lax.scan(meet, start_kk, order_kk.T)[0]
