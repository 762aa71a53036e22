"""result.json: the same shape for every experiment."""

from collections.abc import Iterator, Mapping
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
  files.write_text(path, text(result) + '\n')


def text(value: object, indent: str = '') -> str:
  """Returns JSON, indented by one space; what holds scalars alone is a line.

  Raises:
    ValueError: a number is no JSON: NaN or an infinity.
  """
  if not isinstance(value, Mapping) or not any(
    isinstance(v, Mapping) for v in value.values()
  ):
    return json.dumps(value, allow_nan=False)
  inner = indent + ' '
  lines = [
    f'{inner}{json.dumps(name)}: {text(v, inner)}' for name, v in value.items()
  ]
  return '{\n' + ',\n'.join(lines) + f'\n{indent}}}'


_COMPLETE = ('arms', 'paired', 'floors', 'against_floors')
_AGAINST = ('against_best', 'against_retriever')


def _table_faults(result: Mapping[str, Any], table: Table) -> list[str]:
  """Returns what is wrong with arms, pairs and floors."""
  faults = [
    f'{where}.{metric} is no interval: {interval!r}'
    for where, metrics in _parts(result)
    for metric, interval in metrics.items()
    if not _is_interval(interval)
  ]
  for part in _COMPLETE:
    for name, metrics in result.get(part, {}).items():
      missing = sorted(set(table.metrics) - metrics.keys())
      if missing:
        faults.append(f'{part}.{name} lacks {", ".join(missing)}')
  arms = result['arms']
  if not arms:
    faults.append('there is no arm')
  for pair in result['paired']:
    if not any(pair == f'{a}-{b}' for a in arms for b in arms if a != b):
      faults.append(f"'{pair}' does not name two of the arms")
  for part in _AGAINST:
    if odd := sorted(result.get(part, {}).keys() - arms.keys()):
      faults.append(f'{part} has {odd[0]!r}, which is no arm')
  verdict = table.verdict or ()
  pair = '-'.join(verdict)
  if verdict and arms.keys() >= set(verdict) and pair not in result['paired']:
    faults.append(f"'{pair}' is missing")
  return faults


def _parts(
  result: Mapping[str, Any], where: str = ''
) -> Iterator[tuple[str, Mapping[str, Any]]]:
  """Yields place and metrics of every arm, floor and comparison."""
  for part in (*_COMPLETE, *_AGAINST):
    for name, metrics in result.get(part, {}).items():
      yield f'{where}{part}.{name}', metrics
  for group, found in result.get('groups', {}).items():
    yield from _parts(found, f'groups.{group}.')


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
  mean, low, high = (value[k] for k in ('mean', 'low', 'high'))
  if low is None and high is None:
    return mean is None or _is_number(mean)
  return all(_is_number(x) for x in value.values()) and low <= mean <= high
