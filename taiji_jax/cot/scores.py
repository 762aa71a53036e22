"""What is asked of whatever scores reasoning texts."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from taiji_jax.types import Rows


class Scores(Protocol):
  """Scores of k reasoning texts of each prompt, NaN where there is none."""

  @property
  def ppl_rk(self) -> np.ndarray:
    """float `[r, k]`, perplexity of the true answer's tokens."""
    ...

  @property
  def gain_rk(self) -> np.ndarray:
    """float `[r, k]`, log P(answer | reasoning) - log P(answer | none).

    In nats a token.
    """
    ...


class Scorer(Protocol):
  """How likely the true answer is after each text."""

  def __call__(
    self,
    rows: Rows,
    index_r: np.ndarray,
    thinks: Sequence[Sequence[str]],
    answers: Sequence[str],
  ) -> Scores:
    """Returns the scores of the texts of some rows.

    Args:
      rows: the contexts.
      index_r: which of them.
      thinks: equally many texts of each.
      answers: the true answer of each.
    """
    ...
