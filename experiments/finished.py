"""Finished runs: the small files of one, out of which the pages are made.

A folder of a finished run holds its cells and floors, result.json, table.md,
`run.json` (the command, the day, the machine, the revisions of the stages) and,
where the pages draw them, `rl.json` and `ranker.json`; the folder of a CoT data
set `data_KIND.json`.
"""

from collections.abc import Mapping
import datetime
import hashlib
import pathlib
from typing import Any, Protocol

from experiments import provenance
from taiji_jax import files
from taiji_jax.cot.report import counts
from taiji_jax.evaluate import cells, judged_rows
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Plan, Run, report, table, tower
from taiji_jax.pipeline.generator_arms import GeneratorPlan
from taiji_jax.pipeline.revisions import REVISIONS

RECORD, CURVES, RANKER = 'run.json', 'rl.json', 'ranker.json'
COUNTS = 'data_{kind}.json'
_DRAWN = ('reward_', 'weight_')
# Flags that decide no number.
_WHERE = ('results', 'table', 'arms', 'workdir')
_COT_STAGES = ('tokenizer', 'backbone', 'cot')


class HasCells(Protocol):
  """Arms and their seeds."""

  def cells(self) -> list[tuple[str, int]]:
    """Returns (arm, seed) of each cell, always in one order."""
    ...


def keep(
  run: Run,
  shown: Table,
  result: Mapping[str, Any],
  made: pathlib.Path,
  to: pathlib.Path,
  curves: bool = False,
) -> None:
  """Returns once the small files of a run stand in the folder `to`.

  Args:
    run: the run, all of whose cells are made.
    shown: its table.
    result: of `table.make`.
    made: the folder of its cells.
    to: made where it is missing.
    curves: whether what the RL steps logged and the ranker's report go there
      too.
  """
  to.mkdir(parents=True, exist_ok=True)
  date = _date(run.plan, made)
  for path in _places(run.plan, made):
    files.write_text(to / path.name, path.read_text('utf-8'))
  table.write(to, result, shown)
  if curves:
    rows = [_trimmed(row) for row in report.rl_rows(run)]
    files.write_text(to / CURVES, cells.text({'rows': cells.Line(rows)}))
    # It may hold NaN: of a small set no head can be ranked.
    ranker = (run.tower.folder / tower.REPORT).read_text('utf-8')
    files.write_text(to / RANKER, ranker)
  record(run.plan, to, date)


def record(
  plan: Plan | GeneratorPlan,
  folder: pathlib.Path,
  date: datetime.date | None = None,
  stages: Mapping[str, int] | None = None,
) -> None:
  """Writes run.json, unless the cells are those that it was written of.

  Args:
    plan: the arms.
    folder: of the cells.
    date: of the newest; None takes it from the files.
    stages: the revisions that the cells follow from; None takes them from the
      arms.
  """
  digest = digest_of(plan, folder)
  path = folder / RECORD
  if path.exists() and files.read_json(path).get('cells') == digest:
    return  # Its day and its machine are those of the cells.
  made = provenance.record(
    f'experiments.{plan.table}', date or _date(plan, folder), _WHERE
  )
  revisions = dict(stages or {})
  if stages is None:
    for name in plan.arms:
      revisions |= table.stages_of(plan, name)
  files.write_json(path, {**made, 'revisions': revisions, 'cells': digest})


def keep_counts(made: pathlib.Path, kind: str, to: str | None) -> None:
  """Returns once the counts of a CoT data set are kept, if they are to be.

  Args:
    made: the folder of its report.
    kind: 'rupr' or 'direct'.
    to: a folder, made where it is missing; None keeps nothing.
  """
  if to is None:
    return
  pathlib.Path(to).mkdir(parents=True, exist_ok=True)
  path = pathlib.Path(to) / COUNTS.format(kind=kind)
  found = files.read_json(made / counts.NAME)
  if path.exists() and files.read_json(path).get('result') == found:
    return
  made_by = provenance.record('experiments.cot', without=_WHERE)
  revisions = {stage: REVISIONS[stage] for stage in _COT_STAGES}
  files.write_json(path, {**made_by, 'revisions': revisions, 'result': found})


def digest_of(plan: HasCells, folder: pathlib.Path) -> str:
  """Returns the hash of all cells that stand, and of the floors."""
  parts = [f'{p.name} {files.sha256(p)}' for p in _places(plan, folder)]
  return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]


def _trimmed(row: Mapping[str, Any]) -> dict[str, Any]:
  drawn = {
    name: cells.round_to(value)
    for name, value in row.items()
    if name.startswith(_DRAWN)
  }
  return {'step': row['step'], **drawn}


def _places(plan: HasCells, folder: pathlib.Path) -> list[pathlib.Path]:
  names = [f'{arm}-{seed}.json' for arm, seed in plan.cells()]
  paths = [folder / name for name in (*names, judged_rows.NAME)]
  return [path for path in paths if path.exists()]


def _date(plan: HasCells, folder: pathlib.Path) -> datetime.date:
  newest = max(p.stat().st_mtime for p in _places(plan, folder))
  return datetime.date.fromtimestamp(newest)
