"""The items that the training logs point to after a history."""

from collections.abc import Sequence

import numpy as np

from taiji_jax.cot.evidence import Followers


def candidates(
  followers: Followers, history: Sequence[int], least: int = 2
) -> list[int]:
  """Returns the items that came after those at least so often, ascending.

  What a text may say about them is `LeakGuard.evidence(history, candidates)`.

  Args:
    followers: counts of the training part.
    history: items that the prompt shows.
    least: times that an item came after any of them, added up, at least 1.
  """
  slices = []
  for item in history:
    key = np.array([item, item + 1], np.int64) * followers.items
    slices.append(slice(*np.searchsorted(followers.key_q, key)))
  if not slices:
    return []
  later = np.concatenate([followers.key_q[s] % followers.items for s in slices])
  count = np.concatenate([followers.count_q[s] for s in slices])
  item_q, at = np.unique(later, return_inverse=True)
  total = np.bincount(at, count, len(item_q))
  return item_q[total >= least].tolist()
