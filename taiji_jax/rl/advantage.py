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


def a2po_lambda(
  business_bg: jax.Array,
  semantic_bg: jax.Array,
  *,
  gate: bool = True,
  bound: bool = True,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns lambda, how much of the semantic advantage is admitted.

    lambda = 1[sign A_biz = sign A_sem] min(|A_biz|, |A_sem|)
             / (max(|A_biz|, |A_sem|) + eps)

  S-GRec (arXiv:2602.10606).

  Args:
    business_bg: A_biz, float32.
    semantic_bg: A_sem, float32, 0 where it is not known.
    gate: whether signs must agree; an ablation without.
    bound: whether the ratio of sizes is there; an ablation without, where
      lambda is the gate alone.
    epsilon: > 0.

  Returns:
    float32 `[b, g]` in [0, 1]; 0 where either advantage is 0.
  """
  chex.assert_equal_shape([business_bg, semantic_bg])
  own_bg, other_bg = jnp.abs(business_bg), jnp.abs(semantic_bg)
  both_bg = (business_bg != 0) & (semantic_bg != 0)
  if gate:
    both_bg &= jnp.sign(business_bg) == jnp.sign(semantic_bg)
  if not bound:
    return both_bg.astype(jnp.float32)
  ratio_bg = jnp.minimum(own_bg, other_bg) / (
    jnp.maximum(own_bg, other_bg) + epsilon
  )
  return jnp.where(both_bg, ratio_bg, 0.0)


def a2po(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array | None = None,
  *,
  epsilon: float = 1e-4,
  gate: bool = True,
  bound: bool = True,
  uninformed: float = 0.0,
) -> jax.Array:
  """Returns A_biz + lambda A_sem, the advantage of S-GRec.

  The semantic advantage counts where it agrees with the business advantage, and
  never for more than that (arXiv:2602.10606; TRL's `a2po` is another method,
  arXiv:2505.20686). Each reward is z-scored alone in its group over the
  rollouts whose reward is known. A reward that is not known, or that is known
  of one rollout of a group alone, has the advantage 0, so that a group that was
  not judged has A_biz.

  Args:
    reward_bgk: `[b, g, 2]`: the business reward, then the semantic one.
    known_bgk: bool `[b, g, 2]`, or None where all are known.
    weights_k: not read; there to be an `Advantage`.
    epsilon: of the z-scores and of lambda.
    gate, bound: see `a2po_lambda`.
    uninformed: not the paper's: the weight, 0 to 1, of A_sem in groups whose
      business advantages are all 0, where A2PO has nothing to say.

  Returns:
    float32 `[b, g]`. With gate and bound and `uninformed` 0: its sign is that
    of A_biz and its size within [|A_biz|, 2 |A_biz|].

  Raises:
    ValueError: there are not two rewards.
  """
  del weights_k
  business_bg, semantic_bg = _pair(reward_bgk, known_bgk, epsilon)
  lambda_bg = a2po_lambda(
    business_bg, semantic_bg, gate=gate, bound=bound, epsilon=epsilon
  )
  advantage_bg = business_bg + lambda_bg * semantic_bg
  if uninformed:
    silent_b1 = ~(business_bg != 0).any(1, keepdims=True)
    advantage_bg += jnp.where(silent_b1, uninformed * semantic_bg, 0.0)
  return advantage_bg


def gd2po(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array | None = None,
  *,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns the sum of both advantages, 0 where their signs disagree.

  GD2PO masks rollouts whose rewards disagree (arXiv:2606.16771). `Choice:` an
  advantage of 0, as of a reward that is not known, disagrees with nothing.

  Args:
    reward_bgk, known_bgk, weights_k, epsilon: see `a2po`.
  """
  del weights_k
  business_bg, semantic_bg = _pair(reward_bgk, known_bgk, epsilon)
  disagree_bg = jnp.sign(business_bg) * jnp.sign(semantic_bg) < 0
  return jnp.where(disagree_bg, 0.0, business_bg + semantic_bg)


def reward_sum(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array | None = None,
  *,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns the advantage of r_1 + ... + r_K, an ablation of S-GRec.

  Args:
    reward_bgk, known_bgk: see `sum_then_normalize`, which this is with weights
      of 1.
    weights_k: not read.
    epsilon: see `group_normalize`.
  """
  del weights_k
  ones_k = jnp.ones(reward_bgk.shape[-1], jnp.float32)
  return sum_then_normalize(reward_bgk, known_bgk, ones_k, epsilon)


def advantage_sum(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array | None = None,
  *,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns A_1 + ... + A_K, an ablation of S-GRec: lambda is 1 everywhere.

  Args:
    reward_bgk, known_bgk: see `normalize_then_sum`, which this is with weights
      of 1.
    weights_k: not read.
    epsilon: see `group_normalize`.
  """
  del weights_k
  return each_normalized(reward_bgk, known_bgk, epsilon).sum(-1)


def gdpo(
  reward_bgk: jax.Array,
  known_bgk: jax.Array | None,
  weights_k: jax.Array | None = None,
  *,
  epsilon: float = 1e-4,
) -> jax.Array:
  """Returns GDPO's advantage (arXiv:2601.05242): A_1 + ... + A_K, scaled.

  The sum is z-scored once more over all rollouts of the batch of which a reward
  is known; the others get 0.

  Args:
    reward_bgk, known_bgk, weights_k, epsilon: see `advantage_sum`.
  """
  sum_bg = advantage_sum(reward_bgk, known_bgk, weights_k, epsilon=epsilon)
  known_bg = _mask(reward_bgk, known_bgk).any(-1)
  flat_1n, known_1n = sum_bg.reshape(1, -1), known_bg.reshape(1, -1)
  return group_normalize(flat_1n, known_1n, epsilon).reshape(sum_bg.shape)


def _pair(
  reward_bgk: jax.Array, known_bgk: jax.Array | None, epsilon: float
) -> tuple[jax.Array, jax.Array]:
  """Returns (A_biz, A_sem), float32 `[b, g]`."""
  if reward_bgk.ndim != 3 or reward_bgk.shape[-1] != 2:
    raise ValueError(
      f'the rewards have the shape {reward_bgk.shape}; give [b, g, 2]: the'
      ' business reward, then the semantic one.'
    )
  advantage_bgk = each_normalized(reward_bgk, known_bgk, epsilon)
  return advantage_bgk[..., 0], advantage_bgk[..., 1]


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
