"""Entropic mirror descent on the min-norm program; one step an update."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import repaired
from taiji_jax.pareto.product import product
from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  check_size,
)


class MirrorState(NamedTuple):
  """The logarithm of the weights, float32 `[K]`, normalised."""

  log_weight_k: jax.Array


def mirror_min_norm(eta: float = 0.5) -> Weighting:
  """Returns a rule of ours: w_k proportional to w_k exp(-eta (G w)_k / max G).

  Not a paper's. It has POPO's shape, a multiplicative step in the simplex's own
  geometry, but descends |sum_k w_k g_k|^2 / 2: (G w)_k is its slope in w_k. On
  a Gramian that stays, the weights go to `min_norm`'s; on a noisy one they
  average over steps, where `min_norm` answers each batch anew.

  Guarantees: on the simplex; for eta <= 1 no step raises |sum_k w_k g_k| (the
  entropy's relative smoothness: max G bounds the Hessian in the l1 norm); the
  same weights when all gradients are scaled together.

  `Choice:` objectives that are not finite get weight 0 and their state does not
  step, the others are weighed as if alone; all gradients zero: the weights
  stay.

  Args:
    eta: step size, > 0; above 1 without the guarantee.

  Returns:
    A `Weighting`; reads `gramian_kk`; weights float32 `[K]` on the simplex.

  Raises:
    ValueError: eta is not positive.
  """
  if not eta > 0:
    raise ValueError(f'mirror_min_norm: eta={eta} must be positive.')

  def init(num_objectives: int) -> MirrorState:
    check_count('mirror_min_norm', num_objectives)
    uniform = -jnp.log(jnp.float32(num_objectives))
    return MirrorState(jnp.full((num_objectives,), uniform, jnp.float32))

  def update(
    observation: Observation, state: MirrorState
  ) -> tuple[jax.Array, MirrorState]:
    gramian_kk, finite_k = repaired(observation.gramian_kk, 'mirror_min_norm')
    check_size('mirror_min_norm', len(finite_k), len(state.log_weight_k))
    weights_k = jax.nn.softmax(state.log_weight_k, where=finite_k)
    largest = jnp.diagonal(gramian_kk).max()
    slope_k = product(gramian_kk, weights_k)
    slope_k /= jnp.where(largest > 0, largest, 1.0)
    log_weight_k = jax.nn.log_softmax(state.log_weight_k - eta * slope_k)
    weights_k = jax.nn.softmax(log_weight_k, where=finite_k)
    fallback_k = jnp.exp(log_weight_k)
    weights_k = jnp.where(finite_k.any(), weights_k, fallback_k)
    return weights_k, MirrorState(log_weight_k)

  return Weighting(init, update)
