"""What an answer states against the truth, and signs of collapse.

Every function returns one value a row, NaN where the row has none, so that the
mean over rows is the metric and `intervals` knows how far it may be off.
"""

from collections.abc import Sequence
import unicodedata

import numpy as np

from taiji_jax.data.title_index import normalise
from taiji_jax.types import CATEGORY_LEVELS, Catalog

# Punctuation by its kind, yet it tells names apart, as symbols and marks do.
_SIGNS = '#%@*'
_APOSTROPHES = '`\N{ACUTE ACCENT}'


def category_accuracy(
  answers: Sequence[tuple[str, ...]],
  target_r: np.ndarray,
  catalog: Catalog,
) -> np.ndarray:
  """Returns whether level K is right, float32 `[3, R]`, one row a level.

  The stated text must equal the target's without case, punctuation and extra
  spaces; other signs count ('C#' is not 'C++'). A level that is not stated
  counts as wrong; a target without the level gives NaN, whatever is stated.

  Args:
    answers: the levels that each answer states; () where it cannot be parsed.
    target_r: int32, the true items.
    catalog: the items.
  """
  right_lr = np.full((CATEGORY_LEVELS, len(answers)), np.nan, np.float32)
  for row, (stated, item) in enumerate(zip(answers, target_r, strict=True)):
    for level, name in enumerate(catalog.categories[item]):
      told = stated[level : level + 1]
      right_lr[level, row] = bool(told) and _folded(told[0]) == _folded(name)
  return right_lr


def _folded(name: str) -> tuple[str, str]:
  """Returns the name as titles are compared, and its signs beside."""
  signs = (
    c
    for c in unicodedata.normalize('NFKC', name)
    if c in _SIGNS or unicodedata.category(c)[0] in 'SM'
  )
  return normalise(name), ''.join(c for c in signs if c not in _APOSTROPHES)


def distinct_items(item_r: np.ndarray, user_r: np.ndarray) -> np.ndarray:
  """Returns float32 `[R]` whose mean is the number of distinct items named.

  A count is no mean over users, so no value of a row stands for it as it is.
  What a user adds to it are the items that nobody else names: without user u
  the count is smaller by their number f_u. A row's value is D + R s_r - sum(s),
  with D the count and s_r the row's share of f_u: all rows together give D, and
  the variance of their mean over users is the jackknife's of D (Efron and
  Stein, 1981: on average no smaller than the true one).

  It is the count of R answers: more answers name more items, so it compares
  arms on the same rows only, and a part of the rows has a count of its own.

  Args:
    item_r: int32, the named item, -1 where there is none.
    user_r: int32, the user of each row.
  """
  pairs, pair_r, rows_p = np.unique(
    np.stack([item_r, user_r]), axis=1, return_inverse=True, return_counts=True
  )
  _, item_p, users_i = np.unique(
    pairs[0], return_inverse=True, return_counts=True
  )
  share_p = np.where((users_i[item_p] == 1) & (pairs[0] >= 0), 1 / rows_p, 0.0)
  share_r = share_p[pair_r.ravel()]
  count = len(np.unique(item_r[item_r >= 0]))
  value_r = count + len(item_r) * share_r - share_r.sum()
  return value_r.astype(np.float32)


def repeat_last(item_r: np.ndarray, history_rs: np.ndarray) -> np.ndarray:
  """Returns whether the named item is the user's last one, float32 `[R]`.

  NaN where the history is empty; a row without an item repeats nothing.

  Args:
    item_r: int32, the named item, -1 where there is none.
    history_rs: int32, most recent first, padded with -1.
  """
  last_r = history_rs[:, 0]
  return np.where(last_r < 0, np.nan, item_r == last_r).astype(np.float32)
