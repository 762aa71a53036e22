"""How well a ranker orders exposures, and how well calibrated it is."""

from collections.abc import Mapping

import numpy as np

_EPSILON = 1e-7


def auc(score_x: np.ndarray, label_x: np.ndarray) -> float:
  """Returns P(score of a positive > score of a negative), a tie counting half.

  The Mann-Whitney statistic over its maximum; NaN where one class is missing.

  Args:
    score_x: float, any scale.
    label_x: bool.
  """
  group_x = np.zeros(len(score_x), np.int64)
  return float(_grouped_auc(group_x, score_x, label_x)[0][0])


def gauc(user_x: np.ndarray, score_x: np.ndarray, label_x: np.ndarray) -> float:
  """Returns the mean of the users' AUCs, weighted by their impressions.

  GAUC, arXiv:1706.06978, section 6. Users with one class only have no AUC and
  are left out; NaN where none is left.

  Args:
    user_x: int, whose impression it is.
    score_x: float, any scale.
    label_x: bool.
  """
  auc_u, count_u = _grouped_auc(user_x, score_x, label_x)
  valid_u = ~np.isnan(auc_u)
  if not valid_u.any():
    return float('nan')
  return float(np.average(auc_u[valid_u], weights=count_u[valid_u]))


def log_loss(probability_x: np.ndarray, label_x: np.ndarray) -> float:
  """Returns the mean binary cross entropy in nats; NaN where there is none.

  Args:
    probability_x: float in [0, 1]; clipped to [1e-7, 1 - 1e-7].
    label_x: bool.
  """
  if not len(label_x):
    return float('nan')
  p_x = np.clip(probability_x.astype(np.float64), _EPSILON, 1 - _EPSILON)
  return float(-np.log(np.where(label_x, p_x, 1 - p_x)).mean())


def calibration(
  probability_x: np.ndarray, label_x: np.ndarray, bins: int = 10
) -> dict[str, list[float]]:
  """Returns `predicted`, `observed` and `count` of each bin, lowest bin first.

  `Choice:` bins hold equally many examples (quantiles of the prediction), since
  equally wide ones would put nearly all exposures into the first. Equal
  predictions share a bin, and empty bins are left out.

  Args:
    probability_x: float in [0, 1].
    label_x: bool.
    bins: how many, at least 1.
  """
  if bins < 1:
    raise ValueError(f'bins is {bins}; it must be at least 1.')
  if not len(label_x):
    return {'predicted': [], 'observed': [], 'count': []}
  p_x = probability_x.astype(np.float64)
  inner = np.quantile(p_x, np.arange(1, bins) / bins)
  bin_x = np.searchsorted(inner, p_x, side='left')
  count = np.bincount(bin_x, minlength=bins)
  filled = count > 0
  sums = [np.bincount(bin_x, x, bins)[filled] for x in (p_x, label_x)]
  count = count[filled]
  return {
    'predicted': (sums[0] / count).tolist(),
    'observed': (sums[1] / count).tolist(),
    'count': count.tolist(),
  }


def calibration_error(bins: Mapping[str, list[float]]) -> float:
  """Returns ECE: mean |predicted - observed| over examples (arXiv:1706.04599).

  Args:
    bins: what `calibration` returned; NaN where it has none.
  """
  if not bins['count']:
    return float('nan')
  gap = np.abs(np.subtract(bins['predicted'], bins['observed']))
  return float(np.average(gap, weights=bins['count']))


def ranking_report(
  user_x: np.ndarray,
  click_x: np.ndarray,
  conversion_x: np.ndarray,
  click_probability_x: np.ndarray,
  conversion_probability_x: np.ndarray,
) -> dict[str, dict[str, object]]:
  """Returns AUC, GAUC, log loss, ECE and bins of click, conversion, CTCVR.

  `conversion` is conversion given a click, measured on clicked exposures only;
  `ctcvr` is click and conversion, measured on all, with pCTR x pCVR.

  Args:
    user_x: int, whose exposure it is.
    click_x, conversion_x: bool, the labels.
    click_probability_x, conversion_probability_x: float in [0, 1].
  """
  click_x, conversion_x = click_x.astype(bool), conversion_x.astype(bool)
  everything = np.ones_like(click_x)
  both_x = click_probability_x * conversion_probability_x
  targets = {
    'click': (everything, click_x, click_probability_x),
    'conversion': (click_x, conversion_x, conversion_probability_x),
    'ctcvr': (everything, click_x & conversion_x, both_x),
  }
  report = {}
  for name, (mask_x, label_x, p_x) in targets.items():
    label, p = label_x[mask_x], p_x[mask_x]
    bins = calibration(p, label)
    report[name] = {
      'auc': auc(p, label),
      'gauc': gauc(user_x[mask_x], p, label),
      'log_loss': log_loss(p, label),
      'ece': calibration_error(bins),
      'examples': len(label),
      'calibration': bins,
    }
  return report


def report_by_seen(
  seen_x: np.ndarray,
  user_x: np.ndarray,
  click_x: np.ndarray,
  conversion_x: np.ndarray,
  click_probability_x: np.ndarray,
  conversion_probability_x: np.ndarray,
) -> dict[str, dict[str, dict[str, object]]]:
  """Returns `ranking_report` of `all`, `seen` and `unseen` users.

  Args:
    seen_x: bool, whether the user has training events.
    user_x, click_x, conversion_x: as in `ranking_report`.
    click_probability_x, conversion_probability_x: likewise.
  """
  seen_x = seen_x.astype(bool)
  arrays = (
    user_x,
    click_x,
    conversion_x,
    click_probability_x,
    conversion_probability_x,
  )
  parts = {'all': np.ones_like(seen_x), 'seen': seen_x, 'unseen': ~seen_x}
  return {
    name: ranking_report(*(x[mask_x] for x in arrays))
    for name, mask_x in parts.items()
  }


def _grouped_auc(
  group_x: np.ndarray, score_x: np.ndarray, label_x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the AUC and the size of every group, in the order of its code."""
  if not len(score_x):
    return np.array([np.nan]), np.zeros(1, np.int64)
  if np.isnan(score_x).any():
    raise ValueError('a score is NaN; AUC needs numbers.')
  label_x = label_x.astype(bool)
  _, group_x = np.unique(group_x, return_inverse=True)
  order = np.lexsort((score_x, group_x))
  group, score, label = group_x[order], score_x[order], label_x[order]
  count_u = np.bincount(group)
  rank = np.arange(len(score)) - (np.cumsum(count_u) - count_u)[group] + 1.0
  # Ties share the mean of their ranks.
  new = np.r_[True, (np.diff(score) != 0) | (np.diff(group) != 0)]
  tie = np.cumsum(new) - 1
  rank = (np.bincount(tie, rank) / np.bincount(tie))[tie]
  positive_u = np.bincount(group, label)
  negative_u = count_u - positive_u
  excess_u = np.bincount(group, rank * label)
  excess_u = excess_u - positive_u * (positive_u + 1) / 2
  with np.errstate(invalid='ignore', divide='ignore'):
    return excess_u / (positive_u * negative_u), count_u
