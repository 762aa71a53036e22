"""Whether the reward tower tells what users took from what is popular."""

import dataclasses
import math

import numpy as np

from taiji_jax.errors import UserError

Z = 1.96


@dataclasses.dataclass(frozen=True)
class Informative:
  """What the reward says of rows that nothing was trained on.

  Attributes:
    rows: how many.
    truth: mean r_id of the items that were taken.
    popular: mean r_id of the most popular item outside the history.
    gauc: mean share of the negatives, drawn by popularity, that the truth
      outranks; None where no row has one.
    low, high: the interval of `gauc`, over users; None likewise.
  """

  rows: int
  truth: float
  popular: float
  gauc: float | None
  low: float | None
  high: float | None

  @property
  def holds(self) -> bool:
    """Returns whether the reward is informative."""
    return self.truth > self.popular and self.low is not None and self.low > 0.5

  def refuse(self) -> None:
    """Raises UserError where the reward is not informative."""
    if self.holds:
      return
    gauc = (
      'no negative was found'
      if self.gauc is None
      else f'it ranks the taken item over {self.gauc:.3f}'
      f' [{self.low:.3f}, {self.high:.3f}] of as popular ones, and the'
      ' interval must lie above .5'
    )
    raise UserError(
      f'the reward tower is not informative: over {self.rows} rows that'
      f' nothing is trained on the mean r_id of the taken item is'
      f' {self.truth:.3f} and of the most popular one {self.popular:.3f}, which'
      f' must be lower; {gauc}. Train it longer (tower.epochs), make it wider'
      ' (tower.width) or give more data; rl.require_informative_reward=False'
      ' goes on all the same.'
    )


def judge(
  truth_r: np.ndarray,
  popular_r: np.ndarray,
  auc_r: np.ndarray,
  user_r: np.ndarray,
) -> Informative:
  """Returns the figures of some rows.

  `Choice:` the mean r_id of the truth must be above that of the most popular
  item, and the interval of the GAUC (95 %, normal, users as clusters) above .5:
  a reward that a coin or popularity explains is none.

  Args:
    truth_r, popular_r: float, r_id of the taken and of the most popular item;
      NaN where there is none.
    auc_r: float, the share of a row's negatives that the truth outranks; NaN
      where it has none.
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
  gauc, half = _clustered(auc_r, user_r)
  none = math.isnan(gauc)
  return Informative(
    len(user_r),
    truth,
    popular,
    None if none else gauc,
    None if none else gauc - half,
    None if none else gauc + half,
  )


def _clustered(value_r: np.ndarray, user_r: np.ndarray) -> tuple[float, float]:
  """Returns the mean and half its interval, infinite with one user only."""
  known = ~np.isnan(value_r)
  if not known.any():
    return float('nan'), float('nan')
  value, user = value_r[known], np.unique(user_r[known], return_inverse=True)[1]
  mean = float(value.mean())
  error_u = np.bincount(user, value - mean)
  users = len(error_u)
  if users < 2:
    return mean, math.inf
  variance = (error_u**2).sum() / len(value) ** 2 * users / (users - 1)
  return mean, Z * math.sqrt(variance)
