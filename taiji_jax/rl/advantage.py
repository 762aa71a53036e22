"""Advantages of rollouts from the rewards of their group.

An advantage is a function `(reward_bgk, known_bgk, weights_k) -> advantage_bg`
that the RL step is handed; `known_bgk` is None where every reward is known.
"""

from collections.abc import Callable
import functools

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked

Advantage = Callable[[jax.Array, jax.Array | None, jax.Array], jax.Array]

COMBINE = ('sum_then_normalize', 'normalize_then_sum')
# Those that are sum_k w_k A_k, and whose gradient so is sum_k w_k g_k.
LINEAR = ('normalize_then_sum',)


def make(combine: str, epsilon: float = 1e-4) -> Advantage:
  """Returns the advantage of that name.

  Args:
    combine: one of `COMBINE`.
    epsilon: see `group_normalize`.
  """
  chosen = {
    'sum_then_normalize': sum_then_normalize,
    'normalize_then_sum': normalize_then_sum,
  }[combine]
  return functools.partial(chosen, epsilon=epsilon)


def group_normalize(
  reward_bg: jax.Array,
  known_bg: jax.Array | None = None,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns (r - mean) / (std + eps) within each group, float32 `[b, g]`.

  The advantage of GRPO (arXiv:2402.03300). `Choice:` population standard
  deviation, eps = 1e-4. A group whose rewards are all equal gets exact zeros.

  Args:
    reward_bg: rewards of g rollouts of b prompts.
    known_bg: bool `[b, g]`, or None where all are known. Mean and deviation are
      those of the known ones; the others get 0, whatever their reward holds.
    epsilon: > 0.
  """
  chex.assert_rank(reward_bg, 2)
  known_bg = _mask(reward_bg, known_bg)
  # A constant reward has differences of exactly 0, and so has what follows.
  gap_bg = masked.differences(reward_bg, known_bg, axis=1)
  mean_b1 = masked.mean(gap_bg, known_bg, axis=1)[:, None]
  centred_bg = jnp.where(known_bg, gap_bg - mean_b1, 0.0)
  variance_b1 = masked.mean(centred_bg**2, known_bg, axis=1)[:, None]
  return centred_bg / (jnp.sqrt(variance_b1) + epsilon)


def sum_then_normalize(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns the advantage of sum_k w_k r_k, z-scored anew in each group.

  Taiji's combination (arXiv:2606.03866). The factor of each reward differs from
  group to group, so the update is not sum_k w_k g_k.

  `Choice:` a reward that is not known counts as the mean of those of its group
  that are; a rollout of which none is known gets 0.

  Args:
    reward_bgk: `[b, g, K]`.
    known_bgk: bool `[b, g, K]`, or None where all are known.
    weights_k: `[K]`.
    epsilon: see `group_normalize`.

  Returns:
    float32 `[b, g]`, mean 0 in each group.
  """
  _check(reward_bgk, known_bgk, weights_k)
  known_bgk = _mask(reward_bgk, known_bgk)
  gap_bgk = masked.differences(reward_bgk, known_bgk, axis=1)
  mean_b1k = masked.mean(gap_bgk, known_bgk, axis=1)[:, None]
  centred_bgk = jnp.where(known_bgk, gap_bgk - mean_b1k, 0.0)
  return group_normalize(
    _weighted(centred_bgk, weights_k), known_bgk.any(-1), epsilon
  )


def normalize_then_sum(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns sum_k w_k A_k, each reward z-scored alone in each group.

  GDPO's combination (arXiv:2601.05242, without its batch normalisation): with
  it the update *is* sum_k w_k g_k. A reward that is not known adds 0.

  Args:
    reward_bgk: `[b, g, K]`.
    known_bgk: bool `[b, g, K]`, or None where all are known.
    weights_k: `[K]`.
    epsilon: see `group_normalize`.

  Returns:
    float32 `[b, g]`, mean 0 in each group.
  """
  _check(reward_bgk, known_bgk, weights_k)
  advantage_bgk = each_normalized(reward_bgk, known_bgk, epsilon)
  return _weighted(advantage_bgk, weights_k)


def each_normalized(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None = None,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns `group_normalize` of each reward alone, float32 `[b, g, K]`.

  Args:
    reward_bgk: `[b, g, K]`.
    known_bgk: bool `[b, g, K]`, or None where all are known.
    epsilon: see `group_normalize`.
  """
  chex.assert_rank(reward_bgk, 3)
  return jax.vmap(
    lambda r, known: group_normalize(r, known, epsilon),
    in_axes=(-1, None if known_bgk is None else -1),
    out_axes=-1,
  )(reward_bgk, known_bgk)


def _mask(reward: jax.Array, known: jax.Array | None) -> jax.Array:
  return jnp.ones(reward.shape, bool) if known is None else known


def _weighted(value_bgk: jax.Array, weights_k: jax.Array) -> jax.Array:
  """Returns sum_k w_k x_k; no matrix product, which may round its inputs."""
  return (value_bgk * weights_k.astype(jnp.float32)).sum(-1)


def _check(reward_bgk, known_bgk, weights_k) -> None:
  chex.assert_rank([reward_bgk, weights_k], [3, 1])
  if known_bgk is not None:
    chex.assert_equal_shape([reward_bgk, known_bgk])
