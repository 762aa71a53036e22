"""One supervised step on packed prompts and completions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from taiji_jax import masked, train_state
from taiji_jax.train_state import TrainState


def sft_step(
  logp: Callable[[Any, dict], jax.Array], tx: optax.GradientTransformation
) -> Callable[[TrainState, dict], tuple[TrainState, dict]]:
  """Returns `step(state, batch) -> (state, metrics)`, pure.

  The loss is the mean of -log p over the completion tokens of the whole batch.

  Args:
    logp: (params, batch) -> log-probability of each token `[b, t]`.
    tx: the optimiser.
  """

  def loss_of(params: Any, batch: dict) -> tuple[jax.Array, jax.Array]:
    total, count = masked.total(-logp(params, batch), batch['loss_mask_bt'])
    return total / jnp.maximum(count, 1.0), count

  def step(state: TrainState, batch: dict) -> tuple[TrainState, dict]:
    (loss, count), gradient = jax.value_and_grad(loss_of, has_aux=True)(
      state.params, batch
    )
    norm = optax.tree.norm(gradient)
    finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    metrics = {'loss': loss, 'gradient_norm': norm, 'label_tokens': count}
    return train_state.advance(state, tx, gradient, finite), metrics

  return step
