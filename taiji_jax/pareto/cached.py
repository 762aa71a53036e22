"""A rule that remembers what it answered last."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_size,
)


class CachedState(NamedTuple):
  """The rule's own state, and its last weights, float32 `[K]`."""

  rule: Any
  weight_k: jax.Array


def cached(rule: Weighting) -> Weighting:
  """Returns `rule` with its last weights in the state, uniform at first.

  For callers that look at the gradients in some steps only and use the last
  weights between. It promises what `rule` promises.

  Args:
    rule: any weighting.
  """

  def init(num_objectives: int) -> CachedState:
    uniform_k = jnp.full((num_objectives,), 1.0 / num_objectives, jnp.float32)
    return CachedState(rule.init(num_objectives), uniform_k)

  def update(
    observation: Observation, state: CachedState
  ) -> tuple[jax.Array, CachedState]:
    weights_k, inner = rule.update(observation, state.rule)
    check_size('cached', len(weights_k), len(state.weight_k))
    return weights_k, CachedState(inner, weights_k.astype(jnp.float32))

  return Weighting(init, update, rule.reads)
