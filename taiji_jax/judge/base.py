"""What all judges are asked."""

from typing import Protocol

import numpy as np


class Judge(Protocol):
  """Says how well items suit rows.

  Attributes:
    version: what its scores follow from: a change of it voids what is kept.
  """

  version: str

  def scores(self, row_n: np.ndarray, item_n: np.ndarray) -> np.ma.MaskedArray:
    """Returns r_sem of items in rows, float32 `[n]`, masked where not known.

    Args:
      row_n: int, rows.
      item_n: int, an item of each.
    """
    ...
