"""What the battery runs on: rules, gradients, observations, counted traces."""

import collections
from collections.abc import Iterator, Sequence
import functools
from typing import Any

import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from tests.pareto import properties

TABLE = properties.table()
RULES = sorted(TABLE)
SEES_GRADIENTS = sorted(r for r in RULES if TABLE[r]['conflicts'] != '-')
WIDTH = 12
TOLERANCE = 1e-3


def gradients(size: int, kind: int) -> np.ndarray:
  """Returns float64 `[K, 12]`: at random, in conflict, of unequal length,
  one against all, one against one, one short and amid the others.
  """
  rng = np.random.default_rng(10 * size + kind)
  jacobian_kp = rng.normal(size=(size, WIDTH)) / 4
  if kind == 1:
    jacobian_kp -= 0.9 * jacobian_kp.mean(0)
  if kind == 2:
    jacobian_kp = jacobian_kp * (1.0 + 2 * np.arange(size))[:, None] + 0.1
  if kind == 3:
    jacobian_kp[-1] -= 2.5 * jacobian_kp[:-1].sum(0)
  if kind == 4:
    jacobian_kp[-1] = 0.2 * jacobian_kp[-1] - 2 * jacobian_kp[0]
  if kind == 5:
    jacobian_kp[-1] = 0.02 * jacobian_kp[-1] + 0.02 * jacobian_kp[:-1].sum(0)
  return jacobian_kp


KINDS = range(6)


def observe(jacobian_kp: np.ndarray, dtype=jnp.float32) -> pareto.Observation:
  """Returns an observation whose every field follows from the gradients."""
  gramian_kk = jacobian_kp @ jacobian_kp.T
  reward_bgk = 1 + np.sin(jacobian_kp.T).reshape(3, 4, -1)
  return pareto.Observation(
    gramian_kk=jnp.asarray(gramian_kk, dtype),
    alignment_k=jnp.asarray(gramian_kk.sum(-1), dtype),
    reward_bgk=jnp.asarray(reward_bgk, dtype),
    loss_k=jnp.asarray(np.abs(jacobian_kp[:, 0]) + 0.5, dtype),
    preference_k=jnp.full((len(jacobian_kp),), 1.0, dtype),
  )


@functools.cache
def make(rule: str) -> pareto.Weighting:
  return getattr(pareto, rule)()


TRACES: collections.Counter[tuple[str, int]] = collections.Counter()


@functools.cache
def jitted(rule: str, size: int):
  """Returns the jitted update for K = size, its traces counted."""

  def counted(observation, state):
    TRACES[rule, size] += 1
    return make(rule).update(observation, state)

  return jax.jit(counted)


def run(rule: str, jacobians: Sequence[np.ndarray], update=None) -> np.ndarray:
  """Returns the weights after the last of several updates, from the start."""
  update = update or jitted(rule, len(jacobians[0]))
  state = make(rule).init(len(jacobians[0]))
  for jacobian_kp in jacobians:
    weights_k, state = update(observe(jacobian_kp), state)
  return np.asarray(weights_k)


def weigh(rule: str, jacobian_kp: np.ndarray) -> np.ndarray:
  return run(rule, [jacobian_kp])


def equations(primitive: str, found: Any) -> Iterator[core.JaxprEqn]:
  """Yields a primitive's equations of a jaxpr, of those inside it, too."""
  for part in jax.tree.leaves(
    found, is_leaf=lambda x: isinstance(x, core.Jaxpr | core.ClosedJaxpr)
  ):
    if isinstance(part, core.ClosedJaxpr):
      part = part.jaxpr
    if isinstance(part, core.Jaxpr):
      for equation in part.eqns:
        if equation.primitive.name == primitive:
          yield equation
        yield from equations(primitive, list(equation.params.values()))


def step(rule: str, jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns the update sum_k w_k g_k, `[P]`."""
  return jacobian_kp.T @ weigh(rule, jacobian_kp).astype(np.float64)
