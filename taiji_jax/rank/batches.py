"""Batches of exposures: batch i is a pure function of i, so runs resume."""

import functools

import numpy as np

from taiji_jax.data import exposures as exposures_lib
from taiji_jax.data.exposures import Exposures, Unclicked
from taiji_jax.errors import UserError


class ExposureBatches:
  """Shuffled batches of what was shown and, anew each epoch, what was not.

  Every epoch has an order of its own and draws its items not clicked anew: a
  pure function of (seed, epoch). An epoch's last exposures that fill no batch
  are left out (others in each epoch, since the order differs).
  """

  def __init__(
    self,
    real: Exposures,
    profile_uf: np.ndarray,
    batch_size: int,
    seed: int = 0,
    *,
    unclicked: Unclicked | None = None,
    negatives: int = 0,
  ):
    """Draws nothing yet.

    Args:
      real: the events.
      profile_uf: int32, the profile codes of every user.
      batch_size: examples of a batch; those of an epoch where it has fewer.
      seed: of the orders and of the items not clicked.
      unclicked: where those come from; may be None where `negatives` is 0.
      negatives: items not clicked, for each click.

    Raises:
      UserError: an epoch has no batch.
    """
    self._real, self._profile_uf, self._seed = real, profile_uf, seed
    self._unclicked = unclicked
    self._source = np.arange(len(real))
    if unclicked is not None:
      drawn = exposures_lib.sources(real, unclicked, negatives)
      self._source = np.concatenate([self._source, drawn])
    if batch_size < 1 or not len(self):
      raise UserError(
        f'a tower has {len(self)} exposures and batches of {batch_size}; there'
        ' must be one at least.'
      )
    self._batch_size = min(batch_size, len(self))
    self._epoch = functools.lru_cache(maxsize=1)(self._drawn)

  def __len__(self) -> int:
    """Returns the exposures of an epoch."""
    return len(self._source)

  @property
  def steps_per_epoch(self) -> int:
    """Returns how many batches an epoch has."""
    return len(self) // self._batch_size

  def batch_at(self, step: int) -> dict[str, np.ndarray]:
    """Returns batch number `step`, counted from 0 over all epochs.

    `profile_bf`, `history_bs`, `item_b` int32; `click_b`, `conversion_b` bool.
    """
    if step < 0:
      raise ValueError(f'step is {step}; count from 0.')
    epoch, position = divmod(step, self.steps_per_epoch)
    order, item_x = self._epoch(epoch)
    start = position * self._batch_size
    index_b = order[start : start + self._batch_size]
    batch = examples(self._real, self._profile_uf, self._source[index_b])
    real_b = index_b < len(self._real)
    return batch | {
      'item_b': item_x[index_b],
      'click_b': batch['click_b'] & real_b,
      'conversion_b': batch['conversion_b'] & real_b,
    }

  def _drawn(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns an epoch's order and the items of all its exposures."""
    order = np.random.default_rng((self._seed, epoch)).permutation(len(self))
    source = self._source[len(self._real) :]
    if not len(source):
      return order, self._real.item_x
    drawn = self._unclicked.draw(
      self._real.user_x[source], (self._seed, epoch, 1)
    )
    return order, np.concatenate([self._real.item_x, drawn])


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
