"""The aspects that a judge scores, and their levels."""

from collections.abc import Mapping
import dataclasses
import types

import numpy as np

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Aspect:
  """One aspect of how well an item suits a user.

  Attributes:
    name: one word.
    values: the score of each level, ascending.
    meaning: what is asked, in a sentence.
  """

  name: str
  values: tuple[float, ...]
  meaning: str

  def level(self, value: float) -> int:
    """Returns the level of a score.

    Args:
      value: one of `values`.

    Raises:
      UserError: it is none of them.
    """
    if value not in self.values:
      known = ', '.join(map(str, self.values))
      raise UserError(f'{self.name} is {value}; give one of {known}.')
    return self.values.index(value)

  def expected(self, p_nl: np.ndarray) -> np.ndarray:
    """Returns the expected score, float32 `[n]`.

    Args:
      p_nl: float, probabilities of the levels; rows need not sum to 1.
    """
    p_nl = np.asarray(p_nl, np.float64)
    total_n = p_nl.sum(-1)
    return (p_nl @ np.array(self.values) / total_n).astype(np.float32)


PROFILE = Aspect(
  'profile',
  (-1.0, -0.5, 0.0, 0.5, 1.0),
  'How well does the item agree with what the user takes in the long run?',
)
FUTURE = Aspect(
  'future',
  (0.0, 0.5, 1.0),
  'How likely will the user take the item, or one like it, later?',
)
NOVELTY = Aspect(
  'novelty', (0.0, 0.5, 1.0), 'How new is the item beside the history?'
)
CONTEXT = Aspect(
  'context', (0.0, 0.5, 1.0), 'How well does the item suit the situation?'
)
ASPECTS: Mapping[str, Aspect] = types.MappingProxyType(
  {a.name: a for a in (PROFILE, FUTURE, NOVELTY, CONTEXT)}
)
"""S-GRec's four (arXiv:2602.10606). `Choice:` the levels; the paper does not
say them."""
WITHOUT_CONTEXT = (PROFILE, FUTURE, NOVELTY)
"""Those that a log without situations has."""
