"""One supervised step on labelled rows."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from taiji_jax import train_state
from taiji_jax.train_state import TrainState

Loss = Callable[[Any, dict, jax.Array], tuple[jax.Array, jax.Array]]
"""(params, batch, key of its randomness) -> (sum of losses, count)."""


def row_step(
  loss: Loss, tx: optax.GradientTransformation
) -> Callable[[TrainState, dict], tuple[TrainState, dict]]:
  """Returns `step(state, batch) -> (state, metrics)`, pure.

  The randomness of a step (dropout) is a function of the state's seed and the
  number of the step.

  Args:
    loss: of a batch; the mean over all rows is descended.
    tx: the optimiser.
  """

  def mean(params: Any, batch: dict, key: jax.Array) -> jax.Array:
    total, count = loss(params, batch, key)
    return total / jnp.maximum(count, 1.0)

  def step(state: TrainState, batch: dict) -> tuple[TrainState, dict]:
    key = jax.random.fold_in(jax.random.key(state.seed), state.step)
    value, gradient = jax.value_and_grad(mean)(state.params, batch, key)
    norm = optax.tree.norm(gradient)
    finite = jnp.isfinite(value) & jnp.isfinite(norm)
    metrics = {'loss': value, 'gradient_norm': norm}
    return train_state.advance(state, tx, gradient, finite), metrics

  return step
