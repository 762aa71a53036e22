"""A judge that knows nothing: the control."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class RandomJudge:
  """Uniform numbers in [0, 1), the same whenever a row and an item are asked.

  Attributes:
    seed: of the numbers.
  """

  seed: int = 0

  @property
  def version(self) -> str:
    """Returns what its scores follow from."""
    return f'random {self.seed}'

  def scores(self, row_n: np.ndarray, item_n: np.ndarray) -> np.ma.MaskedArray:
    """Returns float32 `[n]`.

    Args:
      row_n, item_n: see `Judge.scores`.
    """
    key_n = (np.asarray(row_n, np.uint64) << np.uint64(32)) | np.asarray(
      item_n, np.uint64
    )
    mixed_n = _mixed(key_n + _mixed(np.uint64([self.seed])))
    return np.ma.array((mixed_n >> np.uint64(40)) / 2.0**24, np.float32)


def _mixed(key_n: np.ndarray) -> np.ndarray:
  """Returns the bits spread out (the finalizer of SplitMix64)."""
  key_n = key_n + np.uint64(0x9E3779B97F4A7C15)
  for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
    key_n = (key_n ^ (key_n >> np.uint64(shift))) * np.uint64(factor)
  return key_n ^ (key_n >> np.uint64(31))
