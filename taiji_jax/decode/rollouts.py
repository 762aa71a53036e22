"""Rollouts with their rewards: what one RL update is made from."""

import chex
import jax


@chex.dataclass(frozen=True)
class RolloutBatch:
  """Rollouts of b prompts, g each, with their K rewards.

  Attributes:
    prompt_bp: int32 `[b, P]`, padded on the right.
    prompt_length_b: int32 `[b]`, prompt tokens.
    completion_bgc: int32 `[b, g, C]`, padded on the right.
    length_bg: int32 `[b, g]`, completion tokens, the end token counted.
    old_logp_bgc: float32 `[b, g, C]`, under the policy that drew the tokens.
    reward_bgk: float32 `[b, g, K]`; 0 where a reward is not known.
    known_bgk: bool `[b, g, K]`, whether a reward is known; None where all are.
  """

  prompt_bp: jax.Array
  prompt_length_b: jax.Array
  completion_bgc: jax.Array
  length_bg: jax.Array
  old_logp_bgc: jax.Array
  reward_bgk: jax.Array
  known_bgk: jax.Array | None = None

  def check(self) -> None:
    """Raises AssertionError where an array has not its number of axes."""
    chex.assert_rank(
      [self.prompt_bp, self.prompt_length_b, self.completion_bgc],
      [2, 1, 3],
    )
    chex.assert_rank(
      [self.length_bg, self.old_logp_bgc, self.reward_bgk], [2, 3, 3]
    )
    if self.known_bgk is not None:
      chex.assert_equal_shape([self.known_bgk, self.reward_bgk])
