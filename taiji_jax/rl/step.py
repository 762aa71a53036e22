"""One POPO update: weights from per-reward gradients, then the policy."""

from collections.abc import Callable
import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from taiji_jax import masked, pareto, train_state
from taiji_jax.errors import UserError
from taiji_jax.rl import advantage, surrogate
from taiji_jax.train_state import TrainState

WEIGHTINGS = ('popo', 'popo_light', 'fixed')


@dataclasses.dataclass(frozen=True)
class RLConfig:
  """The method's numbers.

  Attributes:
    weighting: 'popo' (the paper's), 'popo_light' or 'fixed'.
    combine: 'sum_then_normalize' (the paper's: the weighted sum of rewards,
      z-scored anew in each group) or 'normalize_then_sum' (GDPO's).
    group: G, rollouts a prompt.
    eta, mu: POPO's step size and KL weight. `Choice:` silent in the paper.
    fixed_weights: for 'fixed'; uniform where empty.
    kl_beta: weight of KL(policy || SFT model), added once to the combined
      loss. `Choice:` whether the per-reward losses hold it is silent; here they
      don't.
    clip: eps of the surrogate. `Choice:` silent.
    advantage_epsilon: added to the group's standard deviation.
    temperature: of the rollouts. `Choice:` silent; 1, so that the sampling
      policy is the trained one.
  """

  weighting: str = 'popo'
  combine: str = 'sum_then_normalize'
  group: int = 4
  eta: float = 1.0
  mu: float = 1.0
  fixed_weights: tuple[float, ...] = ()
  kl_beta: float = 0.04
  clip: float = 0.2
  advantage_epsilon: float = 1e-4
  temperature: float = 1.0

  def __post_init__(self):
    for name, choices in (('weighting', WEIGHTINGS),
                          ('combine', advantage.COMBINE)):  # fmt: skip
      if getattr(self, name) not in choices:
        raise UserError(
          f'rl.{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(choices)}.'
        )
    if self.group < 2:
      raise UserError(
        f'rl.group is {self.group}; advantages compare the rollouts of a'
        ' group, so it must be at least 2.'
      )
    for name in ('eta', 'mu', 'clip', 'advantage_epsilon', 'temperature'):
      if not getattr(self, name) > 0:
        raise UserError(
          f'rl.{name} is {getattr(self, name)}; it must be above 0.'
        )
    if self.kl_beta < 0:
      raise UserError(f'rl.kl_beta is {self.kl_beta}; it must be 0 or more.')
    if self.fixed_weights and not (
      min(self.fixed_weights) >= 0 and sum(self.fixed_weights) > 0
    ):
      raise UserError(
        f'rl.fixed_weights is {self.fixed_weights}; give numbers >= 0, not'
        ' all zero.'
      )

  def make_weighting(self) -> pareto.Weighting:
    """Returns the weighting rule."""
    if self.weighting == 'popo':
      return pareto.popo(self.eta, self.mu)
    if self.weighting == 'popo_light':
      return pareto.popo_light()
    return pareto.fixed(self.fixed_weights or None)


@chex.dataclass(frozen=True)
class RolloutBatch:
  """Rollouts of b prompts, g each, with their K rewards.

  Attributes:
    prompt_bp: int32 `[b, P]`, padded on the right.
    prompt_length_b: int32.
    completion_bgc: int32 `[b, g, C]`.
    length_bg: int32, completion tokens, the end token counted.
    old_logp_bgc: float32, under the policy that drew them.
    reward_bgk: float32 `[b, g, K]`.
  """

  prompt_bp: jax.Array
  prompt_length_b: jax.Array
  completion_bgc: jax.Array
  length_bg: jax.Array
  old_logp_bgc: jax.Array
  reward_bgk: jax.Array


