"""Batches of exposures: batch i is a pure function of i, so runs resume."""

import dataclasses
import functools

import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class ExposureBatches:
  """Shuffled batches for `tower_step`; every epoch has an order of its own.

  An epoch's last exposures that fill no batch are left out (others in each
  epoch, since the order differs).

  Attributes:
    exposures: the training examples, X of them.
    profile_uf: int32, the profile codes of every user.
    batch_size: examples of a batch, at most X.
    seed: of the order.
  """

  exposures: Exposures
  profile_uf: np.ndarray
  batch_size: int
  seed: int = 0

  def __post_init__(self):
    count = len(self.exposures.user_x)
    if not 1 <= self.batch_size <= count:
      raise UserError(
        f'tower.batch_size is {self.batch_size} and there are {count}'
        ' exposures; choose a size from 1 to that number.'
      )

  @property
  def steps_per_epoch(self) -> int:
    """Returns how many batches an epoch has."""
    return len(self.exposures.user_x) // self.batch_size

  def batch_at(self, step: int) -> dict[str, np.ndarray]:
    """Returns batch number `step`, counted from 0 over all epochs."""
    if step < 0:
      raise ValueError(f'step is {step}; count from 0.')
    epoch, position = divmod(step, self.steps_per_epoch)
    order = _order(self.seed, epoch, len(self.exposures.user_x))
    start = position * self.batch_size
    return examples(
      self.exposures, self.profile_uf, order[start : start + self.batch_size]
    )


def examples(
  exposures: Exposures, profile_uf: np.ndarray, index_b: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns the exposures at `index_b` as the arrays that the tower reads.

  Args:
    exposures: the examples.
    profile_uf: int32, the profile codes of every user.
    index_b: int, positions.

  Returns:
    `profile_bf`, `history_bs`, `item_b` int32; `click_b`, `conversion_b` bool.
  """
  return {
    'profile_bf': profile_uf[exposures.user_x[index_b]],
    'history_bs': exposures.history_xs[index_b],
    'item_b': exposures.item_x[index_b],
    'click_b': exposures.click_x[index_b],
    'conversion_b': exposures.conversion_x[index_b],
  }


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
  return np.random.default_rng((seed, epoch)).permutation(count)
