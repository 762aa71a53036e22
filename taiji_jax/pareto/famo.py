"""FAMO's weights: all losses fall at one rate, without their gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from taiji_jax.pareto.product import product
from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  check_size,
  require,
)

# Added to a loss before the logarithm.
EPSILON = 1e-8


class FamoState(NamedTuple):
  """Logits, float32 `[K]`; Adam's state; the losses before, NaN at first."""

  logit_k: jax.Array
  adam: Any
  loss_k: jax.Array

  def forget(self) -> 'FamoState':
    """Returns the state without the losses before: the next update only weighs.

    For losses that those before can't be compared with, as another batch's.
    """
    return self._replace(loss_k=jnp.full_like(self.loss_k, jnp.nan))


def famo(
  learning_rate: float = 0.025,
  weight_decay: float = 1e-3,
  lower_bound: float = 0.0,
) -> Weighting:
  """Returns FAMO's rule: weights z_k / L_k, normalised, z = softmax(logits).

  Liu et al., arXiv:2306.03792, algorithm 1: with d_k = log(L_k(t) / L_k(t+1))
  the logits take an Adam step down z.d, so that the loss that fell least gains.

  Guarantees: on the simplex; the weighted gradient does not depend on the scale
  of any loss. It sees no gradient.

  `Choice:` L(t+1) is the next update's loss, on the next batch (the paper
  allows it). To have algorithm 1 exactly, on each batch: update from
  `state.forget()` and descend by those weights; update once more with the same
  batch's losses after the step, for the state alone.
  L_k is the loss over `lower_bound`, at least 1e-8. An objective whose loss is
  not finite gets weight 0, its logit and the loss it remembers stay.

  Args:
    learning_rate: Adam's, >= 0; 0.025 is the paper's.
    weight_decay: gamma, on the logits, >= 0.
    lower_bound: what the losses can't fall below.

  Returns:
    A `Weighting`; reads `loss_k`; weights float32 `[K]` on the simplex.

  Raises:
    ValueError: learning_rate or weight_decay is negative.
  """
  if not (learning_rate >= 0 and weight_decay >= 0):
    raise ValueError(
      f'famo: learning_rate={learning_rate} and weight_decay={weight_decay}'
      ' must not be negative.'
    )
  adam = _adam(learning_rate, weight_decay)

  def init(num_objectives: int) -> FamoState:
    check_count('famo', num_objectives)
    logit_k = jnp.zeros((num_objectives,), jnp.float32)
    unknown_k = jnp.full((num_objectives,), jnp.nan, jnp.float32)
    return FamoState(logit_k, adam.init(logit_k), unknown_k)

  def update(
    observation: Observation, state: FamoState
  ) -> tuple[jax.Array, FamoState]:
    loss_k = require(observation.loss_k, 'famo', 'loss_k', 1)
    check_size('famo', len(loss_k), len(state.loss_k))
    finite_k = jnp.isfinite(loss_k)
    over_k = jnp.maximum(loss_k - lower_bound, 0.0) + EPSILON
    known_k = finite_k & jnp.isfinite(state.loss_k)
    logit_k, stepped = _fall(adam, state, over_k, known_k)
    over_k = jnp.where(finite_k, over_k, 1.0)
    weights_k = jax.nn.softmax(
      logit_k - jnp.log(over_k), where=finite_k | ~finite_k.any()
    )
    kept_k = jnp.where(finite_k, over_k, state.loss_k)
    return weights_k, FamoState(logit_k, stepped, kept_k)

  return Weighting(init, update, reads='losses')


def _adam(
  learning_rate: float, weight_decay: float
) -> optax.GradientTransformation:
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.scale_by_adam(),
    optax.scale(-learning_rate),
  )


def _fall(
  adam: optax.GradientTransformation,
  state: FamoState,
  over_k: jax.Array,
  known_k: jax.Array,
) -> tuple[jax.Array, Any]:
  """Returns the logits and Adam's state after one more update's losses.

  Args:
    adam: what steps down z.d.
    state: before.
    over_k: float32, the losses over their lower bound, > 0.
    known_k: bool, whether the loss before and this one are finite.
  """
  fall_k = jnp.log(state.loss_k) - jnp.log(over_k)
  fall_k = jnp.where(known_k, fall_k, 0.0)
  share_k = jax.nn.softmax(state.logit_k)
  slope_k = share_k * (fall_k - product(share_k, fall_k))
  step_k, stepped = adam.update(slope_k, state.adam, state.logit_k)
  first = ~known_k.any()
  logit_k = state.logit_k + jnp.where(known_k, step_k, 0.0)
  stepped = jax.tree.map(
    lambda old, new: jnp.where(first, old, new), state.adam, stepped
  )
  return logit_k, stepped
