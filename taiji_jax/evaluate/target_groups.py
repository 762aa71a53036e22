"""Groups of rows by their target, and by how much is known of the user.

Unlike `groups` these look at the truth: they say where a model's hits come
from, not where it should be used.
"""

from collections.abc import Collection, Sequence

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.retrieve import transitions

FREQUENCY = (1, 5, 10, 20, 50)
LENGTH = (1, 2, 4, 10)


def by_novelty(
  rows: NextItems,
  train: NextItems,
  items: int,
  taken_in: Collection[int] = (),
) -> dict[str, np.ndarray]:
  """Returns name -> bool `[B]`: targets that training has, or never saw.

  Args:
    rows: to be parted.
    train: the rows of training.
    items: number of items N.
    taken_in: items that the quantiser took in without being trained anew; where
      there are some, their rows are a group of their own besides.

  Returns:
    'seen' and 'unseen', which part the rows, and perhaps 'taken_in'.
  """
  count_n = transitions.popularity(train, items)
  unseen_b = count_n[rows.target_b] == 0
  found = {'seen': ~unseen_b, 'unseen': unseen_b}
  if taken_in:
    found['taken_in'] = np.isin(rows.target_b, list(taken_in))
  return found


def by_frequency(
  rows: NextItems,
  train: NextItems,
  items: int,
  least: Sequence[int] = FREQUENCY,
) -> dict[str, np.ndarray]:
  """Returns name -> bool `[B]`, by how often training has the target.

  Args:
    rows: to be parted.
    train: the rows of training.
    items: number of items N.
    least: the least times of each group, ascending from 1 on; what is below the
      first is in none.
  """
  count_n = transitions.popularity(train, items)
  return _parted('taken', count_n[rows.target_b], least)


def by_length(
  rows: NextItems, least: Sequence[int] = LENGTH
) -> dict[str, np.ndarray]:
  """Returns name -> bool `[B]`, by the items of the history.

  Args:
    rows: to be parted.
    least: the least items of each group, ascending.
  """
  return _parted('history', rows.length_b, least)


def _parted(
  name: str, value_b: np.ndarray, least: Sequence[int]
) -> dict[str, np.ndarray]:
  """Returns the parts between the bounds, the last without an end."""
  if list(least) != sorted(set(least)):
    raise ValueError(f'the bounds {least} do not ascend.')
  ends = (*(bound - 1 for bound in least[1:]), None)
  found = {}
  for low, high in zip(least, ends, strict=True):
    span = f'{low}+' if high is None else f'{low}-{high}'
    span = str(low) if high == low else span
    within_b = value_b >= low
    if high is not None:
      within_b &= value_b <= high
    found[f'{name}_{span}'] = within_b
  return found
