"""result.json: the same shape for every experiment."""

from collections.abc import Mapping
import json
import math
import os
import pathlib
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.evaluate.answers import METRICS

REQUIRED = ('arms', 'paired', 'floors', 'seconds', 'peak_rss_gib', 'seeds')
COMPARISON = ('popo', 'sft')


def check(result: Mapping[str, Any]) -> None:
  """Returns nothing; raises unless `result` has the shape of result.json.

  That is `{"arms": {ARM: {METRIC: INTERVAL}}, "paired": {"ARM-BASE": {METRIC:
  INTERVAL}}, "floors": {NAME: {METRIC: INTERVAL}}, "seconds": {STAGE: s},
  "peak_rss_gib": x, "seeds": [...]}` where INTERVAL is `{"mean", "low",
  "high"}`, all three null where there is no value. Every metric of
  `arms.METRICS` is in every arm, pair and floor; `paired` has 'popo-sft' where
  both arms exist. More keys and more metrics are welcome.

  Args:
    result: what is to be written.

  Raises:
    ValueError: it has another shape; all faults are named.
  """
  faults = [f"'{key}' is missing" for key in REQUIRED if key not in result]
  if not faults:
    faults = [*_table_faults(result), *_scalar_faults(result)]
  if faults:
    raise ValueError('result.json would be malformed: ' + '; '.join(faults))


def write(path: pathlib.Path, result: Mapping[str, Any]) -> None:
  """Returns once `result`, checked, stands in the file `path`, whole.

  Args:
    path: usually `WORKDIR/result.json`; replaced where it exists.
    result: as `check` wants it.

  Raises:
    ValueError: the result is malformed.
    UserError: the file cannot be written.
  """
  check(result)
  write_text(path, json.dumps(result, indent=1, allow_nan=False) + '\n')


def write_text(path: pathlib.Path, text: str) -> None:
  """Returns once `text` stands in the file `path`: all of it or nothing.

  Raises:
    UserError: the file cannot be written.
  """
  part = path.with_name(path.name + '.part')
  try:
    with part.open('w', encoding='utf-8') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    part.replace(path)
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be written ({error.strerror}): make room or choose"
      ' another --workdir, then start again.'
    ) from error


def _table_faults(result: Mapping[str, Any]) -> list[str]:
  """Returns what is wrong with arms, pairs and floors."""
  faults = []
  for part in ('arms', 'paired', 'floors'):
    for name, metrics in result[part].items():
      where = f'{part}.{name}'
      missing = sorted(set(METRICS) - metrics.keys())
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
  pair = '-'.join(COMPARISON)
  if all(arm in arms for arm in COMPARISON) and pair not in result['paired']:
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
  if not _is_number(peak) or peak <= 0:
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
