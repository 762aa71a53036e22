"""What a policy sampled: what rewards are handed."""

from collections.abc import Sequence
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Sampled:
  """n completions of some prompts.

  Attributes:
    texts: the n completions.
    group_n: int, which prompt of the batch each one answers.
    rank_n: int, its place among the completions of that prompt, from 0.
  """

  texts: Sequence[str]
  group_n: np.ndarray
  rank_n: np.ndarray

  @classmethod
  def of_groups(cls, texts: Sequence[str], group: int) -> 'Sampled':
    """Returns the record of completions that lie prompt by prompt.

    Args:
      texts: the completions, those of a prompt next to each other.
      group: completions a prompt.
    """
    n = np.arange(len(texts))
    return cls(texts, n // group, n % group)


@dataclasses.dataclass(frozen=True)
class SampledItems(Sampled):
  """n semantic IDs of a catalogue.

  Attributes:
    item_n: int32, the item of each that training takes most often, -1 where
      there was nothing to sample.
    leaf_n: int32, number of the ID; IDs are the same where this is. -1 as
      above.
    logp_n: float32, log-probability of each, 0 as above.
  """

  item_n: np.ndarray
  leaf_n: np.ndarray
  logp_n: np.ndarray
