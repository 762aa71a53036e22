"""Advantages of rollouts from the rewards of their group."""

import jax
import jax.numpy as jnp

COMBINE = ('sum_then_normalize', 'normalize_then_sum')


def group_normalize(reward_bg: jax.Array, epsilon: float = 1e-4) -> jax.Array:
  """Returns (r - mean) / (std + eps) within each group, float32 `[b, g]`.

  The advantage of GRPO (arXiv:2402.03300). `Choice:` population standard
  deviation, eps = 1e-4. A group whose rewards are all equal gets zeros.

  Args:
    reward_bg: rewards of g rollouts of b prompts.
    epsilon: > 0.
  """
  reward_bg = reward_bg.astype(jnp.float32)
  centred_bg = reward_bg - reward_bg.mean(-1, keepdims=True)
  return centred_bg / (reward_bg.std(-1, keepdims=True) + epsilon)


def sum_then_normalize(
  reward_bgk: jax.Array, weights_k: jax.Array, epsilon: float = 1e-4
) -> jax.Array:
  """Returns the advantage of sum_k w_k r_k, z-scored anew in each group.

  Taiji's combination (arXiv:2606.03866). The factor of each reward differs from
  group to group, so the update is not sum_k w_k g_k.

  Args:
    reward_bgk: `[b, g, K]`.
    weights_k: `[K]`.
    epsilon: see `group_normalize`.

  Returns:
    float32 `[b, g]`, mean 0 in each group.
  """
  return group_normalize(
    reward_bgk.astype(jnp.float32) @ weights_k.astype(jnp.float32), epsilon
  )


def normalize_then_sum(
  reward_bgk: jax.Array, weights_k: jax.Array, epsilon: float = 1e-4
) -> jax.Array:
  """Returns sum_k w_k A_k, each reward z-scored alone in each group.

  GDPO's combination (arXiv:2601.05242, without its batch normalisation): with
  it the update *is* sum_k w_k g_k.

  Args:
    reward_bgk: `[b, g, K]`.
    weights_k: `[K]`.
    epsilon: see `group_normalize`.

  Returns:
    float32 `[b, g]`, mean 0 in each group.
  """
  advantage_bgk = jax.vmap(
    lambda r: group_normalize(r, epsilon), in_axes=-1, out_axes=-1
  )(reward_bgk)
  return advantage_bgk @ weights_k.astype(jnp.float32)
