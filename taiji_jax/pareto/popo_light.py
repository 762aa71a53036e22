"""POPO-light's weights: from the rewards' spread, no gradients."""

import jax
import jax.numpy as jnp

from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  require,
)


def popo_light(epsilon: float = 1e-4) -> Weighting:
  """Returns the light rule: w_k proportional to sigma_k / (mu_k + eps).

  sigma_k and mu_k are the in-group standard deviation and mean of reward k
  (arXiv:2606.03866; SAW, arXiv:2606.07705). A reward that still separates the
  rollouts of a group counts more.

  Guarantees: on the simplex; the same weights when any reward is scaled (up to
  epsilon). It says nothing of conflicts: it sees no gradient.

  `Choice:` the ratio is averaged over the groups of the batch, so that there is
  one weight vector an update; |mu_k| stands for mu_k, since cosines can be
  negative; equal weights where every ratio is (nearly) zero; a reward that is
  not finite somewhere gets weight 0.

  Args:
    epsilon: added to the mean, > 0.

  Returns:
    A stateless `Weighting`; reads `reward_bgk`; weights float32 `[K]` on the
    simplex.

  Raises:
    ValueError: epsilon is not positive.
  """
  if not epsilon > 0:
    raise ValueError(f'popo_light: epsilon={epsilon} must be positive.')

  def init(num_objectives: int) -> tuple[()]:
    check_count('popo_light', num_objectives)
    return ()

  def update(
    observation: Observation, state: tuple[()]
  ) -> tuple[jax.Array, tuple[()]]:
    reward_bgk = require(observation.reward_bgk, 'popo_light', 'reward_bgk', 3)
    # The deviation of equal rewards is exactly 0 once one of them is taken off.
    spread_bk = (reward_bgk - reward_bgk[:, :1]).std(1)
    ratio_k = (spread_bk / (jnp.abs(reward_bgk.mean(1)) + epsilon)).mean(0)
    ratio_k = jnp.where(jnp.isfinite(ratio_k), ratio_k, 0.0)
    total = ratio_k.sum()
    uniform = 1.0 / ratio_k.shape[0]
    weights_k = jnp.where(
      total > 1e-8, ratio_k / jnp.maximum(total, 1e-8), uniform
    )
    return weights_k, state

  return Weighting(init, update, reads='rewards')
