"""A recipe's programs as functions of shapes: no weights anywhere."""

from collections.abc import Callable
import dataclasses
import math
import types
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding

from experiments.compiling import flops
from taiji_jax import sharding, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Decoding
from taiji_jax.decode.sample import advance as sample_on
from taiji_jax.decode.sample import start as start_sampling
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import as_computed
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.policy import Policy
from taiji_jax.rl import rewards
from taiji_jax.rl.step import popo_step
from taiji_jax.sft.step import sft_step

NAMES = ('sft', 'rl', 'prefill', 'decode')
P = jax.P
# No parameter above this lies whole on every device.
WHOLE_BYTES = 2**24


@dataclasses.dataclass(frozen=True)
class Program:
  """One program, ready to be compiled.

  Attributes:
    jitted: the function.
    arguments: its arguments' shapes, laid out on the mesh.
    work: its operations, over all devices.
    resident: bytes a device holds beside the arguments while it runs.
    turns: turns of a loop whose end isn't known: tokens of a completion.
    traffic: bytes a device's memory moves at least.
  """

  jitted: Any
  arguments: tuple[Any, ...]
  work: flops.Work
  resident: float = 0.0
  turns: int = 1
  traffic: float = 0.0

  @property
  def argument(self) -> float:
    """Returns the bytes of the arguments on one device."""
    return bytes_of(self.arguments)


class Programs:
  """The programs of one recipe on one mesh.

  Rollouts run on the same devices as training. Where the recipe has a
  `rollout_mesh` they are laid out as it says, with the weights in the compute
  dtype; the training state stays where it is.
  """

  def __init__(self, recipe: Recipe, mesh: Mesh, rollout_mesh: Mesh | None):
    self._recipe, self._mesh = recipe, mesh
    self._rollout_mesh = rollout_mesh
    tokenizer: Any = types.SimpleNamespace(
      vocab_size=recipe.model.vocab_size, eos_id=1, pad_id=0
    )
    self._policy = Policy(recipe.policy, tokenizer, mesh)
    self._params = jax.eval_shape(self._policy.init)
    self._trained = jax.eval_shape(self._policy.init_trained)
    sharding.check_sharded(self._params, mesh, WHOLE_BYTES)

  def make(self, name: str) -> Program:
    """Returns one of `NAMES`."""
    return getattr(self, name)()

  def sft(self) -> Program:
    """Returns the supervised step."""
    config = self._recipe.sft
    sharding.check_batch(config.batch, self._mesh, 'sft.batch')
    tx = config.opt.make()
    state = self._state(tx)
    shape = (config.batch, config.tokens)
    batch = {
      name: jax.ShapeDtypeStruct(shape, jnp.int32)
      for name in ('tokens_bt', 'position_bt', 'segment_bt')
    } | {'loss_mask_bt': jax.ShapeDtypeStruct(shape, jnp.bool_)}
    step = sft_step(self._policy.packed_logp, tx, config.prompt_weight)
    return Program(
      jitted=sharding.jit_step(step, state, self._mesh),
      arguments=(
        self._placed(state),
        by_rows(batch, self._mesh),
        *self._frozen(),
      ),
      work=flops.sft(self._recipe),
      traffic=self._training_traffic(1, 1),
    )

  def rl(self) -> Program:
    """Returns the RL update."""
    recipe, method = self._recipe, self._recipe.rl
    sharding.check_batch(recipe.rl.prompts, self._mesh, 'rl.prompts')
    tx = recipe.rl.opt.make()
    state = self._state(tx, method.make_weighting().init(len(rewards.NAMES)))
    step = popo_step(
      self._policy.rollout_logp,
      tx,
      method,
      rewards.NAMES,
      self._policy.rollout_vjp,
      self._policy.gramian,
    )
    b, g, k = recipe.rl.prompts, method.group, len(rewards.NAMES)
    p, c = recipe.length.prompt, recipe.length.completion
    int_, float_ = _shape(jnp.int32), _shape(jnp.float32)
    batch = RolloutBatch(
      prompt_bp=int_(b, p),
      prompt_length_b=int_(b),
      completion_bgc=int_(b, g, c),
      length_bg=int_(b, g),
      old_logp_bgc=float_(b, g, c),
      reward_bgk=float_(b, g, k),
    )
    return Program(
      jitted=sharding.jit_step(step, state, self._mesh),
      arguments=(
        self._placed(state),
        by_rows(batch, self._mesh),
        self._placed(self._params) if method.kl_beta else None,
        *self._frozen(),
      ),
      work=flops.rl(recipe, k),
      traffic=self._training_traffic(
        flops.forwards(method), flops.backwards(method, k)
      ),
    )

  def prefill(self) -> Program:
    """Returns the reading of the prompts of one step."""
    mesh, decoder, params = self._rollout()
    arguments = (params, *self._prompts(mesh))
    config = self._sampling()

    def start(params: Any, *prompts: Any) -> Decoding:
      return start_sampling(decoder, params, *prompts, config)

    placed = sharding.on(start, mesh)
    decoding = jax.eval_shape(placed, *arguments)
    return Program(
      jitted=jax.jit(placed, out_shardings=decoding_sharding(decoding, mesh)),
      arguments=arguments,
      work=flops.prefill(self._recipe),
      resident=self._resident(),
      traffic=bytes_of(params),
    )

  def decode(self) -> Program:
    """Returns the writing of the completions, as long as they may be."""
    mesh, decoder, params = self._rollout()
    prompts, config = self._prompts(mesh), self._sampling()
    decoding = jax.eval_shape(
      sharding.on(lambda *args: start_sampling(decoder, *args, config), mesh),
      params,
      *prompts,
    )
    shardings = decoding_sharding(decoding, mesh)
    turns = self._recipe.length.completion

    def advance(params: Any, decoding: Decoding) -> Decoding:
      return sample_on(decoder, params, decoding, config, turns)

    decoding = laid_out(decoding, shardings)
    # Every token reads the weights and, on average, half of what it may write.
    held = decoding.cache
    cache = bytes_of(held.prompts) + bytes_of(held.completions) / 2
    gathered = mesh.shape['fsdp'] * bytes_of(params)
    return Program(
      jitted=jax.jit(
        sharding.on(advance, mesh), donate_argnums=1, out_shardings=shardings
      ),
      arguments=(params, decoding),
      work=flops.decode(self._recipe),
      resident=self._resident(),
      turns=turns,
      traffic=turns * (gathered + cache),
    )

  def _rollout(self) -> tuple[Mesh, decoder_lib.Decoder, Any]:
    """Returns the mesh, the decoder and its weights as rollouts use them."""
    mesh = self._rollout_mesh or self._mesh
    config = self._policy.decoder.config
    decoder = decoder_lib.Decoder(dataclasses.replace(config, stacked=False))
    params = self._params
    if self._rollout_mesh is not None:
      params = jax.eval_shape(lambda p: as_computed(p, config), params)
      sharding.check_sharded(params, mesh, WHOLE_BYTES)
    elif config.stacked:
      params = jax.eval_shape(
        lambda p: decoder_lib.unstack(p, config.num_layers), params
      )
    return (
      mesh,
      decoder,
      laid_out(params, sharding.state_sharding(params, mesh)),
    )

  def _prompts(self, mesh: Mesh) -> tuple[Any, ...]:
    recipe = self._recipe
    b, p = recipe.rl.prompts, recipe.length.prompt
    section = 'rl.prompts (on rollout_mesh)' if self._rollout_mesh else ''
    sharding.check_batch(b, mesh, section or 'rl.prompts')
    int_ = _shape(jnp.int32)
    seeds = _shape(jnp.uint32)(b * recipe.rl.group)
    return by_rows((int_(b, p), int_(b), seeds), mesh)

  def _sampling(self) -> SampleConfig:
    return SampleConfig(
      max_tokens=self._recipe.length.completion,
      temperature=self._recipe.rl.temperature,
      eos_id=1,
      pad_id=0,
    )

  def _placed(self, shapes: Any) -> Any:
    return laid_out(shapes, sharding.state_sharding(shapes, self._mesh))

  def _frozen(self) -> tuple[Any, ...]:
    """Returns what is not trained, where there is something."""
    rest = {k: v for k, v in self._params.items() if k not in self._trained}
    return (self._placed(rest),) if rest else ()

  def _state(self, tx: Any, weighting: Any = ()) -> Any:
    return jax.eval_shape(
      lambda params: train_state.create(
        params, tx, self._recipe.seed, weighting
      ),
      self._trained,
    )

  def _resident(self) -> float:
    """Returns bytes of the RL state and the reference on a device."""
    method = self._recipe.rl
    state = self._state(method.opt.make())
    beside = self._placed(self._params) if method.kl_beta else self._frozen()
    return bytes_of((self._placed(state), beside))

  def _training_traffic(self, forwards: int, backwards: int) -> float:
    """Returns bytes of weights: gathered in each pass, then Adam's update."""
    count = self._recipe.model.parameters / self._mesh.shape['tensor']
    width = jnp.dtype(self._recipe.model.dtype).itemsize
    again = backwards if self._recipe.model.remat == 'full' else 0
    passes = forwards + again + backwards
    update = 7 * 4 * count / self._mesh.shape['fsdp']
    return passes * count * width + update


