"""Reinforcement of a policy by K rewards, weighed from their gradients.

`Trainer` samples, asks any `Rewards` what the samples earn, and updates;
`FunctionRewards` makes rewards of plain functions. `step.popo_step` is the pure
update, `advantage` has the rules that combine.
"""

from taiji_jax.rl import advantage, step
from taiji_jax.rl.config import RLTrainConfig
from taiji_jax.rl.function_rewards import FunctionRewards
from taiji_jax.rl.rewards import Rewards, TextRewards
from taiji_jax.rl.trainer import Trainer

__all__ = [
  'FunctionRewards',
  'RLTrainConfig',
  'Rewards',
  'TextRewards',
  'Trainer',
  'advantage',
  'step',
]
