"""Completions from a decoder, sampled with a KV cache; beams over a trie.

`sample` is the pure function that the RL step's rollouts come from; a `Sampler`
completes any number of prompts of any length, up to stop strings.
`beams.search` finds the likeliest items of a catalogue, held in a `Trie`, by
any step function; `trie_sampling.draw` draws them.
"""

from taiji_jax.decode import beams, code_steps, trie, trie_sampling
from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Completions, sample
from taiji_jax.decode.sampler import Generation, Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.decode.trie import Trie

__all__ = [
  'BatchConfig',
  'Completions',
  'Generation',
  'RolloutBatch',
  'SampleConfig',
  'Sampler',
  'Trie',
  'beams',
  'code_steps',
  'sample',
  'trie',
  'trie_sampling',
]
