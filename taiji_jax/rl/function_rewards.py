"""Rewards by plain functions of the texts."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rl.rewards import Rewarded, Sampled

# (texts, which prompt each answers) -> n numbers; a masked array (`numpy.ma`)
# where the reward of some is not known.
RewardFunction = Callable[[Sequence[str], np.ndarray], Any]


@dataclasses.dataclass(frozen=True)
class FunctionRewards:
  """Rewards by plain functions, as many as are given.

  Attributes:
    functions: name -> `(texts, index_n) -> n numbers`, in the order of the
      objectives; `index_n[i]` is the number of the prompt that `texts[i]`
      answers. A masked array says that some are not known.
  """

  functions: Mapping[str, RewardFunction]

  def __post_init__(self):
    if not isinstance(self.functions, Mapping):
      raise UserError(
        f'the rewards are a {type(self.functions).__name__}; give a mapping,'
        " {'name': function}."
      )
    if not self.functions:
      raise UserError('there is no reward; give at least one function.')

  @property
  def names(self) -> tuple[str, ...]:
    """Returns the K names."""
    return tuple(self.functions)

  def __call__(self, sampled: Sampled, row_n: np.ndarray) -> Rewarded:
    """Returns what each text earns.

    Raises:
      UserError: a function gives no finite number, or not one for each text.
    """
    columns = [
      column_of(name, self._call(name, sampled, row_n), len(sampled.texts))
      for name in self.functions
    ]
    return Rewarded(
      np.stack([np.ma.filled(c, 0.0) for c in columns], -1),
      np.stack([~np.ma.getmaskarray(c) for c in columns], -1),
      {},
    )

  def _call(self, name: str, sampled: Sampled, row_n: np.ndarray) -> Any:
    try:
      return self.functions[name](sampled.texts, row_n)
    except Exception as error:
      error.add_note(f'This was in the reward {name!r}.')
      raise


def column_of(name: str, found: Any, count: int) -> np.ma.MaskedArray:
  """Returns what a reward gave as a float32 masked array `[count]`.

  Args:
    name: of the reward.
    found: what it gave.
    count: how many numbers it owes.

  Raises:
    UserError: no finite number, or not one for each.
  """
  try:
    column = np.ma.array(_spelled(found), np.float32)
  except (TypeError, ValueError) as error:
    raise UserError(
      f'the reward {name!r} gave no numbers ({error}); return one for each'
      ' text.'
    ) from error
  if column.shape != (count,):
    raise UserError(
      f'the reward {name!r} gave the shape {column.shape} for {count} texts;'
      ' return one number for each.'
    )
  if not np.isfinite(column.compressed()).all():
    raise UserError(
      f'the reward {name!r} gave a number that is NaN or infinite; return a'
      ' masked array (numpy.ma) where a reward is not known.'
    )
  return column


def _spelled(found: Any) -> Any:
  """Returns a list that holds `numpy.ma.masked` as a masked array."""
  if not isinstance(found, list | tuple):
    return found
  mask = [value is np.ma.masked for value in found]
  if not any(mask):
    return found
  return np.ma.array(
    [0 if m else v for m, v in zip(mask, found, strict=True)], mask=mask
  )
