"""The scores of reasoning texts, and who gives them."""

from collections.abc import Sequence
import dataclasses
from typing import Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scores:
  """Scores of k reasoning texts of each prompt.

  Attributes:
    ppl_rk: float64, perplexity of the true answer's tokens, those of an item
      text's names alone; NaN where a text and the answer are too long.
    gain_rk: float64, log P(answer | reasoning) - log P(answer | none), nats a
      token.
  """

  ppl_rk: np.ndarray
  gain_rk: np.ndarray


class Scorer(Protocol):
  """Gives the scores of reasoning texts."""

  def __call__(
    self,
    index_r: np.ndarray,
    thinks: Sequence[Sequence[str]],
    answers: Sequence[str],
  ) -> Scores:
    """Returns the scores of `thinks[i]` for context `index_r[i]`.

    Args:
      index_r: which contexts.
      thinks: k texts each, the same k for all.
      answers: the true answer of each.
    """
    ...
