"""One POPO update: weights from per-reward gradients, then the policy."""

from collections.abc import Callable
import dataclasses
import functools
import re
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from taiji_jax import masked, pareto, train_state
from taiji_jax.rl import advantage, surrogate
from taiji_jax.rl.config import GRADIENT_RULES, RLConfig
from taiji_jax.train_state import TrainState


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


Logp = Callable[[Any, RolloutBatch], jax.Array]
# (params, batch, coef_kn) -> (logp_bgc, pullback, pullback of K objectives); it
# takes `frozen` as well where some variables are not trained.
SequenceVjp = Callable[[Any, RolloutBatch, jax.Array], tuple]
Gradients = tuple[Any, jax.Array, Any, pareto.Observation, jax.Array]


def popo_step(
  logp: Logp,
  tx: optax.GradientTransformation,
  config: RLConfig,
  reward_names: tuple[str, ...],
  sequence_vjp: SequenceVjp | None = None,
  gramian: Callable[[Any], jax.Array] = pareto.gramian,
) -> Callable[..., tuple[TrainState, dict]]:
  """Returns `step(state, batch, reference, frozen=None) -> (state, metrics)`.

  Pure. `reference` are all variables of the SFT model, `frozen` those that are
  not trained (`train_state.joined`).

  With K rewards: L_k is the clipped surrogate of reward k alone, z-scored in
  its group; I_k = <grad L_k, sum_j grad L_j>; the rule turns I into w; the
  combined advantage makes the loss, with KL to the reference
  (arXiv:2606.03866). Rules that need no gradients cost one backward.

  Args:
    logp: (params, batch) -> log-probabilities `[b, g, c]`.
    tx: the optimiser.
    config: the method's numbers.
    reward_names: K names, for the metrics.
    sequence_vjp: for the form 'one_backward': (params, batch, coef_kn) ->
      (log-probabilities, pullback, pullback of K objectives), as
      `modules.objective_slots.vjp` gives them.
    gramian: see `pareto.objective_gradients`.

  Raises:
    ValueError: the form needs a `sequence_vjp` and there is none.
  """
  weighting = config.make_weighting()
  if config.form == 'one_backward' and sequence_vjp is None:
    raise ValueError("the form 'one_backward' needs a sequence_vjp.")

  def step(
    state: TrainState, batch: RolloutBatch, reference: Any, frozen: Any = None
  ):
    reference_bgc = jax.lax.stop_gradient(logp(reference, batch))
    own_logp = lambda p, batch: logp(  # noqa: E731
      train_state.joined(p, frozen), batch
    )
    terms = _Terms(config, batch, reference_bgc, gramian)

    def weigh(observation: pareto.Observation):
      observation = dataclasses.replace(
        observation, reward_bgk=terms.reward_bgk
      )
      return weighting.update(observation, state.weighting)

    def read() -> Gradients:
      if config.weighting not in GRADIENT_RULES:
        return _without_gradients(terms, own_logp, state.params, weigh)
      if config.form == 'one_backward':
        own_vjp = _beside(sequence_vjp, frozen)
        return _one_backward(terms, own_vjp, state.params, weigh)
      if config.form == 'jvp':
        return _by_jvp(terms, own_logp, state.params, weigh)
      return _by_vjps(terms, own_logp, state.params, weigh)

    if config.reads_rarely:
      found = jax.lax.cond(
        state.step % config.alignment_every == 0,
        read,
        lambda: _unread(terms, own_logp, state, jax.eval_shape(read)[3]),
      )
    else:
      found = read()
    gradient, weights_k, rule_state, seen, logp_bgc = found
    norm = optax.tree.norm(gradient)
    metrics = terms.metrics(logp_bgc, weights_k) | {'gradient_norm': norm}
    metrics |= _observed(seen, batch.reward_bgk, weights_k, reward_names)
    metrics |= _log_weights(rule_state, reward_names)
    finite = jnp.isfinite(metrics['loss']) & jnp.isfinite(norm)
    finite &= jnp.isfinite(batch.reward_bgk).all()
    for value in jax.tree.leaves(seen):
      finite &= jnp.isfinite(value).all()
    state = train_state.advance(state, tx, gradient, finite, rule_state)
    return state, metrics

  return step


