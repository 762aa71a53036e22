"""Many tests of one table: the one named before, and all others by Holm."""

from collections.abc import Mapping
from typing import Any

from taiji_jax import intervals

LEVEL = 0.05

PValues = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Group -> comparison -> metric -> p-value."""


def tests(
  p_values: PValues, primary: tuple[str, str, str] | None
) -> dict[str, Any]:
  """Returns what result.json says of significance.

  `{"primary": {"comparison", "metric", "group", "p"} or null, "count": how many
  others, "survive": how many of them have a p_holm below .05, "others": {GROUP:
  {COMPARISON: {METRIC: [p, p_holm]}}}}`. The primary test was named before
  anything was trained, so its p-value stands alone (null where there is none);
  those of all others are raised for one another (Holm, 1979).

  Args:
    p_values: of every test of the table.
    primary: comparison, metric and group of the one named before.
  """
  flat = {
    (group, name, metric): p
    for group, comparisons in p_values.items()
    for name, metrics in comparisons.items()
    for metric, p in metrics.items()
  }
  first = None
  if primary is not None:
    name, metric, group = primary
    p = flat.pop((group, name, metric), None)
    first = {
      'comparison': name,
      'metric': metric,
      'group': group,
      'p': None if p is None else _short(p),
    }
  raised = {test: _short(p) for test, p in intervals.holm(flat).items()}
  others: dict[str, dict[str, dict[str, list[float]]]] = {}
  for (group, name, metric), p in flat.items():
    values = others.setdefault(group, {}).setdefault(name, {})
    values[metric] = [_short(p), raised[group, name, metric]]
  return {
    'primary': first,
    'count': len(flat),
    'survive': sum(p < LEVEL for p in raised.values()),
    'others': others,
  }


def survives(
  result: Mapping[str, Any], comparison: str, metric: str, group: str
) -> bool:
  """Returns whether a difference is beyond chance, given all the tests.

  Args:
    result: as `compare.result` makes it; one without tests has none that is.
    comparison: 'ARM-BASE', 'ARM-best' or 'ARM-retriever'.
    metric, group: which; the group of all rows is 'all'.
  """
  found = result.get('tests')
  if not found:
    return False
  first = found['primary'] or {}
  if (comparison, metric, group) == tuple(
    first.get(key) for key in ('comparison', 'metric', 'group')
  ):
    return first['p'] is not None and first['p'] < LEVEL
  values = found['others'].get(group, {}).get(comparison, {})
  return metric in values and values[metric][1] < LEVEL


def _short(p: float) -> float:
  return float(f'{p:.3g}')