def decoding_sharding(decoding: Decoding, mesh: Mesh) -> Any:
  """Returns where the completions under way lie: rows apart, heads apart."""

  def of(path: tuple[Any, ...], x: jax.ShapeDtypeStruct) -> NamedSharding:
    if not x.shape:
      return NamedSharding(mesh, P())
    heads = x.ndim > 2 and x.shape[1] % mesh.shape['tensor'] == 0
    row = sharding.BATCH[0]
    return NamedSharding(mesh, P(row, 'tensor') if heads else P(row))

  return jax.tree_util.tree_map_with_path(of, decoding)


def laid_out(shapes: Any, shardings: Any) -> Any:
  """Returns shapes that say where they lie."""
  return jax.tree.map(
    lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
    shapes,
    shardings,
  )


def by_rows(shapes: Any, mesh: Mesh) -> Any:
  """Returns shapes split over data and fsdp."""
  rows = NamedSharding(mesh, sharding.BATCH)
  return laid_out(shapes, jax.tree.map(lambda _: rows, shapes))


def bytes_of(tree: Any) -> float:
  """Returns the bytes that laid-out shapes take on one device."""
  return float(
    sum(
      math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
      for x in jax.tree.leaves(tree)
    )
  )


def _shape(dtype: Any) -> Callable[..., jax.ShapeDtypeStruct]:
  return lambda *shape: jax.ShapeDtypeStruct(shape, dtype)