def _beside(sequence_vjp: SequenceVjp, frozen: Any) -> SequenceVjp:
  if frozen is None:
    return sequence_vjp
  return functools.partial(sequence_vjp, frozen=frozen)


class _Terms:
  """The losses of one batch, as functions of its log-probabilities."""

  def __init__(
    self,
    config: RLConfig,
    batch: RolloutBatch,
    reference_bgc: jax.Array,
    gramian: Callable[[Any], jax.Array],
  ):
    c = batch.completion_bgc.shape[-1]
    self.config, self.batch = config, batch
    self.reference_bgc, self.gramian = reference_bgc, gramian
    self.mask_bgc = jnp.arange(c) < batch.length_bg[..., None]
    self.reward_bgk = batch.reward_bgk
    if config.kl == 'reward':
      ratio_bg = masked.mean(
        batch.old_logp_bgc - reference_bgc, self.mask_bgc, axis=-1
      )
      self.reward_bgk -= config.kl_beta * ratio_bg[..., None]
    self.each_bgk = jax.vmap(
      lambda r: advantage.group_normalize(r, config.advantage_epsilon),
      in_axes=-1,
      out_axes=-1,
    )(self.reward_bgk)

  def surrogate(self, logp_bgc: jax.Array, advantage_bg: jax.Array):
    return surrogate.clipped_loss(
      logp_bgc,
      self.batch.old_logp_bgc,
      advantage_bg,
      self.mask_bgc,
      self.config.clip,
    )

  def losses(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns L_k, `[K]`: each reward alone."""
    one = lambda a_bg: self.surrogate(logp_bgc, a_bg)  # noqa: E731
    return jax.vmap(one, in_axes=-1)(self.each_bgk)

  def kl(self, logp_bgc: jax.Array) -> jax.Array:
    return surrogate.kl_loss(logp_bgc, self.reference_bgc, self.mask_bgc)

  def combined(self, logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
    """Returns the loss to descend, a scalar."""
    advantage_bg = getattr(advantage, self.config.combine)(
      self.reward_bgk, weights_k, self.config.advantage_epsilon
    )
    loss = self.surrogate(logp_bgc, advantage_bg)
    if self.config.kl == 'loss' and self.config.kl_beta:
      loss += self.config.kl_beta * self.kl(logp_bgc)
    return loss

  def observes(self, path: str) -> bool:
    """Returns whether a parameter's gradients count for the weights."""
    return bool(re.search(self.config.alignment_on, path))

  def in_span(self) -> bool:
    """Returns whether the combined gradient is sum_k w_k g_k."""
    kl = self.config.kl == 'loss' and self.config.kl_beta > 0
    return self.config.combine == 'normalize_then_sum' and not kl

  def finish(self, logp_bgc: jax.Array, pullback: Callable):
    """Returns weights_k -> the combined gradient; None where in the span."""
    if self.in_span():
      return None
    return lambda weights_k: pullback(
      jax.grad(self.combined)(logp_bgc, weights_k)
    )

  def metrics(self, logp_bgc: jax.Array, weights_k: jax.Array) -> dict:
    moved_bgc = jnp.abs(logp_bgc - self.batch.old_logp_bgc)
    return {
      'loss': self.combined(logp_bgc, weights_k),
      'kl': self.kl(logp_bgc),
      'off_policy': masked.mean(moved_bgc, self.mask_bgc),
      'completion_tokens': self.batch.length_bg.mean(dtype=jnp.float32),
    }


def _without_gradients(terms: _Terms, logp: Logp, params, weigh) -> Gradients:
  """The rule reads rewards or nothing: weights first, then one backward."""
  logp_bgc, pullback = jax.vjp(lambda p: logp(p, terms.batch), params)
  seen = pareto.Observation()
  weights_k, rule_state = weigh(seen)
  (gradient,) = pullback(jax.grad(terms.combined)(logp_bgc, weights_k))
  return gradient, weights_k, rule_state, seen, logp_bgc


def _by_vjps(terms: _Terms, logp: Logp, params, weigh) -> Gradients:
  """One forward, a backward for each reward, one for the combination."""
  logp_bgc, pullback = jax.vjp(lambda p: logp(p, terms.batch), params)
  _, gradients_k = pareto.by_vjps(logp_bgc, pullback, terms.losses)
  finish = terms.finish(logp_bgc, lambda cotangent: pullback(cotangent)[0])
  found = pareto.objective_gradients(
    gradients_k, weigh, finish, terms.observes, terms.gramian
  )
  return *found, logp_bgc


def _unread(terms: _Terms, logp: Logp, state: TrainState, seen) -> Gradients:
  """The weights of the last reading; what was not observed is 0."""
  keep = lambda _: (state.weighting.weight_k, state.weighting)  # noqa: E731
  found = _without_gradients(terms, logp, state.params, keep)
  nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), seen)
  return *found[:3], nothing, found[4]


