"""One POPO update: weights from per-reward gradients, then the policy."""

from collections.abc import Callable
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from taiji_jax import masked, pareto, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.rl import observe as observe_lib
from taiji_jax.rl.advantage import Advantage
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.losses import Losses
from taiji_jax.rl.observe import Gramian, Logp, Observe, SequenceVjp
from taiji_jax.train_state import TrainState


class Update(NamedTuple):
  """What one batch asks for.

  Attributes:
    gradient: to descend, a pytree as the trained parameters.
    weights_k: float32 `[K]`.
    rule_state: of the weighting rule, after it.
    seen: what was observed of the gradients.
    logp_bgc: log-probabilities of the rollouts now, float32.
  """

  gradient: Any
  weights_k: jax.Array
  rule_state: Any
  seen: pareto.Observation
  logp_bgc: jax.Array


def popo_step(
  logp: Logp,
  tx: optax.GradientTransformation,
  config: RLConfig,
  reward_names: tuple[str, ...],
  sequence_vjp: SequenceVjp | None = None,
  gramian: Gramian = pareto.gramian,
  advantage: Advantage | None = None,
  weighting: pareto.Weighting | None = None,
) -> Callable[..., tuple[TrainState, dict]]:
  """Returns `step(state, batch, reference, frozen=None) -> (state, metrics)`.

  Pure. `reference` are all variables of the SFT model, or None where
  `config.kl_beta` is 0, which reads none; `frozen` those that are not trained
  (`train_state.joined`).

  With K rewards: L_k is the clipped surrogate of reward k alone, z-scored in
  its group; I_k = <grad L_k, sum_j grad L_j>; the rule turns I into w; the
  combined advantage makes the loss, with KL to the reference
  (arXiv:2606.03866). Rules that need no gradients cost one backward.

  Args:
    logp: (params, batch) -> log-probabilities `[b, g, c]`.
    tx: the optimiser.
    config: the method's numbers.
    reward_names: K names, for the metrics.
    sequence_vjp: for the form 'one_backward', see `observe.one_backward`.
    gramian: see `pareto.observe_gradients`.
    advantage: (reward_bgk, known_bgk, weights_k) -> advantage_bg, what combines
      the rewards; `config.combine` names it where None. Traced, so of jax.
    weighting: the rule; the config's where None.

  Raises:
    ValueError: the form needs a `sequence_vjp` and there is none, or the rule
      reads losses.
  """
  rule = weighting or config.make_weighting()
  if rule.reads == 'losses':
    raise ValueError('the rule reads losses, and rewards have none.')
  reads = rule.reads == 'gradients'
  observe = observe_lib.choose(config, reads, logp, sequence_vjp, gramian)
  read = _reading(observe, rule)
  if config.reads_rarely and weighting is None:
    keep = _reading(observe_lib.without_gradients(logp), _KEPT)
    read = _rarely(read, keep, config.alignment_every)

  def step(
    state: TrainState, batch: RolloutBatch, reference: Any, frozen: Any = None
  ) -> tuple[TrainState, dict]:
    reference_bgc = None
    if config.kl_beta > 0:
      if reference is None:
        raise ValueError(
          f'rl.kl_beta is {config.kl_beta}, which needs a reference; give its'
          ' variables, or set rl.kl_beta to 0.'
        )
      reference_bgc = jax.lax.stop_gradient(logp(reference, batch))
    losses = Losses(config, advantage, batch, reference_bgc)
    update = read(state, losses, frozen)
    metrics = _metrics(update, losses, reward_names)
    finite = _finite(update, metrics, batch)
    state = train_state.advance(
      state, tx, update.gradient, finite, update.rule_state
    )
    return state, metrics

  return step


# (state, losses, frozen) -> what the batch asks for.
Read = Callable[[TrainState, Losses, Any], Update]

# The weights of the last reading, whatever is observed.
_KEPT = pareto.Weighting(
  init=lambda num_objectives: (),
  update=lambda observation, state: (state.weight_k, state),
  reads='nothing',
)


