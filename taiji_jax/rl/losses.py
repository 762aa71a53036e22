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
    reward_bgk: float32, less the KL penalty where `config.kl` is 'reward'.
    each_bgk: float32, each reward z-scored alone in its group.
    in_span: whether the combined gradient is sum_k w_k g_k.
  """

  def __init__(
    self,
    config: RLConfig,
    advantage: Advantage | None,
    batch: RolloutBatch,
    reference_bgc: jax.Array,
  ):
    """Makes the losses.

    Args:
      config: the method's numbers.
      advantage: what combines the rewards; the config's where None.
      batch: the rollouts.
      reference_bgc: log-probabilities under the reference, float32.
    """
    batch.check()
    chex.assert_rank(reference_bgc, 3)
    self._config, self._reference_bgc = config, reference_bgc
    self.batch = batch
    c = batch.completion_bgc.shape[-1]
    self.mask_bgc = jnp.arange(c) < batch.length_bg[..., None]
    self.reward_bgk = batch.reward_bgk
    if config.kl == 'reward':
      ratio_bg = masked.mean(
        batch.old_logp_bgc - reference_bgc, self.mask_bgc, axis=-1
      )
      self.reward_bgk -= config.kl_beta * ratio_bg[..., None]
    epsilon = config.advantage_epsilon
    self.each_bgk = advantage_lib.each_normalized(
      self.reward_bgk, batch.known_bgk, epsilon
    )
    # Of another's advantage nothing is known.
    linear = advantage is None and config.combine in advantage_lib.LINEAR
    self.in_span = linear and not self._adds_kl()
    self._advantage = advantage or advantage_lib.make(config.combine, epsilon)

  def each(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns L_k, float32 `[K]`: the surrogate of each reward alone."""
    one = lambda a_bg: self._surrogate(logp_bgc, a_bg)  # noqa: E731
    return jax.vmap(one, in_axes=-1)(self.each_bgk)

  def combined(self, logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
    """Returns the loss to descend, a float32 scalar."""
    advantage_bg = self._advantage(
      self.reward_bgk, self.batch.known_bgk, weights_k
    )
    if jnp.shape(advantage_bg) != self.reward_bgk.shape[:2]:
      raise ValueError(
        f'the advantage gave the shape {jnp.shape(advantage_bg)}; it must give'
        f' [b, g], here {self.reward_bgk.shape[:2]}.'
      )
    loss = self._surrogate(logp_bgc, advantage_bg)
    if self._adds_kl():
      loss += self._config.kl_beta * self.kl(logp_bgc)
    return loss

  def cotangent(self, logp_bgc: jax.Array, weights_k: jax.Array) -> jax.Array:
    """Returns d combined / d logp, float32 `[b, g, C]`."""
    return jax.grad(self.combined)(logp_bgc, weights_k)

  def kl(self, logp_bgc: jax.Array) -> jax.Array:
    """Returns the estimate of KL(policy || reference), a float32 scalar."""
    return surrogate.kl_loss(logp_bgc, self._reference_bgc, self.mask_bgc)

  def _adds_kl(self) -> bool:
    return self._config.kl == 'loss' and self._config.kl_beta > 0

  def _surrogate(self, logp_bgc: jax.Array, advantage_bg: jax.Array):
    return surrogate.clipped_loss(
      logp_bgc,
      self.batch.old_logp_bgc,
      advantage_bg,
      self.mask_bgc,
      self._config.clip,
    )
