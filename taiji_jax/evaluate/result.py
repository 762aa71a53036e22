"""result.json: the same shape for every experiment."""

from collections.abc import Mapping
import json
import math
import pathlib
from typing import Any

from taiji_jax import files
from taiji_jax.evaluate.table import Table

REQUIRED = ('arms', 'paired', 'floors', 'seconds', 'peak_rss_gib', 'seeds')


def check(result: Mapping[str, Any], table: Table) -> None:
  """Returns nothing; raises unless `result` has the shape of result.json.

  That is `{"arms": {ARM: {METRIC: INTERVAL}}, "paired": {"ARM-BASE": {METRIC:
  INTERVAL}}, "floors": {NAME: {METRIC: INTERVAL}}, "seconds": {STAGE: s},
  "peak_rss_gib": x, "seeds": [...]}` where INTERVAL is `{"mean", "low",
  "high"}`, all three null where there is no value. Every metric of
  the table is in every arm, pair and floor; `paired` has its verdict where both
  arms exist. "against_floors", {"ARM-FLOOR": {METRIC: INTERVAL}}, may be there:
  the paired differences. More keys and more metrics are welcome; memory 0 is
  unknown.

  Args:
    result: what is to be written.

  Raises:
    ValueError: it has another shape; all faults are named.
  """
  faults = [f"'{key}' is missing" for key in REQUIRED if key not in result]
  if not faults:
    faults = [*_table_faults(result, table), *_scalar_faults(result)]
  if faults:
    raise ValueError('result.json would be malformed: ' + '; '.join(faults))


def write(path: pathlib.Path, result: Mapping[str, Any], table: Table) -> None:
  """Returns once `result`, checked, stands in the file `path`, whole.

  Args:
    path: usually `WORKDIR/result.json`; replaced where it exists.
    result: as `check` wants it.
    table: what it is of.

  Raises:
    ValueError: the result is malformed.
    UserError: the file cannot be written.
  """
  check(result, table)
  files.write_text(path, json.dumps(result, indent=1, allow_nan=False) + '\n')


def _table_faults(result: Mapping[str, Any], table: Table) -> list[str]:
  """Returns what is wrong with arms, pairs and floors."""
  faults = []
  for part in ('arms', 'paired', 'floors', 'against_floors'):
    for name, metrics in result.get(part, {}).items():
      where = f'{part}.{name}'
      missing = sorted(set(table.metrics) - metrics.keys())
      if missing:
        faults.append(f'{where} lacks {", ".join(missing)}')
      for metric, interval in metrics.items():
        if not _is_interval(interval):
          faults.append(f'{where}.{metric} is no interval: {interval!r}')
  arms = result['arms']
  if not arms:
    faults.append('there is no arm')
  for pair in result['paired']:
    if not any(pair == f'{a}-{b}' for a in arms for b in arms if a != b):
      faults.append(f"'{pair}' does not name two of the arms")
  verdict = table.verdict or ()
  pair = '-'.join(verdict)
  if verdict and arms.keys() >= set(verdict) and pair not in result['paired']:
    faults.append(f"'{pair}' is missing")
  return faults


def _scalar_faults(result: Mapping[str, Any]) -> list[str]:
  """Returns what is wrong with seconds, memory and seeds."""
  faults = [
    f'seconds.{stage} is {value!r}'
    for stage, value in result['seconds'].items()
    if not _is_number(value) or value < 0
  ]
  peak = result['peak_rss_gib']
  if not _is_number(peak) or peak < 0:
    faults.append(f'peak_rss_gib is {peak!r}')
  seeds = result['seeds']
  if not seeds or not all(type(seed) is int for seed in seeds):
    faults.append(f'seeds is {seeds!r}')
  return faults


def _is_number(value: object) -> bool:
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return False
  return math.isfinite(value)


def _is_interval(value: object) -> bool:
  if not isinstance(value, Mapping) or set(value) != {'mean', 'low', 'high'}:
    return False
  if all(x is None for x in value.values()):
    return True
  return (
    all(_is_number(x) for x in value.values()) and value['low'] <= value['high']
  )
