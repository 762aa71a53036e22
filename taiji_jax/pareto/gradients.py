"""Gradients of K objectives that share one forward pass.

How the K gradients are come by is the caller's choice:

- `by_vjps`: one forward, K backwards. Any differentiable objectives.
- a model's own way: where the objectives differ only by a coefficient a
  sequence, one backward gives all K (`taiji_jax.modules.objective_slots`).
- `alignment_by_jvp`: no K gradients at all, only I_k, at a cost flat in K.

`observe_gradients` then makes of them what a rule reads, and
`objective_gradients` weighs them as well.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax.pareto.product import HIGHEST
from taiji_jax.pareto.weighting import Observation

Weigh = Callable[[Observation], tuple[jax.Array, Any]]


def gramian(gradients_k: Any) -> jax.Array:
  """Returns <g_i, g_j>, float32 `[K, K]`, symmetric.

  Args:
    gradients_k: a pytree whose leaves have a leading K.

  Raises:
    ValueError: there is no leaf, or leaves differ in K.
  """

  def leaf(x: jax.Array) -> jax.Array:
    # Contracted where it lies: flattening would gather a sharded one.
    axes = tuple(range(1, x.ndim))
    return jnp.tensordot(
      x,
      x,
      axes=(axes, axes),
      precision=HIGHEST,
      preferred_element_type=jnp.float32,
    )

  leaves = jax.tree.leaves(gradients_k)
  if not leaves:
    raise ValueError('gramian: there are no gradients; name some parameters.')
  if len(sizes := {x.shape[:1] for x in leaves}) > 1 or () in sizes:
    raise ValueError(
      f'gramian: every leaf must have the same leading K, not {sorted(sizes)}.'
    )
  parts = [leaf(x) for x in leaves]
  total = sum(parts[1:], parts[0])
  return (total + total.T) / 2


def combine(gradients_k: Any, weights_k: jax.Array) -> Any:
  """Returns sum_k w_k g_k, a pytree without the leading K."""
  weights_k = jnp.asarray(weights_k)

  def leaf(g: jax.Array) -> jax.Array:
    return jnp.tensordot(
      weights_k.astype(g.dtype), g, axes=1, precision=HIGHEST
    )

  return jax.tree.map(leaf, gradients_k)


def by_vjps(
  output: jax.Array,
  pullback: Callable[[jax.Array], Any],
  losses: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, Any]:
  """Returns (loss_k, the K gradients): one backward an objective.

  Args:
    output: what the objectives have in common, as `jax.vjp(forward, params)`
      gives it.
    pullback: cotangent of `output` -> a 1-tuple with the gradient; the second
      result of `jax.vjp`.
    losses: output -> the K objectives, `[K]`.

  Raises:
    ValueError: `losses` gives no array `[K]`.
  """
  loss_k, losses_vjp = jax.vjp(losses, output)
  _check_losses('by_vjps', loss_k)
  basis_kk = jnp.eye(loss_k.shape[0], dtype=loss_k.dtype)
  each = [pullback(losses_vjp(row)[0])[0] for row in basis_kk]
  return loss_k, jax.tree.map(lambda *g: jnp.stack(g), *each)


def alignment_by_jvp(
  forward: Callable[[Any], jax.Array],
  losses: Callable[[jax.Array], jax.Array],
  params: Any,
) -> jax.Array:
  """Returns I_k = <g_k, sum_j g_j>, float32 `[K]`, without the K gradients.

  The derivative of every loss along sum_j g_j: one backward for the sum, one
  forward-mode pass, whatever K is. `forward` must not hold a `custom_vjp`.

  Args:
    forward: params -> output.
    losses: output -> the K objectives, `[K]`.
    params: where to differentiate.

  Raises:
    ValueError: `losses` gives no array `[K]`.
  """
  output, pullback = jax.vjp(forward, params)
  loss_k, losses_vjp = jax.vjp(losses, output)
  _check_losses('alignment_by_jvp', loss_k)
  (direction,) = pullback(losses_vjp(jnp.ones_like(loss_k))[0])
  _, along = jax.jvp(forward, (params,), (direction,))
  _, alignment_k = jax.jvp(losses, (output,), (along,))
  return alignment_k.astype(jnp.float32)


def _check_losses(who: str, loss_k: Any) -> None:
  if not isinstance(loss_k, jax.Array) or loss_k.ndim != 1:
    leaves = jax.tree.leaves(loss_k)
    raise ValueError(
      f'{who}: losses must return one array of shape [K] (jnp.stack), not'
      f' {type(loss_k).__name__} of {[jnp.shape(x) for x in leaves]}.'
    )


def _text(path: tuple[Any, ...]) -> str:
  return jax.tree_util.keystr(path, simple=True, separator='/')


def observe_gradients(
  gradients_k: Any,
  observe: Callable[[str], bool] | None = None,
  gramian: Callable[[Any], jax.Array] = gramian,
) -> Observation:
  """Returns the observation with the gradients' Gramian and alignment.

  Args:
    gradients_k: the K gradients, a pytree whose leaves have a leading K.
    observe: path of a leaf ('a/b/c') -> whether it counts in the Gramian; all
      do where None.
    gramian: the gradients by their paths -> `[K, K]`; another where they are
      sharded and the sum over devices shall be taken once.
  """
  leaves = jax.tree_util.tree_flatten_with_path(gradients_k)[0]
  seen = {_text(path): x for path, x in leaves}
  if observe is not None:
    seen = {path: x for path, x in seen.items() if observe(path)}
  gramian_kk = gramian(seen)
  return Observation(gramian_kk=gramian_kk, alignment_k=gramian_kk.sum(-1))


def objective_gradients(
  gradients_k: Any,
  weigh: Weigh,
  finish: Callable[[jax.Array], Any] | None = None,
  observe: Callable[[str], bool] | None = None,
  gramian: Callable[[Any], jax.Array] = gramian,
) -> tuple[Any, jax.Array, Any, Observation]:
  """Returns (gradient, weights_k, weigh's state, what it observed).

  Args:
    gradients_k: the K gradients, a pytree whose leaves have a leading K.
    weigh: observation (with `gramian_kk` and `alignment_k`) -> (weights_k,
      state).
    finish: weights_k -> the gradient to descend, where that is not
      sum_k w_k g_k: Taiji's combination z-scores the weighted rewards anew in
      each group and leaves the span of the K gradients.
    observe, gramian: see `observe_gradients`.
  """
  observation = observe_gradients(gradients_k, observe, gramian)
  weights_k, state = weigh(observation)
  weights_k = jax.lax.stop_gradient(weights_k)
  if finish is None:
    return combine(gradients_k, weights_k), weights_k, state, observation
  return finish(weights_k), weights_k, state, observation
