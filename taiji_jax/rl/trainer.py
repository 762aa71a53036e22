"""Reinforcement: rollouts, rewards, POPO updates."""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import loop, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data import batches as sft_data
from taiji_jax.data.logs import Logs
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.sections import RLTrainConfig
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.rl import rewards
from taiji_jax.rl.step import popo_step
from taiji_jax.sft import fit as supervised
from taiji_jax.types import RewardTable


class Trainer:
  """One RL run from the SFT model."""

  def __init__(
    self,
    context: Context,
    logs: Logs,
    table: RewardTable,
    encoder: text.Encoder,
    policy: Policy,
    config: RLTrainConfig,
    seed: int,
  ):
    self._context, self._logs = context, logs
    self._encoder, self._policy = encoder, policy
    self._config, self._seed = config, seed
    self._rewards = rewards.TextRewards(
      logs.catalog, logs.titles, table, logs.rl, context.embedder.embed
    )
    sharding.check_batch(config.prompts, context.mesh, 'rl.prompts')

  def train(self, start: Product, stage: str = 'rl') -> Product:
    """Returns the product with the parameters after RL from `start`."""
    recipe = self._context.recipe
    inputs = {
      'start': start.key,
      'rl': recipe_lib.to_json(self._config),
      'data': recipe_lib.to_json(recipe.data),
      'tower': recipe_lib.to_json(recipe.tower),
      'seed': self._seed,
    }

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
      trained = supervised.load(start, self._policy, self._context)
      state, seconds = self._run(trained, scratch, stage)
      tree.save(folder / 'model.safetensors', state.params)
      return seconds

    return self._context.products.make(stage, inputs, build)

  def _run(
    self, start: Any, scratch: pathlib.Path, stage: str
  ) -> tuple[Any, float]:
    config, mesh = self._config, self._context.mesh
    tx = config.opt.make()
    weighting = config.method.make_weighting()
    state = sharding.jit_init(
      lambda params: train_state.create(
        jax.tree.map(jnp.copy, params),
        tx,
        self._seed,
        weighting.init(len(self._rewards.names)),
      ),
      mesh,
      start,
    )
    reference = train_state.joined(start, self._policy.frozen)
    update = sharding.jit_step(
      popo_step(
        self._policy.rollout_logp,
        tx,
        config.method,
        self._rewards.names,
        self._policy.rollout_vjp,
        self._policy.gramian,
      ),
      state,
      mesh,
    )

    def step(state: Any, index_b: np.ndarray) -> tuple[Any, dict]:
      batch, seen = self.collect(state.params, index_b, int(state.step))
      state, values = update(
        state,
        sharding.place_batch(batch, mesh),
        reference,
        self._policy.frozen,
      )
      return state, values | seen

    checkpointer = Checkpointer(scratch)
    state, seconds = loop.run(
      step,
      state,
      supervised.Grain(
        sft_data.row_batches(
          len(self._logs.rl), batch=config.prompts, seed=self._seed
        )
      ),
      checkpointer,
      self._context.writer,
      loop.LoopConfig(
        stage, config.opt.steps, show=('reward_semantic', 'reward_id')
      ),
    )
    checkpointer.close()
    return state, seconds

  def collect(
    self, params: Any, index_b: np.ndarray, step: int
  ) -> tuple[RolloutBatch, dict[str, float]]:
    """Returns G rollouts of each row with their rewards, and what was seen."""
    method = self._config.method
    b, g = len(index_b), method.group
    prompt_bp, length_b = self._encoder.batch(self._logs.rl, index_b)
    seed_n = np.random.SeedSequence((self._seed, step)).generate_state(b * g)
    prompt = sharding.place_batch(
      (prompt_bp, length_b, seed_n), self._policy.rollout_mesh
    )
    drawn = self._policy.sampler(method.temperature)(
      self._policy.for_rollouts(params), *prompt
    )
    rewarded = self._rewards(
      rewards.Sampled.of_groups(self._policy.texts(drawn), g),
      np.repeat(index_b, g),
    )
    known_nk = rewarded.known_nk
    batch = RolloutBatch(
      prompt_bp=prompt_bp,
      prompt_length_b=length_b,
      completion_bgc=np.asarray(drawn.token_nc).reshape(b, g, -1),
      length_bg=np.asarray(drawn.length_n).reshape(b, g),
      old_logp_bgc=np.asarray(drawn.logp_nc).reshape(b, g, -1),
      reward_bgk=rewarded.reward_nk.reshape(b, g, -1),
      known_bgk=None if known_nk.all() else known_nk.reshape(b, g, -1),
    )
    ended_rate = float(np.asarray(drawn.ended_n).mean())
    return batch, rewarded.seen | {'ended_rate': ended_rate}
