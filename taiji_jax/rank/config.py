"""How the ID tower is built and trained."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """Sizes and training of the ID tower.

  Attributes:
    width, mlp_widths, half_life: see `modules.id_tower.IdTowerConfig`.
    batch: exposures of an update.
    epochs: passes over the exposures.
    lr, weight_decay: of AdamW; the rate falls to zero as a cosine.
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
