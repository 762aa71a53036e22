"""The enhancer as functions: how stages call the decoder."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from experiments.recipe import Recipe
from taiji_jax import sharding
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.decode.sample import Completions, sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.modules import logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.rl.step import RolloutBatch


class Policy:
  """A decoder of the recipe's size and the functions that training needs."""

  def __init__(self, recipe: Recipe, tokenizer: Tokenizer, mesh: Mesh):
    model = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size)
    if model.attention == 'auto':
      on_tpu = mesh.devices.flat[0].platform == 'tpu'
      model = dataclasses.replace(
        model, attention='kernel' if on_tpu else 'plain'
      )
    self.decoder = Decoder(model)
    self._recipe, self._tokenizer, self._mesh = recipe, tokenizer, mesh
    self._samplers: dict[float, Any] = {}

  def init(self) -> Any:
    """Returns parameters before training."""
    one = np.ones((1, 8), np.int32)
    return self.decoder.init(jax.random.key(self._recipe.seed), one, one, one)

  def packed_logp(self, params: Any, batch: dict) -> jax.Array:
    """Returns log-probabilities `[b, t]` of a packed batch."""
    return logprob.next_token_logp(
      self.decoder,
      params,
      batch['tokens_bt'],
      batch['position_bt'],
      batch['segment_bt'],
    )

  def rollout_vjp(
    self, params: Any, batch: RolloutBatch, coef_kn: jax.Array
  ) -> tuple:
    """Returns `rollout_logp`, its pullback, and that of K objectives."""
    logp_bgc, pullback, objectives = objective_slots.vjp(
      lambda variables, coef: self.rollout_logp(variables, batch, coef),
      params,
      coef_kn,
    )
    return (
      logp_bgc,
      pullback,
      lambda cotangent: sharding.constrain_gradients(
        objectives(cotangent), self._mesh
      ),
    )

  def gramian(self, gradients_k: Any) -> jax.Array:
    """Returns the Gramian of K gradients that lie on the mesh."""
    return sharding.gramian(gradients_k, self._mesh)

  def rollout_logp(
    self,
    params: Any,
    batch: RolloutBatch,
    coef_kn: jax.Array | None = None,
  ) -> jax.Array:
    """Returns log-probabilities `[b, g, c]` at the rollouts' temperature."""
    temperature = self._recipe.rl.method.temperature
    if self._recipe.rl.method.share_prompt:
      return logprob.forked_logp(
        self.decoder,
        params,
        batch.prompt_bp,
        batch.prompt_length_b,
        batch.completion_bgc,
        batch.length_bg,
        temperature,
      )
    b, g, c = batch.completion_bgc.shape
    logp_nc = logprob.completion_logp(
      self.decoder,
      params,
      jnp.repeat(batch.prompt_bp, g, 0),
      jnp.repeat(batch.prompt_length_b, g, 0),
      batch.completion_bgc.reshape(b * g, c),
      batch.length_bg.reshape(b * g),
      temperature,
      coef_kn,
    )
    return logp_nc.reshape(b, g, c)

  def sampler(self, temperature: float) -> Any:
    """Returns a jitted (params, prompts, lengths, seeds) -> `Completions`."""
    if temperature in self._samplers:
      return self._samplers[temperature]
    config = SampleConfig(
      max_tokens=self._recipe.length.completion,
      temperature=temperature,
      eos_id=self._tokenizer.eos_id,
      pad_id=self._tokenizer.pad_id,
    )
    self._samplers[temperature] = jax.jit(
      lambda *args: sample(self.decoder, *args, config)
    )
    return self._samplers[temperature]

  def texts(self, completions: Completions) -> list[str]:
    """Returns the texts; one that did not end is cut where it stopped."""
    token_nc = np.asarray(completions.token_nc)
    length_n = np.asarray(completions.length_n)
    return [
      self._tokenizer.decode(tokens[:length].tolist())
      for tokens, length in zip(token_nc, length_n, strict=True)
    ]
