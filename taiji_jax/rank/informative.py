"""Whether the reward tower tells what users took from what is popular."""

import dataclasses
import math

import numpy as np

from taiji_jax import intervals
from taiji_jax.errors import UserError

Z = 1.96


Interval = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Informative:
  """What the reward says of rows that nothing was trained on.

  Attributes:
    rows: how many.
    truth: mean r_id of the items that were taken.
    popular: mean r_id of the most popular item outside the history.
    gauc: mean share of the negatives, drawn by popularity, that the truth
      outranks, with its interval over users (mean, low, high); None where no
      row has a negative.
    gain: likewise, how much that is above what rareness alone ranks so.
  """

  rows: int
  truth: float
  popular: float
  gauc: Interval | None
  gain: Interval | None

  @property
  def holds(self) -> bool:
    """Returns whether the reward is informative."""
    return (
      self.truth > self.popular
      and self.gauc is not None
      and self.gain is not None
      and self.gauc[1] > 0.5
      and self.gain[1] > 0
    )

  def refuse(self) -> None:
    """Raises UserError where the reward is not informative."""
    if self.holds:
      return
    raise UserError(
      f'the reward tower is not informative: over {self.rows} rows that'
      f' nothing is trained on the mean r_id of the taken item is'
      f' {self.truth:.3f} and of the most popular one {self.popular:.3f}, which'
      f' must be lower; {self.ranked()}. Train it longer (tower.epochs), make'
      ' it wider (tower.width) or give more data;'
      ' rl.require_informative_reward=False goes on all the same.'
    )

  def ranked(self) -> str:
    """Returns how it ranks what was taken, as part of a sentence."""
    if self.gauc is None or self.gain is None:
      return 'no item was found that a user did not take'
    return (
      f'it ranks what was taken over {_text(self.gauc)} of the items drawn as'
      f' popular ones are (must be above .5), {_text(self.gain)} more than'
      ' rareness alone does (must be above 0)'
    )


def judge(
  truth_r: np.ndarray,
  popular_r: np.ndarray,
  auc_r: np.ndarray,
  rare_r: np.ndarray,
  user_r: np.ndarray,
) -> Informative:
  """Returns the figures of some rows.

  `Choice:` the mean r_id of the truth must be above that of the most popular
  item, the GAUC above .5, and above the GAUC of rareness alone, both by their
  interval (95 %, normal, users as clusters). The last is needed since r_id
  takes popularity away: a tower that knows nothing ranks the rarest first, puts
  the popular item last and beats negatives that are more popular than what is
  taken.

  Args:
    truth_r, popular_r: float, r_id of the taken and of the most popular item;
      NaN where there is none.
    auc_r: float, the share of a row's negatives that the truth outranks; NaN
      where it has none.
    rare_r: likewise, where the item with fewer clicks is ranked higher.
    user_r: int, the user of each row.

  Raises:
    UserError: there are no rows.
  """
  if not len(user_r):
    raise UserError(
      'there are no rows to see whether the reward is informative; give'
      ' validation rows, or set rl.require_informative_reward=False.'
    )
  both = ~np.isnan(popular_r)
  truth, popular = (
    float(x_r[both].mean()) if both.any() else float('nan')
    for x_r in (truth_r, popular_r)
  )
  return Informative(
    len(user_r),
    truth,
    popular,
    _clustered(auc_r, user_r),
    _clustered(auc_r - rare_r, user_r),
  )


def _text(interval: Interval) -> str:
  mean, low, high = interval
  return f'{mean:.3f} [{low:.3f}, {high:.3f}]'


def _clustered(value_r: np.ndarray, user_r: np.ndarray) -> Interval | None:
  """Returns the mean and its interval, infinite with one user only."""
  found = intervals.estimate(value_r, user_r)
  if found.mean is None:
    return None
  half = math.inf if found.error is None else Z * found.error
  return found.mean, found.mean - half, found.mean + half
