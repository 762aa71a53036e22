"""Completions from a decoder: sampled with a KV cache, few or many at a time.

`sample` is the pure function that the RL step's rollouts come from; a `Sampler`
completes any number of prompts of any length, up to stop strings.
"""

from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Completions, sample
from taiji_jax.decode.sampler import Generation, Sampler
from taiji_jax.decode.sampling import SampleConfig

__all__ = [
  'BatchConfig',
  'Completions',
  'Generation',
  'RolloutBatch',
  'SampleConfig',
  'Sampler',
  'sample',
]
