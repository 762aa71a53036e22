"""The counts of a CoT data set as small JSON, without its texts."""

from collections import Counter
from collections.abc import Mapping
import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.report.statistics import (
  PPL_EDGES,
  DataStatistics,
  Group,
  Spread,
)

NAME = 'data_counts.json'
_GROUPS = ('total', 'kept', 'rejected')
_LISTS = ('deciles', 'histories')
_HISTOGRAMS = ('ppl_kept_q', 'ppl_rejected_q')
_SPREADS = ('spread', 'gain_spread')
_COUNTERS = ('reasons', 'leaks', 'teachers')


def write(
  path: pathlib.Path,
  statistics: DataStatistics,
  threshold: float | None = None,
  planted: Mapping[str, Detection] | None = None,
) -> None:
  """Returns once the counts stand in the file; arguments as `report.write`'s.

  Raises:
    UserError: the file cannot be written.
  """
  files.write_json(
    path,
    {
      **{n: dataclasses.asdict(getattr(statistics, n)) for n in _GROUPS},
      **{
        n: [dataclasses.asdict(g) for g in getattr(statistics, n)]
        for n in _LISTS
      },
      # Bin -> texts, of those that hold any.
      **{n: _sparse(getattr(statistics, n)) for n in _HISTOGRAMS},
      **{n: dict(getattr(statistics, n).most_common()) for n in _COUNTERS},
      'rewritten': statistics.rewritten,
      **{n: _spread(getattr(statistics, n)) for n in _SPREADS},
      'threshold': threshold,
      'planted': {k: dataclasses.asdict(d) for k, d in (planted or {}).items()},
    },
  )


def statistics_of(record: Mapping[str, Any]) -> DataStatistics:
  """Returns the statistics that the figures need, of what `write` wrote.

  Without texts, and without the spreads.
  """
  size = len(PPL_EDGES) - 1
  return DataStatistics(
    **{n: Group(**record[n]) for n in _GROUPS},
    **{n: [Group(**g) for g in record[n]] for n in _LISTS},
    **{n: _dense(record[n], size) for n in _HISTOGRAMS},
    **{n: Counter(record[n]) for n in _COUNTERS},
    rewritten=record['rewritten'],
    **{n: Spread() for n in _SPREADS},
    kept_examples=[],
    rejected_examples=[],
  )


def _sparse(count_q: np.ndarray) -> dict[str, int]:
  return {str(q): int(count_q[q]) for q in np.flatnonzero(count_q)}


def _dense(counts: Mapping[str, int], size: int) -> np.ndarray:
  count_q = np.zeros(size, np.int64)
  for q, count in counts.items():
    count_q[int(q)] = count
  return count_q


def _spread(spread: Spread) -> dict[str, float | None]:
  return {n: _finite(getattr(spread, n)) for n in ('within', 'between')}


def _finite(value: float) -> float | None:
  return None if math.isnan(value) else value
