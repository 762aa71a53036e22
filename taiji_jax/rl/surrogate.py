"""The clipped objective and the divergence from the reference."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked


def ratio(
  logp_bgc: jax.Array, old_logp_bgc: jax.Array, mask_bgc: jax.Array
) -> jax.Array:
  """Returns rho = exp(logp - old logp), float32 `[b, g, C]`; 1 off the mask.

  Args:
    logp_bgc, old_logp_bgc, mask_bgc: as for `clipped_loss`.
  """
  return jnp.exp(jnp.where(mask_bgc, logp_bgc - old_logp_bgc, 0.0))


def clipped_loss(
  logp_bgc: jax.Array,
  old_logp_bgc: jax.Array,
  advantage_bg: jax.Array,
  mask_bgc: jax.Array,
  clip: float,
) -> jax.Array:
  """Returns the loss of GRPO's clipped surrogate, a float32 scalar to descend.

  -mean over rollouts of the mean over tokens of
  min(rho A, clip(rho, 1 - eps, 1 + eps) A), rho = exp(logp - old logp)
  (arXiv:2402.03300, eq. 3, without its KL term).

  Args:
    logp_bgc: log-probabilities now.
    old_logp_bgc: those under the policy that drew the tokens.
    advantage_bg: one number a rollout.
    mask_bgc: bool, true for completion tokens, the end token included.
    clip: eps, > 0.
  """
  chex.assert_rank([logp_bgc, old_logp_bgc, advantage_bg], [3, 3, 2])
  ratio_bgc = ratio(logp_bgc, old_logp_bgc, mask_bgc)
  advantage_bg1 = advantage_bg[..., None]
  gain_bgc = jnp.minimum(
    ratio_bgc * advantage_bg1,
    jnp.clip(ratio_bgc, 1 - clip, 1 + clip) * advantage_bg1,
  )
  return -masked.mean(gain_bgc, mask_bgc, axis=-1).mean()


def kl_loss(
  logp_bgc: jax.Array, reference_bgc: jax.Array, mask_bgc: jax.Array
) -> jax.Array:
  """Returns an estimate of KL(policy || reference) a token, >= 0, float32.

  exp(d) - d - 1 with d = reference - logp (arXiv:2402.03300, eq. 4), averaged
  over the tokens of a rollout, then over rollouts.

  Args:
    logp_bgc: log-probabilities now.
    reference_bgc: those under the reference; no gradient flows into them.
    mask_bgc: bool, true for completion tokens.
  """
  chex.assert_rank([logp_bgc, reference_bgc], 3)
  d_bgc = jnp.where(mask_bgc, reference_bgc - logp_bgc, 0.0)
  return masked.mean(jnp.expm1(d_bgc) - d_bgc, mask_bgc, axis=-1).mean()
