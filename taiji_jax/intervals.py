"""Intervals and tests of means over users and seeds, without resampling."""

import bisect
from collections.abc import Mapping, Sequence
import dataclasses
import math

import numpy as np

from taiji_jax import student

Interval = dict[str, float | None]
"""'mean', 'low', 'high': all None without a value, the mean alone without
an interval."""


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A mean, and how far it may be off.

  Attributes:
    mean: over all rows and seeds; None without a value.
    error: its standard error, at least 0; None where one user has all values.
    parts: the shares of users and seeds in the variance, whose sum is 1, and
      the degrees of freedom of each.
  """

  mean: float | None
  error: float | None = None
  parts: tuple[student.Part, ...] = ()

  def interval(self, level: float = 0.95) -> Interval:
    """Returns the interval that holds the true mean with probability `level`.

    Args:
      level: in (0, 1).
    """
    if self.mean is None or self.error is None:
      return {'mean': self.mean, 'low': None, 'high': None}
    reach = self._quantile(1 - _checked('level', level)) * self.error
    return {
      'mean': self.mean,
      'low': self.mean - reach,
      'high': self.mean + reach,
    }

  def p_value(self) -> float | None:
    """Returns the two-sided p-value of a true mean of 0, None without one.

    It is below 1 - level where `interval(level)` leaves out 0. Without any
    spread it is 1 for a mean of 0, else 0.
    """
    if self.mean is None or self.error is None:
      return None
    if not self.error:
      return float(not self.mean)
    return student.mixed_tail(abs(self.mean) / self.error, self.parts)

  def detectable(self, level: float = 0.95, power: float = 0.8) -> float | None:
    """Returns the smallest true mean that this test finds with `power`.

    (t_{1 - (1 - level) / 2} + t_power) standard errors: what is smaller may
    well be there and not be seen.

    Args:
      level: of the interval, in (0, 1).
      power: in (.5, 1).

    Returns:
      At least 0; None where there is no interval.
    """
    if self.mean is None or self.error is None:
      return None
    ends = 1 - _checked('level', level), 2 * (1 - _checked('power', power, 0.5))
    return math.fsum(self._quantile(alpha) for alpha in ends) * self.error

  @property
  def seed_deviation(self) -> float | None:
    """Returns the standard deviation between seeds, of one seed's mean.

    At least 0; None where there is one seed, or no interval.
    """
    if self.error is None or len(self.parts) < 2:
      return None
    share, freedom = self.parts[1]
    return self.error * math.sqrt(share * (freedom + 1))

  def seeds_for(
    self, least: float, level: float = 0.95, power: float = 0.8, most: int = 999
  ) -> int | None:
    """Returns with how many seeds a true mean of `least` would be found.

    On as many users: the part of the users in the error stays, that of the
    seeds falls with their number.

    Args:
      least: the true mean, above 0.
      level, power: see `detectable`.
      most: beyond so many none is looked for.

    Returns:
      At least 2; None where more than `most` would not do, as where the users'
      part alone is too large, or where there is one seed.

    Raises:
      ValueError: `least` is not above 0.
    """
    if not least > 0:
      raise ValueError(f'least is {least}; give more than 0.')
    deviation = self.seed_deviation
    if deviation is None:
      return None
    share, freedom = self.parts[0]
    user = share * self.error**2

    def found(seeds: int) -> bool:
      seed = deviation**2 / seeds
      total = user + seed
      parts = (
        ((user / total, freedom), (seed / total, seeds - 1)) if total else ()
      )
      then = Estimate(self.mean, math.sqrt(total), parts)
      return then.detectable(level, power) <= least

    if not found(most):
      return None
    return 2 + bisect.bisect_left(range(2, most), True, key=found)

  def _quantile(self, alpha: float) -> float:
    # Without a spread nothing tells how it is distributed.
    return student.quantile(alpha, self.parts) if self.error else 0.0


def estimate(
  value: np.ndarray | None,
  user_r: np.ndarray,
  start_s: Sequence[int] | None = None,
) -> Estimate:
  """Returns the mean of `value` with its error over users and seeds.

  The mean is a ratio, sum over count; NaN values count in neither. The rows of
  one user are alike, so that users are what is independent. V_user is the
  linearised variance of the ratio over users of the seeds' mean (Cochran,
  Sampling Techniques, 6.4), V_seed the same over seeds. What one user meets
  with one seed alone, V_both, is in either, so it is taken off once, as in the
  analysis of variance of a crossed design: SE^2 = V_user + V_seed - V_both, but
  no less than V_seed or V_both.

  `Choice:` a mean over SE is looked up in a mixture of Student's t: the share
  V_seed / SE^2 of it has a degree of freedom less than there are seeds, the
  rest one less than there are users. Satterthwaite's degrees of freedom hold
  too little with two seeds that differ (.88 of 95 % intervals), since they are
  themselves estimated from two. In tables of 40 users and two to five seeds the
  mixture holds .93 to .97, and up to .99 where neither users nor seeds differ
  much; below .95 it is only with two seeds that differ more than all else.
  One seed: users alone, and nothing is said of other seeds.

  Args:
    value: float `[R]`, or `[S, R]` for S seeds; None where the metric has no
      value.
    user_r: int, the user of each row.
    start_s: what each seed began with, where several share it: then what is
      independent is the starts, not the seeds. None where each has its own;
      where all share one, nothing is said of other starts.

  Returns:
    Without a value a mean of None; with values of one user alone the mean
    without an error.
  """
  if value is None or np.isnan(value).all():
    return Estimate(None)
  sum_su, count_su = _by_user(np.atleast_2d(value), user_r)
  mean = float(sum_su.sum() / count_su.sum())
  score_su = (sum_su - mean * count_su) / count_su.sum()
  if start_s is not None and len(set(start_s)) > 1:
    score_su = _summed(score_su, start_s)
  seeds, users = score_su.shape
  if users < 2:
    return Estimate(mean)
  user = _scaled(score_su.sum(0))
  if seeds < 2:
    return Estimate(mean, math.sqrt(user), ((1.0, users - 1),))
  seed = _scaled(score_su.sum(1))
  rest_su = score_su - score_su.mean(0) - score_su.mean(1, keepdims=True)
  both = float(np.square(rest_su).sum()) * seeds * users
  both /= (seeds - 1) * (users - 1)
  # Never less in all than what user and seed have together.
  user = max(user - both, both - seed, 0.0)
  if not (total := user + seed):
    return Estimate(mean, 0.0, ((1.0, users - 1),))
  parts = (user / total, users - 1), (seed / total, seeds - 1)
  return Estimate(mean, math.sqrt(total), parts)


def _summed(score_su: np.ndarray, start_s: Sequence[int]) -> np.ndarray:
  """Returns the scores of the seeds that share a start, added up."""
  starts, at_s = np.unique(np.asarray(start_s), return_inverse=True)
  found = np.zeros((len(starts), score_su.shape[1]))
  np.add.at(found, at_s, score_su)
  return found


def difference(
  value: np.ndarray | None,
  base: np.ndarray | None,
  user_r: np.ndarray,
  start_s: Sequence[int] | None = None,
) -> Estimate:
  """Returns `estimate` of the difference of two arms on the same rows.

  A row (of a seed) without a value in either arm has no difference.

  Args:
    value, base: float `[R]` or `[S, R]`, or None.
    user_r: int, the user of each row.
    start_s: see `estimate`.
  """
  apart = None if value is None or base is None else value - base
  return estimate(apart, user_r, start_s)


def interval(
  value: np.ndarray | None, user_r: np.ndarray, *, level: float = 0.95
) -> Interval:
  """Returns the interval of the mean of `value`; see `estimate`."""
  return estimate(value, user_r).interval(level)


def paired(
  value: np.ndarray | None,
  base: np.ndarray | None,
  user_r: np.ndarray,
  *,
  level: float = 0.95,
) -> Interval:
  """Returns the interval of the mean difference; see `difference`."""
  return difference(value, base, user_r).interval(level)


def clears_zero(difference: Interval) -> bool:
  """Returns whether a paired interval lies above 0."""
  low = difference['low']
  return low is not None and not math.isnan(low) and low > 0


def holm(p: Mapping[str, float]) -> dict[str, float]:
  """Returns the p-values of many tests, each raised for all the others.

  The i-th smallest of m times m - i + 1, at least the one before, at most 1
  (Holm, 1979): where a true difference of 0 is rejected below .05, that happens
  in .05 of all families of tests, however they depend on one another.

  Args:
    p: test -> p-value, in [0, 1].
  """
  if odd := [name for name, value in p.items() if not 0 <= value <= 1]:
    raise ValueError(f'the p-value of {odd[0]} is {p[odd[0]]}; give [0, 1].')
  raised, least = {}, 0.0
  for i, name in enumerate(sorted(p, key=lambda name: p[name])):
    least = max(least, min(1.0, (len(p) - i) * p[name]))
    raised[name] = least
  return {name: raised[name] for name in p}


def _by_user(
  value_sr: np.ndarray, user_r: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns sums and counts [S, U] of values, where there are any."""
  if value_sr.shape[1] != len(user_r):
    raise ValueError(
      f'{value_sr.shape[1]} values for {len(user_r)} rows; give one each.'
    )
  _, user_r = np.unique(user_r, return_inverse=True)
  valid_sr = ~np.isnan(value_sr)
  zeroed_sr = np.where(valid_sr, value_sr, 0.0).astype(np.float64)
  sum_su = np.stack([np.bincount(user_r, x_r) for x_r in zeroed_sr])
  count_su = np.stack([np.bincount(user_r, x_r) for x_r in valid_sr])
  has_value = np.ix_(count_su.any(1), count_su.any(0))
  return sum_su[has_value], count_su[has_value]


def _scaled(score_n: np.ndarray) -> float:
  """Returns the variance of a sum of N independent scores."""
  n = len(score_n)
  return float(np.square(score_n).sum() * n / (n - 1))


def _checked(name: str, value: float, low: float = 0.0) -> float:
  if not low < value < 1:
    raise ValueError(f'{name} is {value}; give one in ({low}, 1).')
  return value
