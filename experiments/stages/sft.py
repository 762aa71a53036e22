"""Supervised training of the enhancer on the teacher's completions."""

import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from experiments import recipe as recipe_lib
from experiments.stages import text
from experiments.stages.context import Context
from experiments.stages.logs import Logs
from experiments.stages.policy import Policy
from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data import prompts
from taiji_jax.data import sft as sft_data
from taiji_jax.modules.weights import tree
from taiji_jax.products import Product
from taiji_jax.sft.step import sft_step


def train(
  context: Context,
  logs: Logs,
  cot: Product,
  tokenizer_key: str,
  encoder: text.Encoder,
  policy: Policy,
) -> Product:
  """Returns the product with the SFT model's parameters."""
  recipe = context.recipe
  config = recipe.sft
  sharding.check_batch(config.batch, context.mesh, 'sft.batch')
  inputs = {
    'cot': cot.key,
    'tokenizer': tokenizer_key,
    'sft': recipe_lib.to_json(config),
    'model': recipe_lib.to_json(policy.decoder.config),
    'source': recipe.source,
    'prompt': recipe_lib.to_json(recipe.prompt),
    'length': recipe_lib.to_json(recipe.length),
    'mesh': recipe_lib.to_json(recipe.mesh),
    'seed': recipe.seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    found = examples(logs, cot, encoder, recipe.length.completion)
    batches = sft_data.packed_batches(
      found,
      batch=config.batch,
      length=config.tokens,
      seed=recipe.seed,
      pad_id=encoder.tokenizer.pad_id,
    )
    tx = config.opt.make()
    state = sharding.jit_init(
      lambda params: train_state.create(
        jax.tree.map(jnp.copy, params), tx, recipe.seed
      ),
      context.mesh,
      policy.start(),
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
      loop.LoopConfig('sft', config.opt.steps, write_every=5),
    )
    checkpointer.close()
    tree.save(folder / 'model.safetensors', state.params)
    return seconds

  return context.products.make('sft', inputs, build)


def load(product: Product, policy: Policy, context: Context) -> Any:
  """Returns what was trained of an SFT or RL product, on the mesh."""
  like = jax.eval_shape(policy.init_trained)
  params = tree.load(product.folder / 'model.safetensors', like)
  return sharding.place(params, sharding.state_sharding(like, context.mesh))


def examples(
  logs: Logs, cot: Product, encoder: text.Encoder, longest: int
) -> list[sft_data.Example]:
  """Returns prompt and completion ids; those that are too long are left out."""
  found, left_out = [], 0
  eos = [encoder.tokenizer.eos_id]
  for line in text.read_lines(cot.folder / 'cot.jsonl'):
    answer = prompts.item_text(
      logs.catalog, int(logs.sft.target_r[line['row']])
    )
    completion = encoder.tokenizer.encode(
      prompts.completion(line['think'], answer)
    )
    if len(completion) + 1 > longest:
      left_out += 1
      continue
    prompt = encoder.ids(logs.sft, line['row'])
    found.append(sft_data.Example(prompt, completion + eos))
  tokens = sum(len(e) for e in found)
  metrics.LOG.info(
    'sft: %d examples, %.1f prompt and %.1f completion tokens each, %d left'
    ' out as too long',
    len(found),
    sum(len(e.prompt) for e in found) / max(len(found), 1),
    (tokens - sum(len(e.prompt) for e in found)) / max(len(found), 1),
    left_out,
  )
  return found


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
