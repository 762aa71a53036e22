"""How the decoder is trained on packed examples."""

import dataclasses

from taiji_jax.errors import UserError
from taiji_jax.train_state import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class FitConfig:
  """Supervised training on packed examples.

  Attributes:
    opt: the optimiser and the number of updates.
    batch: packed rows of an update.
    tokens: length of a packed row.
    prompt_weight: weight of a prompt's token in the loss, where a completion's
      has 1; see `sft.step.sft_step`.
  """

  opt: OptimizerConfig
  batch: int = 16
  tokens: int = 256
  prompt_weight: float = 0.0

  def __post_init__(self):
    for name in ('batch', 'tokens'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.prompt_weight < 0:
      raise UserError(
        f'prompt_weight is {self.prompt_weight}; it must be 0 or more.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SFTConfig(FitConfig):
  """Supervised training on reasoning.

  Attributes:
    examples: how many rows the teacher reasons about.
  """

  examples: int

  def __post_init__(self):
    super().__post_init__()
    if self.examples < 1:
      raise UserError(f'examples is {self.examples}; it must be at least 1.')


@dataclasses.dataclass(frozen=True)
class PretrainConfig(FitConfig):
  """Training of the backbone on item texts and training histories."""

  batch: int = 8
  prompt_weight: float = 1.0
