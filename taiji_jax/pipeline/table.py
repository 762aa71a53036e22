"""The one engine behind every table: cells by (arm, seed), rows, comparison.

`make` makes what is missing, `read` reads files alone: no model, no data.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
import hashlib
import json
import pathlib
import resource
import time
from typing import Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.config import deviations
from taiji_jax.errors import UserError
from taiji_jax.evaluate import answers as answers_lib
from taiji_jax.evaluate import cells as cells_lib
from taiji_jax.evaluate import compare, judged_rows
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate import table as table_lib
from taiji_jax.evaluate.answers import EvaluationSet
from taiji_jax.evaluate.cells import Cell, Cells, Stamp
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import evaluation
from taiji_jax.pipeline.arms import BACKBONE, REASONING, TEACHER, Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.pipeline.run import Run
from taiji_jax.rl import rewards

RESULT, MARKDOWN = 'result.json', 'table.md'
# Of tables whose arms answer with texts.
TEXT_REWARDS = tuple(f'reward_{name}' for name in rewards.NAMES)
TEXT_METRICS = (*TEXT_REWARDS, *answers_lib.METRICS)
_EVERY = ('tower', 'retriever', 'candidates', 'answers', 'evaluation')


def make(
  run: Run,
  table: Table,
  folder: pathlib.Path,
  only: Sequence[str] | None = None,
  remake: bool = False,
) -> dict[str, Any] | None:
  """Returns the result, every cell of it in the folder; None where `only` is.

  Args:
    run: makes the models.
    table: what is compared.
    folder: of the cells; several machines may fill one.
    only: the arms whose cells are made, without a result; all where None.
    remake: whether a cell of another recipe is made anew; else it is refused.

  Raises:
    UserError: an unknown arm, or a cell of another recipe or other data.
  """
  for name in only or ():
    run.plan.get(name)
  stamps = stamps_of(run.recipe, run.plan, run.digest)
  cells = Cells(folder, stamps, table.metrics, table.shown[:4], remake)
  judge = _Judge(run)
  found: dict[str, list[Cell]] = {}
  for name, seed in run.plan.cells():
    if only is None or name in only:
      build = functools.partial(judge.cell, name, seed)
      cell = cells.make(name, seed, build)
      found.setdefault(name, []).append(cell)
  if only is not None:
    return None
  rows = _rows(run, judge, folder, _stamp_of_rows(run.recipe, run.digest))
  return _result(run.recipe, run.plan, table, found, rows)


def read(
  recipe: Recipe, plan: Plan, table: Table, folder: pathlib.Path
) -> dict[str, Any]:
  """Returns the result of the arms whose cells stand, out of files alone.

  Args:
    recipe: what the cells must have been made with.
    plan, table: the arms and what is compared.
    folder: of the cells.

  Raises:
    UserError: no arm has all its cells, or one is damaged or of another recipe,
      or they are of different data.
  """
  data = cells_lib.data_of(folder, plan.cells())
  cells = Cells(folder, stamps_of(recipe, plan, data), table.metrics)
  found: dict[str, list[Cell]] = {}
  missing: dict[str, str] = {}
  for name, seed in plan.cells():
    cell = cells.find(name, seed)
    if cell is None:
      missing.setdefault(name, f'{name}-{seed}.json is not there')
    else:
      found.setdefault(name, []).append(cell)
  for name, why in missing.items():
    found.pop(name, None)
    metrics.LOG.info('without the arm %s: %s', name, why)
  if not found:
    raise UserError(
      f'{folder} holds no arm of this recipe with all its seeds; run the'
      ' experiment without --table, or give another --results.'
    )
  rows = judged_rows.read(folder, _stamp_of_rows(recipe, data))
  return _result(recipe, plan, table, found, rows)


def write(
  to: pathlib.Path,
  result: Mapping[str, Any],
  table: Table,
  more: Sequence[str] = (),
) -> None:
  """Returns once result.json and table.md stand in the folder `to`.

  Args:
    to: an existing folder.
    result: of `make` or `read`.
    table: what it is of.
    more: sections at the end of table.md.
  """
  result_lib.write(to / RESULT, result, table)
  files.write_text(to / MARKDOWN, table_lib.text(result, table, more))
  metrics.LOG.info('%s', to / MARKDOWN)


def stamps_of(recipe: Recipe, plan: Plan, data: str) -> dict[str, Stamp]:
  """Returns arm -> what its cells follow from: recipe, revisions, data."""
  key = recipe.key()
  found = {}
  for name in plan.arms:
    own: dict[str, Any] = {
      'recipe': key,
      'arms': [deviations(one) for one in plan.chain(name)],
      'stages': stages_of(plan, name),
    }
    if plan.after_reinforcement(name):
      own['starts'] = list(plan.starts(name))
    if plan.arms[name].reinforced and recipe.arms.rl_rows:
      own['rl_rows'] = recipe.arms.rl_rows
    asked = [one.cot for one in plan.chain(name) if one.cot]
    if asked:
      cot = dataclasses.replace(recipe.cot, **asked[0])
      own['cot'] = cot.identity()
    found[name] = Stamp(_hash(own), data)
  return found


def stages_of(plan: Plan, name: str) -> dict[str, int]:
  """Returns the revisions of all stages that an arm's numbers follow from."""
  stages = set(_EVERY)
  for arm in plan.chain(name):
    stages.add('cot' if arm.base == TEACHER else 'tokenizer')
    if arm.data:
      stages.add('sft')
      # The backbone scores the texts.
      stages |= {'reasoning'} if arm.data == REASONING else {'cot', 'backbone'}
    if arm.reinforced:
      stages.add('rl')
    if arm.base == BACKBONE:
      stages.add('backbone')
  return {stage: REVISIONS[stage] for stage in sorted(stages)}


