"""Models over items to train and to ask: generators of codes, and rivals.

What `policy` is to text, this is to items: the network's functions with the
arrays that they are given, and nothing of a recipe. `Generator` says codes
behind a trunk over items, `TokenGenerator` behind a decoder over codes (TIGER),
`LanguageModel` behind a prompt of text, trained by `sft.fit` as a policy;
`SequenceRecommender` scores all items (SASRec, HSTU). `ItemPolicy` makes a
generator what `rl.Trainer` reinforces.
"""

from taiji_jax.recommender.base import NODE, Lists, Recommender
from taiji_jax.recommender.generator import Generator
from taiji_jax.recommender.item_policy import ItemPolicy, ItemPrompts
from taiji_jax.recommender.language_model import LanguageModel
from taiji_jax.recommender.sequence import SequenceRecommender
from taiji_jax.recommender.tokens import TokenGenerator

__all__ = [
  'Generator',
  'ItemPolicy',
  'ItemPrompts',
  'LanguageModel',
  'Lists',
  'NODE',
  'Recommender',
  'SequenceRecommender',
  'TokenGenerator',
]