def _one_backward(
  terms: _Terms, sequence_vjp: SequenceVjp, params, weigh
) -> Gradients:
  """One forward, one backward for all rewards, one for the combination.

  Where the rollouts are the policy's own, rho = 1 and
  dL_k/dlogp = -A_kn / (N |o_n|): one number a sequence tells the rewards apart.
  """
  rollouts = terms.each_bgk.shape[0] * terms.each_bgk.shape[1]
  coef_kn = terms.each_bgk.reshape(rollouts, -1).T / rollouts
  logp_bgc, pullback, objectives = sequence_vjp(params, terms.batch, coef_kn)
  length_bg1 = jnp.maximum(terms.batch.length_bg, 1)[..., None]
  gradients_k = objectives(-(terms.mask_bgc / length_bg1))
  finish = terms.finish(logp_bgc, pullback)
  found = pareto.objective_gradients(
    gradients_k, weigh, finish, terms.observes, terms.gramian
  )
  return *found, logp_bgc


def _by_jvp(terms: _Terms, logp: Logp, params, weigh) -> Gradients:
  """The alignment alone, then one backward for the combination."""
  forward = lambda p: logp(p, terms.batch)  # noqa: E731
  seen = pareto.Observation(
    alignment_k=pareto.alignment_by_jvp(forward, terms.losses, params)
  )
  weights_k, rule_state = weigh(seen)
  logp_bgc, pullback = jax.vjp(forward, params)
  (gradient,) = pullback(jax.grad(terms.combined)(logp_bgc, weights_k))
  return gradient, weights_k, rule_state, seen, logp_bgc


def _observed(
  seen: pareto.Observation,
  reward_bgk: jax.Array,
  weights_k: jax.Array,
  names: tuple[str, ...],
) -> dict[str, jax.Array]:
  """Returns the metrics of each reward, by its name."""
  metrics = {}
  for k, name in enumerate(names):
    reward_bg = reward_bgk[..., k]
    still_b = reward_bg.std(1) < 1e-6
    metrics |= {
      f'reward_{name}': reward_bg.mean(),
      f'weight_{name}': weights_k[k],
      f'zero_variance_{name}': still_b.mean(dtype=jnp.float32),
    }
    if seen.alignment_k is not None:
      metrics[f'alignment_{name}'] = seen.alignment_k[k]
    if seen.gramian_kk is not None:
      metrics[f'objective_norm_{name}'] = jnp.sqrt(seen.gramian_kk[k, k])
  return metrics


def _log_weights(
  rule_state: Any, names: tuple[str, ...]
) -> dict[str, jax.Array]:
  """Returns popo's log w: its weights may be too small for a float."""
  rule = getattr(rule_state, 'rule', rule_state)
  log_weight_k = getattr(rule, 'log_weight_k', None)
  if log_weight_k is None:
    return {}
  return {f'log_weight_{n}': log_weight_k[k] for k, n in enumerate(names)}
