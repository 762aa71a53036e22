"""A decoder to train and to sample from: enhancer, generator, judge, scorer."""

from collections.abc import Sequence
import dataclasses
import functools
import os
import pathlib
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh
import numpy as np

from taiji_jax import sharding, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Completions, sample
from taiji_jax.decode.sampled import Sampled
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import layers, logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import OPTIONS, DecoderConfig
from taiji_jax.modules.weights import pretrained, tree
from taiji_jax.sharding import MeshConfig


class Tokenizer(Protocol):
  """What a policy asks of a tokenizer."""

  vocab_size: int
  eos_id: int
  pad_id: int

  def decode(self, ids: Sequence[int]) -> str:
    """Returns the text of token ids."""
    ...


@dataclasses.dataclass(frozen=True)
class PolicyConfig:
  """A decoder and how it is used.

  Attributes:
    model: its sizes; where there is a `source`, what
      `modules.weights.pretrained.config(source)` returns.
    completion: the most tokens that it writes, the end token counted.
    source: the checkpoint that training starts from (see
      `modules.weights.pretrained.find`), '' for parameters drawn at random.
    temperature: of the rollouts whose log-probabilities training needs.
    share_prompt: whether a prompt is read once for its rollouts, see
      `rl.config.RLConfig`.
    rollout_mesh: how rollouts lay out the devices, None as training does:
      training wants parameters in many parts, decoding would gather them for
      each token.
    seed: of parameters drawn at random.
  """

  model: DecoderConfig
  completion: int
  source: str = ''
  temperature: float = 1.0
  share_prompt: bool = False
  rollout_mesh: MeshConfig | None = None
  seed: int = 0


class Policy:
  """A decoder and the functions that training and sampling need.

  Attributes:
    decoder: the network.
    tokenizer: see `Tokenizer`.
    mesh: where it is trained.
    temperature, share_prompt, completion: see `PolicyConfig`.
  """

  def __init__(
    self, config: PolicyConfig, tokenizer: Tokenizer, mesh: Mesh | None = None
  ):
    """Makes the functions; no parameters yet.

    Args:
      config: the decoder; without a `source` its vocabulary has the size of the
        tokenizer's, whatever `vocab_size` says.
      tokenizer: see `Tokenizer`.
      mesh: where it is trained; one device where None.

    Raises:
      UserError: the tokenizer has more tokens than the checkpoint, or the
        attention kernel is asked for where there is no TPU.
    """
    mesh = MeshConfig().make() if mesh is None else mesh
    model = config.model
    if not config.source:
      model = dataclasses.replace(model, vocab_size=tokenizer.vocab_size)
    elif tokenizer.vocab_size > model.vocab_size:
      raise UserError(
        f'the tokenizer has {tokenizer.vocab_size} tokens, the model'
        f' {config.source} {model.vocab_size}; leave tokenizer.path empty, so'
        " that the model's own is taken."
      )
    model = dataclasses.replace(
      model, attention=_attention(model.attention, mesh)
    )
    self.decoder = Decoder(model)
    self.tokenizer, self.mesh = tokenizer, mesh
    self._config = config
    self.temperature = config.temperature
    self.share_prompt = config.share_prompt
    self.completion = config.completion
    self._samplers: dict[float, Any] = {}

  def init(self) -> Any:
    """Returns all variables, drawn at random."""
    one = np.ones((1, 8), np.int32)
    return self.decoder.init(jax.random.key(self._config.seed), one, one, one)

  def init_trained(self) -> Any:
    """Returns what is trained, drawn at random: all, or the adapters alone."""
    variables = self.init()
    if not self.decoder.config.lora_rank:
      return variables
    return {layers.LORA: variables[layers.LORA]}

  def start(self) -> Any:
    """Returns what is trained as it is before training, on the mesh."""
    if self._config.source and not self.decoder.config.lora_rank:
      return self._pretrained()
    return sharding.jit_init(self.init_trained, self.mesh)

  @functools.cached_property
  def frozen(self) -> Any:
    """Returns what is not trained, on the mesh: None, or all but adapters."""
    return self._pretrained() if self.decoder.config.lora_rank else None

  def _pretrained(self) -> Any:
    model = self.decoder.config
    source = self._config.source
    if not source:
      raise UserError(
        'adapters (lora_rank) need a model to adapt: give PolicyConfig.source a'
        ' checkpoint, such as `modules.weights.export.save` writes.'
      )
    options = {f: getattr(model, f) for f in OPTIONS}
    pretrained.check(source, model, **options)
    return pretrained.load(source, self.mesh, **options)[1]

  def load(self, path: str | os.PathLike[str]) -> Any:
    """Returns what was trained, out of a file, on the mesh."""
    like = jax.eval_shape(self.init_trained)
    params = tree.load(pathlib.Path(path), like)
    return sharding.place(params, sharding.state_sharding(like, self.mesh))

  def save(self, path: str | os.PathLike[str], params: Any) -> None:
    """Writes what was trained into a safetensors file that `load` reads.

    For a directory that others read see `modules.weights.export.save`.

    Args:
      path: the file.
      params: as training returns them.
    """
    tree.save(pathlib.Path(path), params)

  def variables(self, params: Any) -> Any:
    """Returns all variables: what was trained and what was not.

    Args:
      params: as training returns them.
    """
    return train_state.joined(params, self.frozen)

  def for_rollouts(self, params: Any) -> Any:
    """Returns all variables, laid out as rollouts want them.

    Args:
      params: the trained ones.
    """
    variables = train_state.joined(params, self.frozen)
    if self._config.rollout_mesh is None:
      return variables
    return self._to_rollouts(variables)

  @functools.cached_property
  def rollout_mesh(self) -> Mesh:
    """Returns the devices as rollouts lay them out."""
    config = self._config.rollout_mesh
    return self.mesh if config is None else config.make()

  @functools.cached_property
  def _to_rollouts(self) -> Any:
    """Returns a jitted copy of variables, `as_computed`."""
    config = self.decoder.config
    jitted = jax.jit(
      lambda variables: decoder_lib.as_computed(variables, config)
    )

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
        objectives(cotangent), self.mesh
      ),
    )

  def gramian(self, gradients_k: Any) -> jax.Array:
    """Returns the Gramian of K gradients that lie on the mesh."""
    return sharding.gramian(gradients_k, self.mesh)

  def rollout_logp(
    self,
    params: Any,
    batch: RolloutBatch,
    coef_kn: jax.Array | None = None,
  ) -> jax.Array:
    """Returns log-probabilities `[b, g, c]` at the rollouts' temperature."""
    temperature = self._config.temperature
    if self._config.share_prompt:
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
      max_tokens=self._config.completion,
      temperature=temperature,
      eos_id=self.tokenizer.eos_id,
      pad_id=self.tokenizer.pad_id,
    )
    decoder = self.decoder
    if self._config.rollout_mesh is not None:
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
      self.tokenizer.decode(tokens[:length].tolist())
      for tokens, length in zip(token_nc, length_n, strict=True)
    ]

  def sampled(self, completions: Completions, group: int) -> Sampled:
    """Returns what rewards are handed, see `Sampled`.

    Args:
      completions: those of a prompt next to each other.
      group: completions a prompt.
    """
    return Sampled.of_groups(self.texts(completions), group)


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
