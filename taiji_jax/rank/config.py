"""How the ID tower is built and trained."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """Sizes and training of the ID tower.

  Attributes:
    width: of embeddings and of the vectors that are compared.
    mlp_widths: hidden layers of both sides; may be empty.
    batch: exposures of an update.
    epochs: passes over the exposures.
    lr: AdamW's peak learning rate, which falls to zero as a cosine.
    weight_decay: of AdamW.
    half_life: history positions after which the weight of the recency pool has
      halved.
  """

  width: int = 32
  mlp_widths: tuple[int, ...] = (64,)
  batch: int = 4096
  epochs: int = 3
  lr: float = 3e-3
  weight_decay: float = 1e-4
  half_life: float = 5.0

  def __post_init__(self):
    for name in ('width', 'batch', 'epochs', 'lr', 'half_life'):
      if not getattr(self, name) > 0:
        raise UserError(f'{name} is {getattr(self, name)}; it must be above 0.')
