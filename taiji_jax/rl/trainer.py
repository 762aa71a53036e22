"""Reinforcement of a policy: rollouts, rewards, updates."""

import functools
import hashlib
import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import loop, metrics, pareto, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.config import deviations
from taiji_jax.data.batches import Grain, row_batches
from taiji_jax.data.encoder import Prompts
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.errors import UserError
from taiji_jax.policy import Policy
from taiji_jax.rl.advantage import Advantage
from taiji_jax.rl.config import RLTrainConfig
from taiji_jax.rl.observe import check_alignment_on
from taiji_jax.rl.rewards import Rewards
from taiji_jax.rl.step import popo_step


class Trainer:
  """Reinforces a policy on given prompts."""

  def __init__(
    self,
    policy: Policy,
    prompts: Prompts,
    rewards: Rewards,
    config: RLTrainConfig,
    *,
    writer: metrics.Writer,
    seed: int = 0,
    saving: loop.Saving = loop.SAVING,
    advantage: Advantage | None = None,
    weighting: pareto.Weighting | None = None,
  ):
    """Takes what all updates share.

    Args:
      policy: what is trained.
      prompts: what is answered.
      rewards: what a completion earns, K numbers.
      config: the method's numbers.
      writer: where metrics go.
      seed: of the rollouts and of the order of the prompts.
      saving: when checkpoints are saved.
      advantage: see `rl.step.popo_step`; None takes the one of the config.
      weighting: a rule of `taiji_jax.pareto`, with options of its own, or one
        of yours; None takes the one of the config.

    Raises:
      UserError: an argument is of another kind, policy and config disagree, the
        fixed weights are not one for each reward, `alignment_on` matches no
        parameter, or the prompts of an update do not divide over the mesh.
    """
    _check(policy, prompts, rewards, config)
    rule = weighting or config.make_weighting()
    if config.alignment_on and rule.reads == 'gradients':
      check_alignment_on(config, jax.eval_shape(policy.init_trained))
    for name in config.unread(weighting):
      metrics.LOG.warning(
        'rl.%s is %r, and the weighting (%s) does not read it',
        name,
        getattr(config, name),
        'given to the trainer' if weighting else config.weighting,
      )
    if weighting is not None and weighting.reads == 'losses':
      raise UserError(
        'the weighting reads losses, and rewards have none; choose a rule that'
        ' reads gradients or rewards.'
      )
    self._policy, self._prompts = policy, prompts
    self._rewards, self._config = rewards, config
    self._writer, self._seed = writer, seed
    self._saving, self._advantage = saving, advantage
    self._weighting = weighting

  def run(
    self, start: Any, scratch: str | os.PathLike[str], stage: str = 'rl'
  ) -> tuple[Any, float]:
    """Returns the parameters after `opt.steps` updates, and the seconds.

    Args:
      start: what is trained, as it is before, on the policy's mesh; with what
        is frozen it is the reference of the KL term. With `kl_beta` 0 there is
        none, and `start` is held no longer than the caller holds it.
      scratch: of this training alone: where checkpoints go; an interrupted run
        goes on from there, a finished one is not done again.
      stage: its name in logs and metrics; earlier rows of that name go.

    Raises:
      UserError: the folder is of another training, or a loss or reward became
        NaN or infinite.
      Interrupted: a signal came; what was done is saved.
    """
    config, mesh, policy = self._config, self._policy.mesh, self._policy
    names = self._rewards.names
    if isinstance(start, tuple):
      raise UserError(
        'start is a tuple; sft.fit returns (parameters, seconds): give the'
        ' parameters.'
      )
    tx = config.opt.make()
    state = self._begin(start, tx)
    identity = self._identity(start, stage)
    reference = None
    if config.kl_beta > 0:
      reference = train_state.joined(start, policy.frozen)
    del start
    pure = popo_step(
      policy.rollout_logp,
      tx,
      config,
      names,
      policy.rollout_vjp,
      policy.gramian,
      self._advantage,
      self._weighting,
    )
    update = sharding.jit_step(pure, state, mesh)

    def step(state: Any, index_b: np.ndarray) -> tuple[Any, dict]:
      batch, seen = self.collect(state.params, index_b, int(state.step))
      placed = sharding.place_batch(batch, mesh)
      state, values = update(state, placed, reference, policy.frozen)
      return state, values | seen

    checkpointer = Checkpointer(scratch, identity=identity)
    shown = tuple(f'reward_{name}' for name in names)
    state, seconds = loop.run(
      step,
      state,
      Grain(
        row_batches(len(self._prompts), batch=config.prompts, seed=self._seed)
      ),
      checkpointer,
      self._writer,
      loop.LoopConfig(stage, config.opt.steps, self._saving, show=shown),
    )
    checkpointer.close()
    return state.params, seconds

  def _begin(self, start: Any, tx: optax.GradientTransformation) -> Any:
    """Returns the state before the first update, on the mesh."""
    weighting = self._weighting or self._config.make_weighting()
    objectives = len(self._rewards.names)
    return sharding.jit_init(
      lambda params: train_state.create(
        jax.tree.map(jnp.copy, params),
        tx,
        self._seed,
        weighting.init(objectives),
      ),
      self._policy.mesh,
      start,
    )

  def _identity(self, start: Any, stage: str) -> dict[str, Any]:
    """Returns what a training is, for the note beside its checkpoints."""
    some = np.linspace(0, len(self._prompts) - 1, 64).astype(np.int64)
    prompt_bp, _ = self._prompts.batch(np.unique(some))
    return {
      'stage': stage,
      'rewards': list(self._rewards.names),
      'config': deviations(self._config),
      'seed': self._seed,
      'prompts': len(self._prompts),
      'tokens of some prompts': hashlib.sha256(prompt_bp).hexdigest()[:16],
      'weighting': _named(self._weighting),
      'advantage': _named(self._advantage),
      'start': train_state.digest((start, self._policy.frozen)),
    }

  def collect(
    self, params: Any, index_b: np.ndarray, step: int
  ) -> tuple[RolloutBatch, dict[str, float]]:
    """Returns G rollouts of each prompt, their rewards, and what was seen.

    Args:
      params: what is trained.
      index_b: int, which prompts.
      step: number of the update; with the seed it fixes every draw.
    """
    b, g = len(index_b), self._config.group
    prompt_bp, length_b = self._prompts.batch(index_b)
    seed_n = np.random.SeedSequence((self._seed, step)).generate_state(b * g)
    prompt = sharding.place_batch(
      (prompt_bp, length_b, seed_n), self._policy.rollout_mesh
    )
    completions = self._policy.sampler(self._config.temperature)(
      self._policy.for_rollouts(params), *prompt
    )
    sampled = self._policy.sampled(completions, g)
    earned = self._rewards(sampled, np.repeat(index_b, g))
    known_nk = earned.known_nk
    batch = RolloutBatch(
      prompt_bp=prompt_bp,
      prompt_length_b=length_b,
      completion_bgc=np.asarray(completions.token_nc).reshape(b, g, -1),
      length_bg=np.asarray(completions.length_n).reshape(b, g),
      old_logp_bgc=np.asarray(completions.logp_nc).reshape(b, g, -1),
      reward_bgk=earned.reward_nk.reshape(b, g, -1),
      known_bgk=None if known_nk.all() else known_nk.reshape(b, g, -1),
    )
    ended_rate = float(np.asarray(completions.ended_n).mean())
    return batch, earned.seen | {'ended_rate': ended_rate}


