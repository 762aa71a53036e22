"""The enhancer as functions: how stages call the decoder."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh
import numpy as np

from taiji_jax import sharding, train_state
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Completions, sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import layers, logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.recipe import Recipe


class Policy:
  """A decoder of the recipe's size and the functions that training needs."""

  def __init__(self, recipe: Recipe, tokenizer: Tokenizer, mesh: Mesh):
    model = recipe.model
    if not recipe.source:
      model = dataclasses.replace(model, vocab_size=tokenizer.vocab_size)
    elif tokenizer.vocab_size > model.vocab_size:
      raise UserError(
        f'the tokenizer has {tokenizer.vocab_size} tokens, the model'
        f' {recipe.source} {model.vocab_size}; leave tokenizer.path empty, so'
        " that the model's own is taken."
      )
    model = dataclasses.replace(
      model, attention=_attention(model.attention, mesh)
    )
    self.decoder = Decoder(model)
    self._recipe, self._tokenizer, self._mesh = recipe, tokenizer, mesh
    self._samplers: dict[float, Any] = {}

  def init(self) -> Any:
    """Returns all variables, drawn at random."""
    one = np.ones((1, 8), np.int32)
    return self.decoder.init(jax.random.key(self._recipe.seed), one, one, one)

  def init_trained(self) -> Any:
    """Returns what is trained, drawn at random: all, or the adapters alone."""
    variables = self.init()
    if not self.decoder.config.lora_rank:
      return variables
    return {layers.LORA: variables[layers.LORA]}

  def start(self) -> Any:
    """Returns what is trained as it is before training, on the mesh."""
    if self._recipe.source and not self.decoder.config.lora_rank:
      return self._pretrained()
    return sharding.jit_init(self.init_trained, self._mesh)

  @functools.cached_property
  def frozen(self) -> Any:
    """Returns what is not trained, on the mesh: None, or all but adapters."""
    return self._pretrained() if self.decoder.config.lora_rank else None

  def _pretrained(self) -> Any:
    model = self.decoder.config
    options = {f: getattr(model, f) for f in recipe_lib.OPTIONS}
    return pretrained.load(self._recipe.source, self._mesh, **options)[1]

  def for_rollouts(self, params: Any) -> Any:
    """Returns all variables, laid out as the recipe's rollouts want them.

    Args:
      params: the trained ones.
    """
    variables = train_state.joined(params, self.frozen)
    if self._recipe.rollout_mesh is None:
      return variables
    return self._to_rollouts(variables)

  @functools.cached_property
  def rollout_mesh(self) -> Mesh:
    """Returns the devices as rollouts lay them out."""
    config = self._recipe.rollout_mesh
    if config is None:
      return self._mesh
    return config.make()

  @functools.cached_property
  def _to_rollouts(self) -> Any:
    """Returns a jitted copy of the variables: apart, in the compute dtype."""
    config = self.decoder.config

    def copy(variables: Any) -> Any:
      if config.stacked:
        variables = decoder_lib.unstack(variables, config.num_layers)
      return jax.tree.map(lambda x: x.astype(config.dtype), variables)

    jitted = jax.jit(copy)

    def move(variables: Any) -> Any:
      copied = jitted(variables)
      return sharding.place(
        copied, sharding.state_sharding(copied, self.rollout_mesh)
      )

    return move

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
    self,
    params: Any,
    batch: RolloutBatch,
    coef_kn: jax.Array,
    frozen: Any = None,
  ) -> tuple:
    """Returns `rollout_logp`, its pullback, and that of K objectives."""
    logp_bgc, pullback, objectives = objective_slots.vjp(
      lambda variables, coef: self.rollout_logp(
        train_state.joined(variables, frozen), batch, coef
      ),
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
    decoder = self.decoder
    if self._recipe.rollout_mesh is not None:
      decoder = decoder_lib.Decoder(
        dataclasses.replace(decoder.config, stacked=False)
      )
    self._samplers[temperature] = jax.jit(
      sharding.on(
        lambda *args: sample(decoder, *args, config), self.rollout_mesh
      )
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


def _attention(form: str, mesh: Mesh | AbstractMesh) -> str:
  """Returns 'plain' or 'kernel': the kernels are for TPUs."""
  if isinstance(mesh, AbstractMesh):  # Of no kind yet.
    return form
  on_tpu = mesh.devices.flat[0].platform == 'tpu'
  if form == 'kernel' and not on_tpu:
    raise UserError(
      "model.attention is 'kernel', which runs on TPUs alone; set it to 'auto'."
    )
  return {'auto': 'kernel' if on_tpu else 'plain'}.get(form, form)
