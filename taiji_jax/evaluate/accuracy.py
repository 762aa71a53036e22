"""What an answer states against the truth, and signs of collapse.

Every function returns one value a row, NaN where the row has none, so that the
mean over rows is the metric and `bootstrap` can resample it.
"""

from collections.abc import Sequence

import numpy as np

from taiji_jax.types import CATEGORY_LEVELS, Catalog


def category_accuracy(
  answers: Sequence[tuple[str, ...]],
  target_r: np.ndarray,
  catalog: Catalog,
) -> np.ndarray:
  """Returns whether level K is right, float32 `[3, R]`, one row a level.

  The stated text must equal the target's. A level that is not stated counts as
  wrong; a target without the level gives NaN, whatever is stated.

  Args:
    answers: the levels that each answer states; () where it cannot be parsed.
    target_r: int32, the true items.
    catalog: the items.
  """
  right_lr = np.full((CATEGORY_LEVELS, len(answers)), np.nan, np.float32)
  for row, (stated, item) in enumerate(zip(answers, target_r, strict=True)):
    for level, name in enumerate(catalog.categories[item]):
      right_lr[level, row] = stated[level : level + 1] == (name,)
  return right_lr


def distinct_items(item_r: np.ndarray) -> np.ndarray:
  """Returns float32 `[R]` whose mean is the number of distinct items named.

  A row adds R / (rows that name the same item), so that all rows of one item
  together add 1 to the mean; a row without an item adds 0.

  Args:
    item_r: int32, the named item, -1 where there is none.
  """
  _, group_r, count_g = np.unique(
    item_r, return_inverse=True, return_counts=True
  )
  value_r = len(item_r) / count_g[group_r]
  return np.where(item_r < 0, 0.0, value_r).astype(np.float32)


def repeat_last(item_r: np.ndarray, history_rs: np.ndarray) -> np.ndarray:
  """Returns whether the named item is the user's last one, float32 `[R]`.

  NaN where the history is empty; a row without an item repeats nothing.

  Args:
    item_r: int32, the named item, -1 where there is none.
    history_rs: int32, most recent first, padded with -1.
  """
  last_r = history_rs[:, 0]
  return np.where(last_r < 0, np.nan, item_r == last_r).astype(np.float32)
