"""Supervised training of the decoder on packed examples, resumable."""

from collections.abc import Sequence
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data import batches as sft_data
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.sections import SFTConfig
from taiji_jax.pipeline.taiji_sections import PretrainConfig
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft.step import sft_step


def fit(
  context: Context,
  policy: Policy,
  examples: Sequence[sft_data.Example],
  config: SFTConfig | PretrainConfig,
  *,
  start: Any,
  seed: int,
  pad_id: int,
  stage: str,
  folder: pathlib.Path,
  scratch: pathlib.Path,
) -> float:
  """Returns the seconds of training, once `folder` holds the model.

  Args:
    context: the run.
    policy: the decoder's functions.
    examples: what to train on.
    config: sizes and optimiser.
    start: what is trained, as it is before; on the mesh.
    seed: of the order of the examples.
    pad_id: the token of empty places.
    stage: its name in logs and metrics.
    folder: where the model goes.
    scratch: where checkpoints go; an interrupted training goes on from there.
  """
  sharding.check_batch(config.batch, context.mesh, f'{stage}.batch')
  batches = sft_data.packed_batches(
    examples,
    batch=config.batch,
    length=config.tokens,
    seed=seed,
    pad_id=pad_id,
  )
  tx = config.opt.make()
  state = sharding.jit_init(
    lambda params: train_state.create(jax.tree.map(jnp.copy, params), tx, seed),
    context.mesh,
    start,
  )
  jitted = sharding.jit_step(
    sft_step(policy.packed_logp, tx, config.prompt_weight),
    state,
    context.mesh,
  )
  checkpointer = Checkpointer(scratch)
  state, seconds = loop.run(
    lambda state, batch: jitted(
      state, sharding.place_batch(batch, context.mesh), policy.frozen
    ),
    state,
    Grain(batches),
    checkpointer,
    context.writer,
    loop.LoopConfig(stage, config.opt.steps, write_every=5),
  )
  checkpointer.close()
  tree.save(folder / 'model.safetensors', state.params)
  return seconds


def made_from(
  context: Context, policy: Policy, tokenizer_key: str
) -> dict[str, Any]:
  """Returns what every model of a run depends on, for its product."""
  recipe = context.recipe
  return {
    'tokenizer': tokenizer_key,
    'model': recipe_lib.to_json(policy.decoder.config),
    'source': recipe.source,
    'prompt': recipe_lib.to_json(recipe.prompt),
    'length': recipe_lib.to_json(recipe.length),
    'mesh': recipe_lib.to_json(recipe.mesh),
    'seed': recipe.seed,
  }


def load(product: Product, policy: Policy, context: Context) -> Any:
  """Returns what was trained of a product with a model, on the mesh."""
  like = jax.eval_shape(policy.init_trained)
  params = tree.load(product.folder / 'model.safetensors', like)
  return sharding.place(params, sharding.state_sharding(like, context.mesh))


def log_sizes(
  stage: str, examples: Sequence[sft_data.Example], left_out: int
) -> None:
  """Logs how many examples there are and how long."""
  count = max(len(examples), 1)
  metrics.LOG.info(
    '%s: %d examples, %.1f prompt and %.1f completion tokens each, %d left out'
    ' as too long',
    stage,
    len(examples),
    sum(len(e.prompt) for e in examples) / count,
    sum(len(e.completion) for e in examples) / count,
    left_out,
  )


class Grain:
  """A grain iterator whose state is JSON."""

  def __init__(self, iterator: Any):
    self._iterator = iterator

  def __next__(self) -> Any:
    return next(self._iterator)

  def get_state(self) -> Any:
    state = self._iterator.get_state()
    return json.loads(state) if isinstance(state, bytes) else state

  def set_state(self, state: Any) -> None:
    self._iterator.set_state(state)
