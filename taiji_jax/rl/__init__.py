"""Reinforcement of a policy by K rewards, weighed from their gradients.

`Trainer` samples, asks any `Rewards` what the samples earn, and updates;
`FunctionRewards` makes rewards of plain functions. `step.popo_step` is the pure
update, `advantage` has the rules that combine.
"""

from taiji_jax.rl import advantage, step
from taiji_jax.rl.config import RLTrainConfig
from taiji_jax.rl.function_rewards import FunctionRewards
from taiji_jax.rl.rewards import Rewarded, Rewards, Sampled, TextRewards
from taiji_jax.rl.trainer import Trainer
from taiji_jax.train_state import OptimizerConfig

__all__ = [
  'FunctionRewards',
  'OptimizerConfig',
  'RLTrainConfig',
  'Rewarded',
  'Rewards',
  'Sampled',
  'TextRewards',
  'Trainer',
  'advantage',
  'step',
]
