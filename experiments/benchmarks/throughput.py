"""Tokens a second of the SFT step, the POPO step and rollouts of a recipe.

Run: python -m experiments.benchmarks.throughput \
  --config=experiments/configs/popo/ml100k_cpu.py

The same model in torch (transformers' Llama, float32), where torch is
installed, does the same SFT step and the same sampling, in the same run; a
ratio above 1 means that ours is faster. Last line: one JSON object.
"""

from collections.abc import Callable
import importlib.util

from absl import flags
import jax
import jax.numpy as jnp
from ml_collections import config_flags
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, timing, torch_llama
from taiji_jax import sharding, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.policy import Policy
from taiji_jax.rl.step import popo_step
from taiji_jax.sft.step import sft_step

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'The recipe, {RECIPE} where not given.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'How often each is timed.')


class NoEnd:
  """A tokenizer without texts: rollouts never end before their limit."""

  def __init__(self, vocab_size: int):
    self.vocab_size = vocab_size
    self.pad_id, self.bos_id, self.eos_id = 0, 1, vocab_size


def main() -> None:
  """Times the contenders and prints tokens a second and ratios."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  policy = Policy(
    recipe.policy, NoEnd(recipe.model.vocab_size), recipe.mesh.make()
  )
  params = policy.init()
  contenders, tokens = {}, {}
  contenders['sft'], tokens['sft'] = _sft(recipe, policy, params)
  contenders['rollout'], tokens['rollout'] = _rollout(recipe, policy, params)
  contenders['popo'], tokens['popo'] = _popo(recipe, policy, params)
  if importlib.util.find_spec('torch'):
    contenders['torch_sft'] = _torch_sft(recipe)
    contenders['torch_rollout'] = _torch_rollout(recipe)
  seconds = timing.interleave(contenders, _ROUNDS.value)
  result = {'parameters': sum(x.size for x in jax.tree.leaves(params))}
  for name, count in tokens.items():
    rate = count / np.median(seconds[name])
    result[f'{name}_tokens_per_second'] = round(rate, 1)
    if f'torch_{name}' in seconds:
      result[f'{name}_against_torch'] = round(
        timing.ratio(seconds[f'torch_{name}'], seconds[name]), 2
      )
  saving.tell(result, 'torch', 'transformers')


def _random(recipe: Recipe, *shape: int) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(4, recipe.model.vocab_size, shape).astype(np.int32)


def _sft(recipe: Recipe, policy: Policy, params) -> tuple[Callable, int]:
  b, t = recipe.sft.batch, recipe.sft.tokens
  batch = {
    'tokens_bt': _random(recipe, b, t),
    'position_bt': np.tile(np.arange(t, dtype=np.int32), (b, 1)),
    'segment_bt': np.ones((b, t), np.int32),
    'loss_mask_bt': np.ones((b, t), bool),
  }
  tx = recipe.sft.opt.make()
  call = _stepper(
    sft_step(policy.packed_logp, tx), train_state.create(params, tx, 0), recipe
  )
  return lambda: call(batch), b * t


def _rollout(recipe: Recipe, policy: Policy, params) -> tuple[Callable, int]:
  b, g = recipe.rl.prompts, recipe.rl.group
  prompt_bp = _random(recipe, b, recipe.length.prompt)
  length_b = np.full(b, recipe.length.prompt, np.int32)
  seed_n = np.arange(b * g, dtype=np.uint32)
  draw = policy.sampler(recipe.rl.temperature)
  return (
    lambda: jax.block_until_ready(draw(params, prompt_bp, length_b, seed_n)),
    b * g * recipe.length.completion,
  )


def _popo(recipe: Recipe, policy: Policy, params) -> tuple[Callable, int]:
  method = recipe.rl
  b, g = recipe.rl.prompts, method.group
  p, c = recipe.length.prompt, recipe.length.completion
  rng = np.random.default_rng(1)
  batch = RolloutBatch(
    prompt_bp=_random(recipe, b, p),
    prompt_length_b=np.full(b, p, np.int32),
    completion_bgc=_random(recipe, b, g, c),
    length_bg=np.full((b, g), c, np.int32),
    old_logp_bgc=np.full((b, g, c), -np.log(recipe.model.vocab_size)),
    reward_bgk=rng.random((b, g, 2), np.float32),
  )
  tx = recipe.rl.opt.make()
  weighting = method.make_weighting()
  state = train_state.create(params, tx, 0, weighting.init(2))
  step = popo_step(
    policy.rollout_logp,
    tx,
    method,
    ('semantic', 'id'),
    policy.rollout_vjp,
  )
  call = _stepper(step, state, recipe)
  return lambda: call(batch, params), b * g * (p + c)


def _stepper(step, state, recipe: Recipe) -> Callable:
  """Returns a call that advances a state of its own by one step."""
  mesh = recipe.mesh.make()
  # The step donates its state, and the parameters serve other contenders.
  state = sharding.place(
    jax.tree.map(jnp.copy, state), sharding.state_sharding(state, mesh)
  )
  compiled = sharding.jit_step(step, state, mesh)
  held = [state]

  def call(batch, *more) -> None:
    placed = sharding.place_batch(batch, mesh)
    held[0], metrics = compiled(held[0], placed, *more)
    jax.block_until_ready(metrics)

  return call


def _torch_sft(recipe: Recipe) -> Callable:
  import torch

  model = torch_llama.make(recipe.model)
  optimiser = torch.optim.AdamW(model.parameters(), fused=True)
  tokens = torch.from_numpy(
    _random(recipe, recipe.sft.batch, recipe.sft.tokens).astype(np.int64)
  )

  def call() -> None:
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()

  return call


def _torch_rollout(recipe: Recipe) -> Callable:
  import torch

  model = torch_llama.make(recipe.model).eval()
  group, limit = recipe.rl.group, recipe.length.completion
  prompt = torch.from_numpy(
    _random(recipe, recipe.rl.prompts, recipe.length.prompt).astype(np.int64)
  )

  def call() -> None:
    with torch.no_grad():
      model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        top_k=0,
        num_return_sequences=group,
        min_new_tokens=limit,
        max_new_tokens=limit,
        pad_token_id=0,
      )

  return call


if __name__ == '__main__':
  entry.run(main, RECIPE)
