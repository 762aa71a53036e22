"""The ways to the per-reward gradients; one is chosen when a step is built.

Each is a function `(params, losses, frozen) -> Observed`: what a weighting rule
may look at, and the gradient to descend once the weights are known.
"""

from collections.abc import Callable
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax import pareto, sharding, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.errors import UserError
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.losses import Losses

Logp = Callable[[Any, RolloutBatch], jax.Array]
# (params, batch, coef_kn) -> (logp_bgc, pullback, pullback of K objectives); it
# takes `frozen` as well where some variables are not trained.
SequenceVjp = Callable[..., tuple]
Gramian = Callable[[Any], jax.Array]


class Observed(NamedTuple):
  """What is known before the weights are.

  Attributes:
    logp_bgc: log-probabilities of the rollouts now, float32.
    seen: of the gradients; empty where none were made.
    descend: weights_k -> the gradient of the combined loss, a pytree as the
      trained parameters.
  """

  logp_bgc: jax.Array
  seen: pareto.Observation
  descend: Callable[[jax.Array], Any]


Observe = Callable[[Any, Losses, Any], Observed]


def choose(
  config: RLConfig,
  reads: bool,
  logp: Logp,
  sequence_vjp: SequenceVjp | None,
  gramian: Gramian,
) -> Observe:
  """Returns the config's way to the gradients.

  Args:
    config: the method's numbers.
    reads: whether the rule reads gradients.
    logp: (all variables, batch) -> log-probabilities `[b, g, c]`.
    sequence_vjp: see `one_backward`.
    gramian: see `pareto.observe_gradients`.

  Raises:
    ValueError: the form needs a `sequence_vjp` and there is none.
  """
  if config.form == 'one_backward' and sequence_vjp is None:
    raise ValueError("the form 'one_backward' needs a sequence_vjp.")
  if not reads:
    return without_gradients(logp)
  if config.form == 'jvp':
    return jvp(logp)

  def counts(path: str) -> bool:
    return bool(re.search(config.alignment_on, path))

  def look(gradients_k: Any) -> pareto.Observation:
    return pareto.observe_gradients(gradients_k, counts, gramian)

  if config.form == 'one_backward':
    return one_backward(logp, sequence_vjp, look)
  return vjps(logp, look)


def check_alignment_on(config: RLConfig, trained: Any) -> None:
  """Raises UserError where `config.alignment_on` matches no parameter.

  Args:
    config: the method's numbers.
    trained: what is trained, arrays or their shapes.
  """
  leaves = jax.tree_util.tree_leaves_with_path(trained)
  paths = [sharding.path_text(path) for path, _ in leaves]
  if not any(re.search(config.alignment_on, path) for path in paths):
    raise UserError(
      f'rl.alignment_on {config.alignment_on!r} matches none of the parameters'
      f' that are trained; there are {", ".join(paths)}.'
    )


def without_gradients(logp: Logp) -> Observe:
  """Returns the way of rules that read no gradient: one forward, one backward.

  Args:
    logp: (all variables, batch) -> log-probabilities `[b, g, c]`.
  """

  def observe(params: Any, losses: Losses, frozen: Any = None) -> Observed:
    logp_bgc, pullback = jax.vjp(_forward(logp, losses, frozen), params)

    def descend(weights_k: jax.Array) -> Any:
      return pullback(losses.cotangent(logp_bgc, weights_k))[0]

    return Observed(logp_bgc, pareto.Observation(), descend)

  return observe


