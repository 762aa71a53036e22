"""How the two towers are built and trained."""

import dataclasses

from taiji_jax.errors import UserError
from taiji_jax.train_state import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """Sizes and training of the reward tower and of the judge tower.

  Attributes:
    width: of embeddings and of the vectors that are compared.
    mlp_widths: hidden layers of both sides; may be empty.
    batch: clicks of an update of the reward tower, each a negative of all
      others.
    epochs: the reward tower's passes over its clicks.
    judge_batch: exposures of an update of the judge.
    judge_epochs: the judge's passes over its exposures.
    judge_fraction: share of the users whose events train the judge instead of
      the reward tower, in (0, 1), of those whose rows RL does not read; the
      judge learns from RL's users as well.
    lr: AdamW's peak learning rate, which falls to zero as a cosine.
    weight_decay: of AdamW.
    half_life: history positions after which the weight of the recency pool has
      halved.
  """

  width: int = 64
  mlp_widths: tuple[int, ...] = ()
  batch: int = 512
  epochs: int = 8
  judge_batch: int = 1024
  judge_epochs: int = 5
  judge_fraction: float = 0.3
  lr: float = 3e-3
  weight_decay: float = 1.0
  half_life: float = 5.0

  def __post_init__(self):
    for name in (
      'width', 'batch', 'epochs', 'judge_batch', 'judge_epochs', 'lr',
      'half_life',
    ):  # fmt: skip
      if not getattr(self, name) > 0:
        raise UserError(
          f'tower.{name} is {getattr(self, name)}; it must be above 0.'
        )
    if not 0 < self.judge_fraction < 1:
      raise UserError(
        f'tower.judge_fraction is {self.judge_fraction}; give a share between'
        ' 0 and 1.'
      )

  def optimizer(self, steps: int) -> OptimizerConfig:
    """Returns how the parameters of a tower are updated."""
    return OptimizerConfig(
      lr=self.lr,
      steps=steps,
      schedule='cosine',
      weight_decay=self.weight_decay,
    )
