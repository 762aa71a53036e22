"""Arms against each other, against look-ups and against their retriever.

Names of comparisons: 'ARM-BASE' of a pair, 'ARM-best' against the best look-up
of the metric, 'ARM-retriever' against the retriever's own answer.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from taiji_jax import intervals
from taiji_jax.evaluate import judged_rows, multiplicity
from taiji_jax.evaluate.answers import COUNTS
from taiji_jax.evaluate.cells import Cell, round_to
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import ALL, BEST, LEAST, RETRIEVER, Table
from taiji_jax.intervals import Estimate

Scored = Mapping[str, Mapping[str, np.ndarray]]
"""Arm -> metric -> float `[S, R]`, a row a seed."""
Estimates = dict[str, dict[str, Estimate]]
"""Arm or comparison -> metric -> its mean and error."""


def result(
  table: Table,
  cells: Mapping[str, Sequence[Cell]],
  rows: JudgedRows,
  starts: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
  """Returns what result.json holds, from files alone: no model, no data.

  Args:
    table: which pairs and metrics.
    cells: arm -> its cells, one a seed.
    rows: what they answered.
    starts: arm that reinforcement made -> the seed of supervised training
      that each of its own goes back to.
  """
  comparison = _Comparison(table, cells, rows, starts)
  every = comparison.among(np.ones(len(rows.user_r), bool))
  parts = {name: comparison.among(r) for name, r in rows.groups.items()}
  p_values = {
    group: _p_values(part, comparison.tested(group))
    for group, part in ({ALL: every} | parts).items()
  }
  return {
    **_told(every),
    'detectable': {
      pair: {m: _detectable(found) for m, found in values.items()}
      for pair, values in every['paired'].items()
    },
    'seed_spread': {
      pair: _spread(found)
      for pair, values in every['paired'].items()
      if (found := values.get(table.first)) and found.seed_deviation is not None
    },
    'floors': comparison.floors(),
    'against_floors': comparison.against_floors(),
    'best_floor': dict(rows.best),
    'retriever': rows.retriever,
    'groups': {name: _told(part) for name, part in parts.items()},
    'tests': multiplicity.tests(p_values, table.primary),
    'seconds': _seconds(cells, rows),
    'peak_rss_gib': _peak(cells),
    'seeds': sorted({c.seed for each in cells.values() for c in each}),
    'cells': {arm: [c.seed for c in each] for arm, each in cells.items()},
    'as_retriever': _as_retriever(cells, rows),
    'judged': {
      arm: judged_rows.counts(stack(each).values(), rows.user_r)
      for arm, each in cells.items()
    },
  }


def stack(each: Sequence[Cell]) -> dict[str, np.ndarray]:
  """Returns the metrics of several seeds, float `[S, R]` each."""
  return {
    name: np.stack([cell.values[name] for cell in each])
    for name in each[0].values
  }


class _Comparison:
  """Estimates over any part of the rows."""

  def __init__(
    self,
    table: Table,
    cells: Mapping[str, Sequence[Cell]],
    rows: JudgedRows,
    starts: Mapping[str, Sequence[int]],
  ):
    self._table, self._rows, self._starts = table, rows, starts
    self._scored: Scored = {arm: stack(each) for arm, each in cells.items()}
    self._seeds = {arm: [c.seed for c in each] for arm, each in cells.items()}

  def among(self, keep_r: np.ndarray) -> dict[str, Any]:
    """Returns the counts of the rows `keep_r`, and the estimates over them.

    Where these are not all rows, what counts over all of them has no value;
    without a row there is nothing but the counts.
    """
    user_r = self._rows.user_r[keep_r]
    if not len(user_r):
      return {'rows': 0, 'users': 0, **dict.fromkeys(_PARTS, {})}
    part = {arm: _kept(values, keep_r) for arm, values in self._scored.items()}
    return {
      'rows': len(user_r),
      'users': len(np.unique(user_r)),
      'arms': {
        arm: {
          m: intervals.estimate(v, user_r, self._starts.get(arm))
          for m, v in values.items()
        }
        for arm, values in part.items()
      },
      'paired': {
        f'{arm}-{base}': self._paired(part, arm, base, user_r)
        for arm, base in self._table.pairs
        if arm in part and base in part
      },
      'against_best': self._against(part, self._best(keep_r), user_r),
      'against_retriever': self._against(
        part, self._floor(self._rows.retriever, keep_r), user_r
      ),
    }

  def tested(self, group: str) -> set[str]:
    """Returns the metrics that are tested in a group.

    `Choice:` the metrics of the Markdown table that are better when higher, and
    in parts of the rows the primary one alone: with more tests each of them
    needs more seeds than anybody trains.
    """
    table = self._table
    if group == ALL:
      return {*table.shown} - {*COUNTS, table.distinct, table.repeats}
    return {table.primary[1]} if table.primary else {*table.shown[:1]}

  def floors(self) -> dict[str, Any]:
    """Returns the intervals of every floor, empty ones for what it has not."""
    return {
      name: _filled(
        self._table,
        _intervals(
          {m: intervals.estimate(v, self._rows.user_r) for m, v in each.items()}
        ),
      )
      for name, each in self._rows.floors.items()
    }

  def against_floors(self) -> dict[str, Any]:
    """Returns the intervals of every arm minus every floor."""
    return {
      f'{arm}-{name}': _filled(
        self._table,
        _intervals(
          _differences(values, each, self._rows.user_r, self._starts.get(arm))
        ),
      )
      for arm, values in self._scored.items()
      for name, each in self._rows.floors.items()
    }

  def _paired(
    self, part: Scored, arm: str, base: str, user_r: np.ndarray
  ) -> dict[str, Estimate]:
    """Returns the differences of two arms, seed by seed.

    What reinforcement made is paired with what it made by seed, and with a
    supervised base by the seed that it goes back to, of which several of its
    own may be: then these are what is independent. A base of one seed, as what
    is not trained has, goes with all.
    """
    values, others = part[arm], part[base]
    apart = arm in self._starts and base not in self._starts
    starts = list(self._starts[arm]) if apart else None
    if len(self._seeds[base]) == 1:
      return _differences(values, others, user_r, starts)
    own = starts or self._seeds[arm]
    place = {seed: i for i, seed in enumerate(self._seeds[base])}
    pairs = [(i, place[s]) for i, s in enumerate(own) if s in place]
    mine, theirs = map(list, zip(*pairs, strict=True)) if pairs else ([], [])
    return _differences(
      {k: v[mine] for k, v in values.items()},
      {k: v[theirs] for k, v in others.items()},
      user_r,
      [starts[i] for i in mine] if starts else None,
    )

  def _best(self, keep_r: np.ndarray) -> dict[str, np.ndarray]:
    """Returns metric -> the values of the look-up that is best in it."""
    values = {
      metric: self._rows.floors[floor].get(metric)
      for metric, floor in self._rows.best.items()
    }
    return self._comparable(values, keep_r)

  def _floor(self, name: str, keep_r: np.ndarray) -> dict[str, np.ndarray]:
    return self._comparable(self._rows.floors.get(name, {}), keep_r)

  def _comparable(
    self, values: Mapping[str, np.ndarray | None], keep_r: np.ndarray
  ) -> dict[str, np.ndarray]:
    """Returns the metrics of which more is better."""
    apart = {*COUNTS, self._table.distinct, self._table.repeats}
    return {
      m: v[keep_r]
      for m, v in values.items()
      if v is not None and m not in apart
    }

  def _against(
    self, part: Scored, base: Mapping[str, np.ndarray], user_r: np.ndarray
  ) -> Estimates:
    if not base:
      return {}
    return {
      arm: _differences(v, base, user_r, self._starts.get(arm))
      for arm, v in part.items()
    }


_PARTS = ('arms', 'paired', 'against_best', 'against_retriever')


def _kept(
  values: Mapping[str, np.ndarray], keep_r: np.ndarray
) -> dict[str, np.ndarray]:
  lost = () if keep_r.all() else COUNTS
  return {
    name: np.full_like(v[:, keep_r], np.nan) if name in lost else v[:, keep_r]
    for name, v in values.items()
  }


def _differences(
  values: Mapping[str, np.ndarray | None],
  base: Mapping[str, np.ndarray | None],
  user_r: np.ndarray,
  start_s: Sequence[int] | None = None,
) -> dict[str, Estimate]:
  """Returns the differences in the metrics that both have.

  What counts over all rows together has none where they answered other rows.
  """
  return {
    name: Estimate(None)
    if name in COUNTS and not _same_rows(value, base[name])
    else intervals.difference(value, base[name], user_r, start_s)
    for name, value in values.items()
    if name in base
  }


def _same_rows(value: np.ndarray | None, base: np.ndarray | None) -> bool:
  """Returns whether two arms have values of the same rows."""
  if value is None or base is None:
    return True
  answered = [~np.isnan(np.atleast_2d(v)).all(0) for v in (value, base)]
  return bool((answered[0] == answered[1]).all())


def _told(part: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what `among` found with intervals for estimates."""
  return {name: part[name] for name in ('rows', 'users')} | {
    name: {key: _intervals(values) for key, values in part[name].items()}
    for name in _PARTS
  }


