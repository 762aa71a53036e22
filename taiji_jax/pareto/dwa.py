"""DWA's weights: the losses that fall slowest count most."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  check_size,
  require,
)


class DwaState(NamedTuple):
  """What is known of the losses.

  Attributes:
    mean_wk: float32 `[2, K]`, of the last two windows, newer first; NaN before.
    sum_wk: float32 `[2, K]`, of this window: the finite losses and their count.
    step: int32, updates in this window.
  """

  mean_wk: jax.Array
  sum_wk: jax.Array
  step: jax.Array


def dwa(temperature: float = 2.0, window: int = 1) -> Weighting:
  """Returns dynamic weight average: softmax(L_k(t-1) / L_k(t-2) / T).

  Liu et al., arXiv:1803.10704, eq. 7. L_k(t) is the mean loss of window t; the
  weights of a window read the two before it, so the first two are uniform.

  Guarantees: on the simplex; the same weights when any loss is scaled. It says
  nothing of conflicts: it sees no gradient.

  `Choice:` divided by K, on the simplex as the other rules; a window is
  `window` updates (the paper's is an epoch); a loss that is not finite is left
  out of its window's mean, and its objective gets weight 0 at that update; a
  ratio that is not finite, or negative where the losses change sign, counts as
  1. The rule is made for positive losses.

  Args:
    temperature: T, > 0; 2 is the paper's. Higher is nearer to uniform.
    window: updates whose losses are averaged, >= 1.

  Returns:
    A `Weighting`; reads `loss_k`; weights float32 `[K]` on the simplex.

  Raises:
    ValueError: an argument is out of range.
  """
  if not temperature > 0:
    raise ValueError(f'dwa: temperature={temperature} must be positive.')
  if window < 1:
    raise ValueError(f'dwa: window={window} must be at least 1.')

  def init(num_objectives: int) -> DwaState:
    check_count('dwa', num_objectives)
    shape = (2, num_objectives)
    return DwaState(
      mean_wk=jnp.full(shape, jnp.nan, jnp.float32),
      sum_wk=jnp.zeros(shape, jnp.float32),
      step=jnp.int32(0),
    )

  def update(
    observation: Observation, state: DwaState
  ) -> tuple[jax.Array, DwaState]:
    loss_k = require(observation.loss_k, 'dwa', 'loss_k', 1)
    check_size('dwa', len(loss_k), state.mean_wk.shape[1])
    ratio_k = state.mean_wk[0] / state.mean_wk[1]
    ratio_k = jnp.where(jnp.isfinite(ratio_k) & (ratio_k > 0), ratio_k, 1.0)
    finite_k = jnp.isfinite(loss_k)
    weights_k = jax.nn.softmax(
      ratio_k / temperature, where=finite_k | ~finite_k.any()
    )
    return weights_k, _roll(state, loss_k, window)

  return Weighting(init, update, reads='losses')


def _roll(state: DwaState, loss_k: jax.Array, window: int) -> DwaState:
  """Returns the state with one more update's losses."""
  if window == 1:
    mean_k = jnp.where(jnp.isfinite(loss_k), loss_k, jnp.nan)
    mean_wk = jnp.stack([mean_k, state.mean_wk[0]])
    return state._replace(mean_wk=mean_wk)
  finite_k = jnp.isfinite(loss_k)
  sum_wk = state.sum_wk + jnp.stack(
    [jnp.where(finite_k, loss_k, 0.0), finite_k.astype(jnp.float32)]
  )
  full = state.step + 1 >= window
  # Without one finite loss the mean is 0 / 0: unknown.
  mean_wk = jnp.stack([sum_wk[0] / sum_wk[1], state.mean_wk[0]])
  return DwaState(
    mean_wk=jnp.where(full, mean_wk, state.mean_wk),
    sum_wk=jnp.where(full, 0.0, sum_wk),
    step=jnp.where(full, 0, state.step + 1).astype(jnp.int32),
  )
