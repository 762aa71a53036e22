"""One supervised step on packed prompts and completions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from taiji_jax import masked, train_state
from taiji_jax.train_state import TrainState


def sft_step(
  logp: Callable[[Any, dict], jax.Array],
  tx: optax.GradientTransformation,
  prompt_weight: float = 0.0,
) -> Callable[..., tuple[TrainState, dict]]:
  """Returns `step(state, batch, frozen=None) -> (state, metrics)`, pure.

  `frozen` are variables that are not trained (`train_state.joined`).

  The loss is the weighted mean of -log p over the tokens of the whole batch:
  weight 1 for completion tokens, `prompt_weight` for those of the prompt.

  `Choice:` 0 is the usual fine-tuning of a pretrained model. A model made from
  nothing learns to look at its prompt only if it also learns to write it.

  Args:
    logp: (params, batch) -> log-probability of each token `[b, t]`.
    tx: the optimiser.
    prompt_weight: at least 0.
  """

  def loss_of(params: Any, batch: dict, frozen: Any) -> tuple[jax.Array, dict]:
    loss_bt = -logp(train_state.joined(params, frozen), batch)
    label_bt = batch['loss_mask_bt']
    # A text's first token has nothing before it to be told from.
    prompt_bt = (batch['segment_bt'] > 0) & (batch['position_bt'] > 0)
    prompt_bt &= ~label_bt
    total, count = masked.total(loss_bt, label_bt)
    prompt_total, prompt_count = masked.total(loss_bt, prompt_bt)
    weight = jnp.maximum(count + prompt_weight * prompt_count, 1.0)
    values = {
      'completion_loss': total / jnp.maximum(count, 1.0),
      'prompt_loss': prompt_total / jnp.maximum(prompt_count, 1.0),
      'label_tokens': count,
    }
    return (total + prompt_weight * prompt_total) / weight, values

  def step(
    state: TrainState, batch: dict, frozen: Any = None
  ) -> tuple[TrainState, dict]:
    (loss, values), gradient = jax.value_and_grad(loss_of, has_aux=True)(
      state.params, batch, frozen
    )
    norm = optax.tree.norm(gradient)
    finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    metrics = {'loss': loss, 'gradient_norm': norm, **values}
    return train_state.advance(state, tx, gradient, finite), metrics

  return step
