"""Gradients of K objectives that share one forward pass."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax.pareto.weighting import Observation


def gramian(gradients_k: list[Any]) -> jax.Array:
  """Returns <g_i, g_j>, float32 `[K, K]`, of K pytrees of gradients."""
  flat_k = [jax.tree.leaves(g) for g in gradients_k]

  def dot(a: list[jax.Array], b: list[jax.Array]) -> jax.Array:
    parts = (
      jnp.sum(x.astype(jnp.float32) * y.astype(jnp.float32))
      for x, y in zip(a, b, strict=True)
    )
    return sum(parts, jnp.float32(0))

  k = len(flat_k)
  upper = {(i, j): dot(flat_k[i], flat_k[j]) for i in range(k)
           for j in range(i, k)}  # fmt: skip
  return jnp.stack(
    [
      jnp.stack([upper[min(i, j), max(i, j)] for j in range(k)])
      for i in range(k)
    ]
  )


def objective_gradients(
  output: jax.Array,
  pullback: Callable[[jax.Array], Any],
  losses: Callable[[jax.Array], jax.Array],
  combine: Callable[[jax.Array, jax.Array], jax.Array],
  weigh: Callable[[Observation], tuple[jax.Array, Any]],
) -> tuple[Any, jax.Array, Any, Observation]:
  """Returns (gradient, weights_k, weigh's state, what it observed).

  One forward pass serves everything: the gradient of each objective, from which
  `weigh` finds the weights, and the gradient of what is combined with them.
  Every objective is a function of the forward's output, so each gradient is one
  more backward from another cotangent: K for the objectives, one for the
  combination, which need not lie in the span of the K (Taiji's does not).

  Args:
    output: what the objectives have in common, as `jax.vjp(forward, params)`
      gives it, `[...]`.
    pullback: cotangent of `output` -> a 1-tuple with the gradient by params;
      the second result of `jax.vjp`.
    losses: output -> the K objectives, `[K]`.
    combine: (output, weights_k) -> the scalar to descend.
    weigh: observation (with `gramian_kk`, `alignment_k`, `loss_k`) ->
      (weights_k, state).
  """
  loss_k, losses_vjp = jax.vjp(losses, output)
  basis_kk = jnp.eye(loss_k.shape[0], dtype=loss_k.dtype)
  gradients_k = [pullback(losses_vjp(row)[0])[0] for row in basis_kk]
  gramian_kk = gramian(gradients_k)
  observation = Observation(
    gramian_kk=gramian_kk, alignment_k=gramian_kk.sum(-1), loss_k=loss_k
  )
  weights_k, state = weigh(observation)
  cotangent = jax.grad(combine)(output, jax.lax.stop_gradient(weights_k))
  return pullback(cotangent)[0], weights_k, state, observation
