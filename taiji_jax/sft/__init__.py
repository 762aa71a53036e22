"""Supervised training of a policy: `step.sft_step` is pure, `fit.fit` a loop.

`fit.fit(policy, examples, config, ...)` packs prompts and completions, trains,
and goes on where it was stopped.
"""

from taiji_jax.sft import fit, step

__all__ = ['fit', 'step']