def _check(
  policy: Policy, prompts: Prompts, rewards: Rewards, config: RLTrainConfig
) -> None:
  """Raises UserError where the arguments do not fit one another."""
  if not hasattr(prompts, 'batch'):
    raise UserError(
      f'the prompts are a {type(prompts).__name__}; give'
      ' data.texts.TextPrompts(texts, tokenizer).'
    )
  if not hasattr(rewards, 'names'):
    raise UserError(
      f'the rewards are a {type(rewards).__name__}; give'
      " rl.FunctionRewards({'name': function})."
    )
  own, other = (
    getattr(getattr(x, 'tokenizer', None), 'vocab_size', None)
    for x in (prompts, policy)
  )
  if own is not None and own != other:
    raise UserError(
      f'the prompts were encoded by a tokenizer of {own} tokens, the policy has'
      f' one of {other}; take the same for both.'
    )
  if config.form == 'one_backward' and policy.rollout_vjp is None:
    raise UserError(
      f"rl.form is 'one_backward', which {type(policy).__name__} has not;"
      " choose 'vjps' or 'jvp'."
    )
  for name, why in (
    ('temperature', 'the ratio of new to old probabilities begins at 1'),
    ('share_prompt', 'PolicyConfig.share_prompt is what training does'),
  ):
    ours, theirs = getattr(policy, name), getattr(config, name)
    if ours != theirs:
      raise UserError(
        f"the policy's {name} is {ours}, rl.{name} is {theirs}; make them the"
        f' same: {why}.'
      )
  given = len(config.fixed_weights)
  if given not in (0, len(rewards.names)):
    raise UserError(
      f'rl.fixed_weights has {given} numbers for {len(rewards.names)} rewards'
      f' ({", ".join(rewards.names)}); give one for each.'
    )
  sharding.check_batch(config.prompts, policy.mesh, 'rl.prompts')


def _named(value: Any) -> str:
  """Returns a rule or a function by name, with the plain values it holds."""
  if isinstance(value, pareto.Weighting):
    return f'{_named(value.init)} {_named(value.update)}'
  if isinstance(value, functools.partial):
    return f'{_named(value.func)} {value.args} {sorted(value.keywords.items())}'
  if value is None:
    return ''
  cells = [
    cell.cell_contents for cell in getattr(value, '__closure__', None) or ()
  ]
  held = ', '.join(_named(c) if callable(c) else str(c) for c in cells)
  name = getattr(value, '__qualname__', type(value).__name__)
  # An address is another one in the next process.
  held = re.sub(' at 0x[0-9a-f]+', '', held)
  return f'{getattr(value, "__module__", "")}.{name}({held})'