def _intervals(
  values: Mapping[str, Estimate],
) -> dict[str, intervals.Interval]:
  return {
    metric: _rounded(found.interval()) for metric, found in values.items()
  }


def _rounded(found: intervals.Interval) -> intervals.Interval:
  return {k: None if v is None else round_to(v) for k, v in found.items()}


def _detectable(found: Estimate) -> float | None:
  least = found.detectable()
  return None if least is None else round_to(least)


def _spread(found: Estimate) -> dict[str, float | int | None]:
  """Returns the deviation between seeds, and how many `LEAST` would need."""
  return {
    'deviation': round_to(found.seed_deviation),
    'seeds': found.seeds_for(LEAST),
  }


def _p_values(
  part: Mapping[str, Any], metrics: Collection[str]
) -> dict[str, dict[str, float]]:
  """Returns comparison -> metric -> p-value, where there is one."""
  named = dict(part['paired'])
  for what, end in (('against_best', BEST), ('against_retriever', RETRIEVER)):
    named |= {f'{arm}-{end}': values for arm, values in part[what].items()}
  return {
    name: {
      metric: p
      for metric, found in values.items()
      if metric in metrics and (p := found.p_value()) is not None
    }
    for name, values in named.items()
  }


def _filled(
  table: Table, values: Mapping[str, Any]
) -> dict[str, intervals.Interval]:
  """Returns the intervals, empty ones for what a floor can't have."""
  nothing = Estimate(None).interval()
  return dict.fromkeys(table.metrics, nothing) | dict(values)


def _as_retriever(
  cells: Mapping[str, Sequence[Cell]], rows: JudgedRows
) -> dict[str, float]:
  """Returns arm -> the share of its answers that name the retriever's item.

  Of the rows that it answers, over all its seeds; no arm whose cells do not
  tell their items.
  """
  if rows.answer_r is None:
    return {}
  found = {}
  for arm, each in cells.items():
    shares = []
    for cell in each:
      values = [v for v in cell.values.values() if v is not None]
      judged_r = np.any([~np.isnan(value_r) for value_r in values], 0)
      if cell.item_r is not None and judged_r.any():
        same_r = (cell.item_r == rows.answer_r) & (cell.item_r >= 0)
        shares.append(float(same_r[judged_r].mean()))
    if shares:
      found[arm] = round_to(sum(shares) / len(shares))
  return found


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
