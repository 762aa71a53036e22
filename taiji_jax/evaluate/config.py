"""How arms are compared."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Decoding batch, and how intervals are made.

  Attributes:
    batch: rows answered at a time.
    resamples: of the users, for the bootstrap intervals.
  """

  batch: int = 50
  resamples: int = 2000

  def __post_init__(self):
    for name in ('batch', 'resamples'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
