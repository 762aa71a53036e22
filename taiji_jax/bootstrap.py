"""Percentile intervals of means, resampled by user and by seed."""

from collections.abc import Mapping
import math
import statistics

import numpy as np

Interval = dict[str, float | None]


def interval(
  value: np.ndarray | None,
  user_r: np.ndarray,
  *,
  samples: int = 2000,
  level: float = 0.95,
  seed: int = 0,
) -> Interval:
  """Returns `mean`, `low`, `high` of the mean of `value`.

  The rows of one user are alike, so whole users are drawn with replacement, and
  where there are several seeds, seeds as well, independently. Each draw's mean
  is a ratio, sum over count; NaN values count in neither. The interval is
  between the percentiles of the draws' means (Efron and Tibshirani, An
  Introduction to the Bootstrap, 13.3).

  Args:
    value: float `[R]`, or `[S, R]` for S seeds; None where the metric has no
      value.
    user_r: int, the user of each row.
    samples: how many draws.
    level: of the interval, in (0, 1).
    seed: of the draws; the same seed draws the same users for every metric.

  Returns:
    All None where there is no value.
  """
  if not 0 < level < 1 or samples < 1:
    raise ValueError(
      f'level={level}, samples={samples}; give one in (0, 1) and at least 1.'
    )
  if value is None or np.isnan(value).all():
    return {'mean': None, 'low': None, 'high': None}
  value_sr = np.atleast_2d(value).astype(np.float64)
  sum_su, count_su = _by_user(value_sr, user_r)
  rng = np.random.default_rng(seed)
  weight_bu = _draw(rng, samples, sum_su.shape[1])
  weight_bs = _draw(rng, samples, sum_su.shape[0])
  total_b, count_b = (
    np.einsum('bs,bu,su->b', weight_bs, weight_bu, x_su, optimize=True)
    for x_su in (sum_su, count_su)
  )
  mean_b = total_b[count_b > 0] / count_b[count_b > 0]
  tail = 50 * (1 - level)
  low, high = np.percentile(mean_b, [tail, 100 - tail])
  mean = sum_su.sum() / count_su.sum()
  return {'mean': float(mean), 'low': float(low), 'high': float(high)}


def paired(
  value: np.ndarray | None,
  base: np.ndarray | None,
  user_r: np.ndarray,
  *,
  samples: int = 2000,
  level: float = 0.95,
  seed: int = 0,
) -> Interval:
  """Returns the interval of the mean difference of two arms on the same rows.

  A row (of a seed) without a value in either arm has no difference.

  Args:
    value, base: float `[R]` or `[S, R]`, or None.
    user_r, samples, level, seed: as in `interval`.
  """
  difference = None if value is None or base is None else value - base
  return interval(difference, user_r, samples=samples, level=level, seed=seed)


def intervals(
  metrics: Mapping[str, np.ndarray | None], user_r: np.ndarray, **options
) -> dict[str, Interval]:
  """Returns `interval` of every metric; `options` go to it."""
  return {
    name: interval(value, user_r, **options) for name, value in metrics.items()
  }


def paired_intervals(
  metrics: Mapping[str, np.ndarray | None],
  base: Mapping[str, np.ndarray | None],
  user_r: np.ndarray,
  **options,
) -> dict[str, Interval]:
  """Returns `paired` of every metric that both arms have."""
  return {
    name: paired(value, base[name], user_r, **options)
    for name, value in metrics.items()
    if name in base
  }


def detectable(
  difference: Interval, *, level: float = 0.95, power: float = 0.8
) -> float | None:
  """Returns the smallest true difference that this test finds with `power`.

  (z_{1 - (1 - level) / 2} + z_power) SE, with the standard error SE out of the
  interval's width: what is smaller may well be there and not be seen.

  Args:
    difference: of `paired`, at `level`.
    level: of the interval, in (0, 1).
    power: in (0, 1).

  Returns:
    At least 0; None where there is no interval.
  """
  low, high = difference['low'], difference['high']
  if low is None or high is None:
    return None
  normal = statistics.NormalDist()
  tail = normal.inv_cdf((1 + level) / 2)
  error = (high - low) / (2 * tail)
  return (tail + normal.inv_cdf(power)) * error


def clears_zero(difference: Interval) -> bool:
  """Returns whether a paired interval lies above 0."""
  low = difference['low']
  return low is not None and not math.isnan(low) and low > 0


def _by_user(
  value_sr: np.ndarray, user_r: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns sums and counts [S, U] of the values that are no NaN."""
  if value_sr.shape[1] != len(user_r):
    raise ValueError(
      f'{value_sr.shape[1]} values for {len(user_r)} rows; give one each.'
    )
  _, user_r = np.unique(user_r, return_inverse=True)
  valid_sr = ~np.isnan(value_sr)
  zeroed_sr = np.where(valid_sr, value_sr, 0.0)
  sum_su = np.stack([np.bincount(user_r, x_r) for x_r in zeroed_sr])
  count_su = np.stack([np.bincount(user_r, x_r) for x_r in valid_sr])
  return sum_su, count_su


def _draw(rng: np.random.Generator, samples: int, units: int) -> np.ndarray:
  """Returns how often each unit is drawn, `[samples, units]`."""
  counts = rng.multinomial(units, np.full(units, 1 / units), size=samples)
  return counts.astype(np.float64)