def _reading(observe: Observe, rule: pareto.Weighting) -> Read:
  """Returns the way from a batch to its update: observe, weigh, combine."""

  def read(state: TrainState, losses: Losses, frozen: Any) -> Update:
    if rule.reads == 'rewards' and losses.batch.known_bgk is not None:
      raise ValueError(
        'the weighting reads the rewards, and some are not known; choose a'
        ' rule that reads gradients, or fixed.'
      )
    found = observe(state.params, losses, frozen)
    weights_k, rule_state = rule.update(
      dataclasses.replace(found.seen, reward_bgk=losses.batch.reward_bgk),
      state.weighting,
    )
    weights_k = jax.lax.stop_gradient(weights_k)
    gradient = found.descend(weights_k)
    return Update(gradient, weights_k, rule_state, found.seen, found.logp_bgc)

  return read


def _rarely(read: Read, keep: Read, every: int) -> Read:
  """Returns `read` in each `every`-th step, else `keep`, which observed 0."""

  def either(state: TrainState, losses: Losses, frozen: Any) -> Update:
    def full() -> Update:
      return read(state, losses, frozen)

    def plain() -> Update:
      nothing = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(full).seen
      )
      return keep(state, losses, frozen)._replace(seen=nothing)

    return jax.lax.cond(state.step % every == 0, full, plain)

  return either


def _finite(update: Update, metrics: dict, batch: RolloutBatch) -> jax.Array:
  """Returns whether the update may be taken, a bool scalar."""
  finite = jnp.isfinite(metrics['loss'])
  finite &= jnp.isfinite(metrics['gradient_norm'])
  finite &= jnp.isfinite(batch.reward_bgk).all()
  for value in jax.tree.leaves(update.seen):
    finite &= jnp.isfinite(value).all()
  return finite


def _metrics(
  update: Update, losses: Losses, names: tuple[str, ...]
) -> dict[str, jax.Array]:
  """Returns the metrics of an update, float32 scalars."""
  batch, logp_bgc = losses.batch, update.logp_bgc
  moved_bgc = jnp.abs(logp_bgc - batch.old_logp_bgc)
  metrics = {
    'loss': losses.combined(logp_bgc, update.weights_k),
    'off_policy': masked.mean(moved_bgc, losses.mask_bgc),
    'completion_tokens': batch.length_bg.mean(dtype=jnp.float32),
    'gradient_norm': optax.tree.norm(update.gradient),
  }
  if (kl := losses.kl(logp_bgc)) is not None:
    metrics['kl'] = kl
  for k, name in enumerate(names):
    metrics |= {f'{n}_{name}': v for n, v in _of_reward(update, batch, k)}
  return metrics


def _of_reward(update: Update, batch: RolloutBatch, k: int):
  """Yields (name, value) of the metrics of reward k."""
  reward_bg, known_bgk = batch.reward_bgk[..., k], batch.known_bgk
  known_bg = (
    jnp.ones(reward_bg.shape, bool) if known_bgk is None else known_bgk[..., k]
  )
  mean = masked.mean(reward_bg, known_bg)
  gap_b = jnp.abs(masked.differences(reward_bg, known_bg, axis=1)).max(1)
  yield 'reward', mean
  if known_bgk is not None:
    yield 'known', known_bgk[..., k].mean(dtype=jnp.float32)
  yield 'weight', update.weights_k[k]
  yield 'zero_variance', (gap_b < 1e-6).mean(dtype=jnp.float32)
  seen = update.seen
  if seen.alignment_k is not None:
    yield 'alignment', seen.alignment_k[k]
  if seen.gramian_kk is not None:
    yield 'objective_norm', jnp.sqrt(seen.gramian_kk[k, k])
  # popo's weights may be too small for a float.
  rule = getattr(update.rule_state, 'rule', update.rule_state)
  if (log_weight_k := getattr(rule, 'log_weight_k', None)) is not None:
    yield 'log_weight', log_weight_k[k]