def vjps(logp: Logp, look: Callable[[Any], pareto.Observation]) -> Observe:
  """Returns the way of one forward, a backward a reward, one for the sum.

  Args:
    logp: (all variables, batch) -> log-probabilities `[b, g, c]`.
    look: the K gradients -> what is seen of them.
  """

  plain = without_gradients(logp)

  def observe(params: Any, losses: Losses, frozen: Any = None) -> Observed:
    logp_bgc, pullback = jax.vjp(_forward(logp, losses, frozen), params)
    _, gradients_k = pareto.by_vjps(logp_bgc, pullback, losses.each)

    def descend(weights_k: jax.Array) -> Any:
      if losses.in_span:
        return _spanned(
          losses,
          logp_bgc,
          gradients_k,
          weights_k,
          lambda: plain(params, losses, frozen).descend(weights_k),
        )
      return pullback(losses.cotangent(logp_bgc, weights_k))[0]

    return Observed(logp_bgc, look(gradients_k), descend)

  return observe


def one_backward(
  logp: Logp,
  sequence_vjp: SequenceVjp,
  look: Callable[[Any], pareto.Observation],
) -> Observe:
  """Returns the way of one backward for all rewards, one for the sum.

  Where no ratio is clipped, dL_k/dlogp = -rho A_kn / (N |o_n|): one number a
  sequence tells the rewards apart. Where some are, the per-reward gradients
  are those without the clip; what is descended has it.

  Args:
    logp: (all variables, batch) -> log-probabilities `[b, g, c]`.
    sequence_vjp: (params, batch, coef_kn) -> (log-probabilities, pullback,
      pullback of K objectives), as `modules.objective_slots.vjp` gives them.
    look: the K gradients -> what is seen of them.
  """

  plain = without_gradients(logp)

  def observe(params: Any, losses: Losses, frozen: Any = None) -> Observed:
    beside = {} if frozen is None else {'frozen': frozen}
    b, g, k = losses.each_bgk.shape
    coef_kn = losses.each_bgk.reshape(b * g, k).T / (b * g)
    logp_bgc, pullback, objectives = sequence_vjp(
      params, losses.batch, coef_kn, **beside
    )
    length_bg1 = jnp.maximum(losses.batch.length_bg, 1)[..., None]
    ratio_bgc = jax.lax.stop_gradient(losses.ratio(logp_bgc))
    gradients_k = objectives(-(losses.mask_bgc * ratio_bgc / length_bg1))

    def descend(weights_k: jax.Array) -> Any:
      if losses.in_span:
        return _spanned(
          losses,
          logp_bgc,
          gradients_k,
          weights_k,
          lambda: plain(params, losses, frozen).descend(weights_k),
        )
      return pullback(losses.cotangent(logp_bgc, weights_k))

    return Observed(logp_bgc, look(gradients_k), descend)

  return observe


def jvp(logp: Logp) -> Observe:
  """Returns the way of the alignment alone, then one backward for the sum.

  Args:
    logp: (all variables, batch) -> log-probabilities `[b, g, c]`.
  """
  plain = without_gradients(logp)

  def observe(params: Any, losses: Losses, frozen: Any = None) -> Observed:
    alignment_k = pareto.alignment_by_jvp(
      _forward(logp, losses, frozen), losses.each, params
    )
    seen = pareto.Observation(alignment_k=alignment_k)
    return plain(params, losses, frozen)._replace(seen=seen)

  return observe


def _spanned(
  losses: Losses,
  logp_bgc: jax.Array,
  gradients_k: Any,
  weights_k: jax.Array,
  again: Callable[[], Any],
) -> Any:
  """Returns the gradient of a combined loss that is in the span.

  It is sum_k w_k g_k where nothing is clipped: the clip looks at the sign of an
  advantage, and a sum may have another. Else it is made by a forward and a
  backward of their own, so that those before need not be kept for them.

  Args:
    losses: of the batch.
    logp_bgc: log-probabilities now.
    gradients_k: the K gradients.
    weights_k: float32 `[K]`.
    again: -> the gradient.
  """
  return jax.lax.cond(
    losses.unclipped(logp_bgc),
    lambda: pareto.combine(gradients_k, weights_k),
    again,
  )


def _forward(logp: Logp, losses: Losses, frozen: Any):
  """Returns trained parameters -> log-probabilities of the batch."""
  return lambda params: logp(train_state.joined(params, frozen), losses.batch)