def outdated(recipe: Recipe, plan: Plan, folder: pathlib.Path) -> list[str]:
  """Returns the arms with a cell that follows from another key than today's.

  Args:
    recipe: today's.
    plan: today's arms; a cell that is not there says nothing.
    folder: of the cells.

  Raises:
    UserError: the cells are of different data, or one is damaged.
  """
  stamps = stamps_of(recipe, plan, cells_lib.data_of(folder, plan.cells()))
  found = {
    name
    for name, seed in plan.cells()
    if (stamp := cells_lib.stamp_of(folder, name, seed))
    and not stamps[name].fits(stamp)
  }
  return [name for name in plan.arms if name in found]


class _Judge:
  """Makes cells: answers, and what they score on the evaluation rows."""

  def __init__(self, run: Run):
    self._run = run

  @functools.cached_property
  def data(self) -> EvaluationSet:
    """Returns the rows that arms answer, and what judges them."""
    return evaluation.set_of(self._run, self._run.logs.split.evaluation)

  @functools.cached_property
  def sample(self) -> EvaluationSet:
    """Returns those of them that what reinforcement makes answers."""
    run = self._run
    rows = run.logs.split.evaluation.take(evaluation.sampled(run))
    return evaluation.set_of(run, rows)

  def cell(self, name: str, seed: int) -> Cell:
    """Returns the cell of an arm, without value where it answers no row."""
    run = self._run
    completions, seconds = run.answers(name, seed)
    part = run.plan.get(name).reinforced and run.recipe.arms.rl_rows
    data = self.sample if part else self.data
    values = answers_lib.score(completions, data)
    item_r = answers_lib.named(completions, data)
    if part:
      at, rows = evaluation.sampled(run), len(self.data.rows)
      values = {
        metric: None if value_r is None else _spread(value_r, at, rows, np.nan)
        for metric, value_r in values.items()
      }
      item_r = _spread(item_r, at, rows, -1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cell(name, seed, seconds, values, peak, item_r)


def _spread(
  value_r: np.ndarray, at: np.ndarray, rows: int, nothing: float
) -> np.ndarray:
  """Returns the values at their rows, and `nothing` at all others."""
  found = np.full(rows, nothing, value_r.dtype)
  found[at] = value_r
  return found


def rows_of(run: Run, folder: pathlib.Path) -> JudgedRows:
  """Returns the judged rows of a table: read where they stand, else made.

  Args:
    run: whose evaluation rows.
    folder: of the cells.
  """
  return _rows(run, _Judge(run), folder, _stamp_of_rows(run.recipe, run.digest))


def _rows(
  run: Run, judge: _Judge, folder: pathlib.Path, stamp: Stamp
) -> JudgedRows:
  """Returns users and floors: read where they stand and fit, else made."""
  try:
    return judged_rows.read(folder, stamp)
  except UserError:
    # Nothing is lost: it is a function of the data and takes seconds.
    pass
  begin = time.monotonic()
  metrics.LOG.info('floors ...')
  rows = evaluation.judged(run, judge.data)
  own = {f'{arm}_{seed}' for arm, seed in run.plan.cells()}
  seconds = {
    stage: spent
    for stage, spent in run.products.seconds.items()
    if stage.removeprefix('answers_').removeprefix('rl_') not in own
  }
  seconds['evaluation'] = time.monotonic() - begin
  rows = dataclasses.replace(rows, seconds=seconds)
  judged_rows.write(folder, rows, stamp)
  return judged_rows.read(folder, stamp)


def _result(
  recipe: Recipe,
  plan: Plan,
  table: Table,
  cells: Mapping[str, Sequence[Cell]],
  rows: JudgedRows,
) -> dict[str, Any]:
  starts = {
    name: [plan.origin(name, cell.seed) for cell in each]
    for name, each in cells.items()
    if plan.after_reinforcement(name)
  }
  found = compare.result(table, cells, rows, starts)
  return {'config': recipe.digest(), **found}


def _stamp_of_rows(recipe: Recipe, data: str) -> Stamp:
  stages = {stage: REVISIONS[stage] for stage in _EVERY}
  return Stamp(_hash({'recipe': recipe.key(), 'stages': stages}), data)


def _hash(value: Any) -> str:
  text = json.dumps(value, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]