def popo_step(
  logp: Callable[[Any, RolloutBatch], jax.Array],
  tx: optax.GradientTransformation,
  config: RLConfig,
  reward_names: tuple[str, ...],
) -> Callable[[TrainState, RolloutBatch, Any], tuple[TrainState, dict]]:
  """Returns `step(state, batch, reference) -> (state, metrics)`, pure.

  With K rewards: L_k is the clipped surrogate of reward k alone, z-scored in
  its group; I_k = <grad L_k, sum_j grad L_j>; the rule turns I into w; the
  combined advantage makes the loss, with KL to the reference
  (arXiv:2606.03866). Rules that need no gradients cost one backward.

  Args:
    logp: (params, batch) -> log-probabilities `[b, g, c]`.
    tx: the optimiser.
    config: the method's numbers.
    reward_names: K names, for the metrics.
  """
  weighting = config.make_weighting()
  combine_rewards = getattr(advantage, config.combine)

  def step(state: TrainState, batch: RolloutBatch, reference: Any):
    c = batch.completion_bgc.shape[-1]
    mask_bgc = jnp.arange(c) < batch.length_bg[..., None]
    reference_bgc = jax.lax.stop_gradient(logp(reference, batch))
    each_bgk = jax.vmap(
      lambda r: advantage.group_normalize(r, config.advantage_epsilon),
      in_axes=-1,
      out_axes=-1,
    )(batch.reward_bgk)

    def surrogate_of(logp_bgc: jax.Array, advantage_bg: jax.Array):
      return surrogate.clipped_loss(
        logp_bgc, batch.old_logp_bgc, advantage_bg, mask_bgc, config.clip
      )

    def losses(logp_bgc: jax.Array) -> jax.Array:
      return jax.vmap(lambda a: surrogate_of(logp_bgc, a), in_axes=-1)(each_bgk)

    def combined(logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
      advantage_bg = combine_rewards(
        batch.reward_bgk, weights_k, config.advantage_epsilon
      )
      kl = surrogate.kl_loss(logp_bgc, reference_bgc, mask_bgc)
      return surrogate_of(logp_bgc, advantage_bg) + config.kl_beta * kl

    def weigh(observation: pareto.Observation):
      observation = dataclasses.replace(
        observation, reward_bgk=batch.reward_bgk
      )
      return weighting.update(observation, state.weighting)

    logp_bgc, pullback = jax.vjp(lambda p: logp(p, batch), state.params)
    if config.weighting == 'popo':
      gradient, weights_k, rule_state, seen = pareto.objective_gradients(
        logp_bgc, pullback, losses, combined, weigh
      )
    else:
      seen = pareto.Observation()
      weights_k, rule_state = weigh(seen)
      (gradient,) = pullback(jax.grad(combined)(logp_bgc, weights_k))
    loss = combined(logp_bgc, weights_k)
    norm = optax.tree.norm(gradient)
    bad_k = ~jnp.isfinite(batch.reward_bgk).all((0, 1))
    finite = jnp.isfinite(loss) & jnp.isfinite(norm) & ~bad_k.any()
    metrics = {
      'loss': loss,
      'gradient_norm': norm,
      'kl': surrogate.kl_loss(logp_bgc, reference_bgc, mask_bgc),
      'off_policy': masked.mean(
        jnp.abs(logp_bgc - batch.old_logp_bgc), mask_bgc
      ),
      'completion_tokens': batch.length_bg.mean(dtype=jnp.float32),
    }
    for k, name in enumerate(reward_names):
      reward_bg = batch.reward_bgk[..., k]
      metrics |= {
        f'reward_{name}': reward_bg.mean(),
        f'weight_{name}': weights_k[k],
        f'zero_variance_{name}': (reward_bg.std(1) < 1e-6).mean(
          dtype=jnp.float32
        ),
      }
      if seen.gramian_kk is not None:
        metrics[f'alignment_{name}'] = seen.alignment_k[k]
        metrics[f'objective_norm_{name}'] = jnp.sqrt(seen.gramian_kk[k, k])
        finite &= jnp.isfinite(seen.alignment_k[k])
    state = train_state.advance(state, tx, gradient, finite, rule_state)
    return state, metrics

  return step
