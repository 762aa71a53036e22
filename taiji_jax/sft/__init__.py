"""Supervised training of a policy: `sft_step` is pure, `fit` a loop around it.

`fit(policy, examples, config, ...)` packs prompts and completions, trains, and
goes on where it was stopped.
"""

from taiji_jax.sft.best import Judged
from taiji_jax.sft.config import FitConfig
from taiji_jax.sft.fit import fit
from taiji_jax.sft.step import sft_step
from taiji_jax.train_state import OptimizerConfig

__all__ = ['FitConfig', 'Judged', 'OptimizerConfig', 'fit', 'sft_step']
