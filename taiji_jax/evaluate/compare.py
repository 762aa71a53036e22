"""Arms against each other: intervals and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taiji_jax import bootstrap
from taiji_jax.evaluate.answers import COUNTS
from taiji_jax.evaluate.cells import Cell
from taiji_jax.evaluate.config import EvaluationConfig
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table

Scored = Mapping[str, Mapping[str, np.ndarray]]
"""Arm -> metric -> float `[S, R]`, a row a seed."""


def result(
  table: Table,
  cells: Mapping[str, Sequence[Cell]],
  rows: JudgedRows,
  starts: Mapping[str, Sequence[int]],
  config: EvaluationConfig,
  seed: int,
) -> dict[str, Any]:
  """Returns what result.json holds, from files alone: no model, no data.

  Args:
    table: which pairs and metrics.
    cells: arm -> its cells, one a seed.
    rows: what they answered.
    starts: arm -> the seeds of its base, by place, that its own start from.
    config: how intervals are made.
    seed: of the draws.
  """
  scored = {arm: stack(each) for arm, each in cells.items()}
  pairs = [(a, b) for a, b in table.pairs if a in scored and b in scored]
  options = {'samples': config.resamples, 'seed': seed}

  def among(keep_r: np.ndarray) -> dict[str, Any]:
    return compare(scored, pairs, rows.user_r, keep_r, starts=starts, **options)

  every = among(np.ones(len(rows.user_r), bool))
  return {
    **every,
    'detectable': {
      pair: {m: bootstrap.detectable(i) for m, i in values.items()}
      for pair, values in every['paired'].items()
    },
    'floors': {
      name: _all_metrics(
        table, bootstrap.intervals(values, rows.user_r, **options)
      )
      for name, values in rows.floors.items()
    },
    'against_floors': {
      f'{arm}-{name}': _all_metrics(
        table,
        bootstrap.paired_intervals(
          values, rows.floors[name], rows.user_r, **options
        ),
      )
      for arm, values in scored.items()
      for name in rows.floors
    },
    'by_user': {
      'seen': among(rows.seen_r),
      'unseen': among(~rows.seen_r),
    },
    'seconds': _seconds(cells, rows),
    'peak_rss_gib': _peak(cells),
    'seeds': sorted({c.seed for each in cells.values() for c in each}),
    'cells': {arm: [c.seed for c in each] for arm, each in cells.items()},
  }


def stack(each: Sequence[Cell]) -> dict[str, np.ndarray]:
  """Returns the metrics of several seeds, float `[S, R]` each."""
  return {
    name: np.stack([cell.values[name] for cell in each])
    for name in each[0].values
  }


def compare(
  scored: Scored,
  pairs: Sequence[tuple[str, str]],
  user_r: np.ndarray,
  keep_r: np.ndarray,
  *,
  starts: Mapping[str, Sequence[int]] | None = None,
  samples: int = 2000,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns arms and pairs with intervals over the rows `keep_r`.

  Where these are not all rows, what counts over all of them has no value.

  Args:
    scored: see `Scored`.
    pairs: (arm, base) to be compared, seed by seed.
    user_r: int, the user of each row.
    keep_r: bool, the rows.
    starts: arm -> the seeds of the base, by place, that its own start from; a
      base that is no key here is taken in that order.
    samples, seed: as in `bootstrap.interval`.
  """
  user_r = user_r[keep_r]
  options = {'samples': samples, 'seed': seed}
  part = {
    arm: {k: _kept(k, v, keep_r) for k, v in values.items()}
    for arm, values in scored.items()
  }
  if not len(user_r):
    return {'rows': 0, 'users': 0, 'arms': {}, 'paired': {}}
  return {
    'rows': len(user_r),
    'users': len(np.unique(user_r)),
    'arms': {
      arm: bootstrap.intervals(values, user_r, **options)
      for arm, values in part.items()
    },
    'paired': {
      f'{arm}-{base}': bootstrap.paired_intervals(
        part[arm], _base(part, arm, base, starts or {}), user_r, **options
      )
      for arm, base in pairs
    },
  }


def _kept(name: str, value_sr: np.ndarray, keep_r: np.ndarray) -> np.ndarray:
  kept_sr = value_sr[:, keep_r]
  if name in COUNTS and not keep_r.all():
    return np.full_like(kept_sr, np.nan)
  return kept_sr


def _base(
  part: Mapping[str, Mapping[str, np.ndarray]],
  arm: str,
  base: str,
  starts: Mapping[str, Sequence[int]],
) -> Mapping[str, np.ndarray]:
  """Returns the base's values, one row for each seed of the arm."""
  if arm in starts and base not in starts:
    return {k: v[list(starts[arm])] for k, v in part[base].items()}
  return {
    k: np.broadcast_to(v, part[arm][k].shape) for k, v in part[base].items()
  }


def _all_metrics(
  table: Table, values: Mapping[str, Any]
) -> dict[str, bootstrap.Interval]:
  """Returns the intervals, empty ones for what a floor can't have."""
  nothing = bootstrap.interval(None, np.zeros(0, int))
  return dict.fromkeys(table.metrics, nothing) | dict(values)


def _seconds(
  cells: Mapping[str, Sequence[Cell]], rows: JudgedRows
) -> dict[str, float]:
  own = {
    f'{arm}_{what}': round(sum(c.seconds.get(what, 0) for c in each), 1)
    for arm, each in cells.items()
    for what in dict.fromkeys(name for c in each for name in c.seconds)
  }
  return {**rows.seconds, **own}


def _peak(cells: Mapping[str, Sequence[Cell]]) -> float:
  """Returns the most memory of a process that made one of the cells."""
  return round(max(c.peak_rss_gib for e in cells.values() for c in e), 3)
