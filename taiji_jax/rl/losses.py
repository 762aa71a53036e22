"""The losses of one batch of rollouts."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.rl import advantage as advantage_lib
from taiji_jax.rl import surrogate
from taiji_jax.rl.advantage import Advantage
from taiji_jax.rl.config import RLConfig


class Losses:
  """The losses of one batch, as functions of its log-probabilities.

  Attributes:
    batch: the rollouts.
    mask_bgc: bool, true for completion tokens.
    each_bgk: float32, each reward z-scored alone in its group, less the KL
      penalty where `config.kl` is 'reward'.
    in_span: whether the combined gradient is sum_k w_k g_k, where no ratio is
      clipped (see `unclipped`).
  """

  def __init__(
    self,
    config: RLConfig,
    advantage: Advantage | None,
    batch: RolloutBatch,
    reference_bgc: jax.Array | None,
  ):
    """Makes the losses.

    Args:
      config: the method's numbers.
      advantage: what combines the rewards; the config's where None.
      batch: the rollouts.
      reference_bgc: log-probabilities under the reference, float32; None where
        beta is 0.
    """
    batch.check()
    if reference_bgc is not None:
      chex.assert_rank(reference_bgc, 3)
    self._config, self._reference_bgc = config, reference_bgc
    self.batch = batch
    c = batch.completion_bgc.shape[-1]
    self.mask_bgc = jnp.arange(c) < batch.length_bg[..., None]
    epsilon = config.advantage_epsilon
    self.each_bgk = advantage_lib.each_normalized(
      batch.reward_bgk, batch.known_bgk, epsilon
    )
    # Of another's advantage nothing is known.
    self._linear = advantage is None and config.combine in advantage_lib.LINEAR
    self.in_span = self._linear and not self._adds_kl()
    self._advantage = advantage or advantage_lib.make(config.combine, epsilon)
    self._penalty_bg = self._make_penalty()
    if self._penalty_bg is not None:
      self.each_bgk -= self._penalty_bg[..., None]

  def each(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns L_k, float32 `[K]`: the surrogate of each reward alone."""
    one = lambda a_bg: self._surrogate(logp_bgc, a_bg)  # noqa: E731
    return jax.vmap(one, in_axes=-1)(self.each_bgk)

  def combined(self, logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
    """Returns the loss to descend, a float32 scalar."""
    rewards = self.batch.reward_bgk
    advantage_bg = self._advantage(rewards, self.batch.known_bgk, weights_k)
    if jnp.shape(advantage_bg) != rewards.shape[:2]:
      raise ValueError(
        f'the advantage gave the shape {jnp.shape(advantage_bg)}; it must give'
        f' [b, g], here {rewards.shape[:2]}.'
      )
    if self._penalty_bg is not None:
      # sum_k w_k (A_k - penalty) where the rule says so, which is in the span.
      share = weights_k.sum() if self._linear else 1.0
      advantage_bg = advantage_bg - share * self._penalty_bg
    loss = self._surrogate(logp_bgc, advantage_bg)
    if self._adds_kl():
      loss += self._config.kl_beta * self.kl(logp_bgc)
    return loss

  def cotangent(self, logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
    """Returns d combined / d logp, float32 `[b, g, C]`."""
    return jax.grad(self.combined)(logp_bgc, weights_k)

  def ratio(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns p / p_old of each token, float32 `[b, g, C]`; 1 if masked."""
    return surrogate.ratio(logp_bgc, self.batch.old_logp_bgc, self.mask_bgc)

  def unclipped(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns whether the clip changes nothing, a bool scalar."""
    moved_bgc = jnp.abs(self.ratio(logp_bgc) - 1)
    return (moved_bgc < self._config.clip).all()

  def kl(self, logp_bgc: jax.Array) -> jax.Array | None:
    """Returns the estimate of KL(policy || reference), a float32 scalar.

    None where there is no reference.
    """
    if self._reference_bgc is None:
      return None
    return surrogate.kl_loss(logp_bgc, self._reference_bgc, self.mask_bgc)

  def _adds_kl(self) -> bool:
    return self._config.kl == 'loss' and self._config.kl_beta > 0

  def _make_penalty(self) -> jax.Array | None:
    """Returns beta (log-ratio - its group's mean), float32 `[b, g]`."""
    if self._config.kl != 'reward' or not self._config.kl_beta:
      return None
    gap_bgc = self.batch.old_logp_bgc - self._reference_bgc
    gap_bg = masked.mean(gap_bgc, self.mask_bgc, axis=-1)
    return self._config.kl_beta * (gap_bg - gap_bg.mean(1, keepdims=True))

  def _surrogate(self, logp_bgc: jax.Array, advantage_bg: jax.Array):
    return surrogate.clipped_loss(
      logp_bgc,
      self.batch.old_logp_bgc,
      advantage_bg,
      self.mask_bgc,
      self._config.clip,
    )
