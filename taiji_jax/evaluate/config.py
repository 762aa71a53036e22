"""How arms are judged."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Decoding batch.

  Attributes:
    batch: rows answered at a time.
  """

  batch: int = 50

  def __post_init__(self):
    if self.batch < 1:
      raise UserError(f'batch is {self.batch}; it must be at least 1.')
