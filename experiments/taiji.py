"""Taiji's table: supervised arms, their controls, and RL from the best.

Run: TAIJI_DATA=FOLDER python -m experiments.taiji \\
  --config=experiments/configs/taiji/amazon_scientific_cpu.py

Every finished cell (arm, seed) is a small JSON in the folder of results; the
same command goes on from what is there. Writes result.json and table.md beside
them, and a report of each CoT data set into the work directory. --arms makes
the cells of some arms only: several machines, each with a work directory of its
own, may fill one folder of results. --table reads what is there, and needs
neither data nor models. --validate prints what the supervised arms (of --arms,
where given) score on validation rows: `arms.start` should name the best of them
by L1. --floors prints what is there before any language
model: the table look-ups, the retriever and the two ID towers, in minutes.
"""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

from absl import flags

from experiments import entry, finished, taiji_table
from experiments.taiji_table import TABLE
from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.pipeline import (
  Run,
  cot_report,
  reliability,
  simple_models,
  table,
  validation,
)
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.recipe import Recipe

RECIPE = 'experiments/configs/taiji/amazon_scientific_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_RESULTS = flags.DEFINE_string(
  'results', None, 'Where cells go; experiments/results/NAME where not given.'
)
_ARMS = flags.DEFINE_list(
  'arms', None, 'Only the cells of these, without the table; all if not given.'
)
_TABLE = flags.DEFINE_bool('table', False, 'Only the table of what is there.')
_FLOORS = flags.DEFINE_bool(
  'floors', False, 'Only the look-ups, the retriever and the ID towers.'
)
_VALIDATE = flags.DEFINE_bool(
  'validate', False, 'Only the supervised arms, on validation rows.'
)


def main() -> None:
  """Makes every cell of the table that is not there, and the table."""
  _check_flags()
  recipe = recipe_lib.from_config(_CONFIG.value)
  taiji_table.check_asked(recipe, _ARMS.value or ())
  folder = pathlib.Path(_RESULTS.value or f'experiments/results/{recipe.name}')
  if _TABLE.value:
    _write_table(recipe, folder)
    return
  if _FLOORS.value:
    # It tells whether the reward informs, and so does not stop where not.
    rl = dataclasses.replace(recipe.rl, require_informative_reward=False)
    recipe = dataclasses.replace(recipe, rl=rl)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = Run(recipe, workdir, taiji_table.plan(recipe))
  config = _CONFIG.value.to_dict()
  run.announce(config)
  if _FLOORS.value:
    text = simple_models.text(run, table.rows_of(run, workdir))
    _tell(workdir / 'floors.md', f'{recipe.name}, before any model', text)
  elif _VALIDATE.value:
    found = validation.of_arms(run, _ARMS.value or taiji_table.taught(run.plan))
    text = validation.text(run, found)
    _tell(workdir / 'validation.md', f'{recipe.name}, on validation rows', text)
  elif _ARMS.value:
    table.make(run, TABLE, folder, _ARMS.value)
    run.record(config)
  else:
    _make(run, config, folder)


def _make(run: Run, config: dict[str, Any], folder: pathlib.Path) -> None:
  """Makes all cells and the table; what an endpoint must answer comes last.

  So that where it is out of reach all else stands, the record of the work
  directory too.
  """
  for names in filter(None, taiji_table.by_teacher(run.plan)):
    table.make(run, TABLE, folder, names)
    table.rows_of(run, folder)
    run.record(config)
    _write_table(run.recipe, folder)
    _write_reports(run, names)


def _check_flags() -> None:
  """Raises UserError where flags exclude each other."""
  if _FLOORS.value and (_TABLE.value or _ARMS.value or _RESULTS.value):
    raise UserError('--floors goes with none of --table, --arms, --results.')
  if _TABLE.value and _ARMS.value:
    raise UserError('--table goes without --arms; it reads what is there.')
  if _VALIDATE.value and (_TABLE.value or _FLOORS.value or _RESULTS.value):
    raise UserError(
      '--validate goes with none of --table, --floors, --results.'
    )


def _tell(file: pathlib.Path, title: str, text: str) -> None:
  """Prints a text with its title, and writes it into a file."""
  text = f'# {title}\n\n{text}\n'
  files.write_text(file, text)
  print(text)


def _write_table(recipe: Recipe, folder: pathlib.Path) -> None:
  """Writes the table of what stands, the arms of an endpoint among them."""
  plan = taiji_table.plan(recipe, read=True)
  result = table.read(recipe, plan, TABLE, folder)
  table.write(folder, result, TABLE, taiji_table.claims(result))
  finished.record(plan, folder)


def _write_reports(run: Run, names: Sequence[str]) -> None:
  """Writes what the data of some arms hold, and how reliable answers are."""
  plan = run.plan
  start = run.recipe.arms.start
  for name in (start, f'{start}_held', 'popo', 'popo_held'):
    if name in names and run.validation is not None:
      reliability.make(run, name, plan.seeds(name)[0])
  taught = {name: plan.arms[name] for name in names if plan.arms[name].data}
  # Arms that share data share a report.
  places = {arm.data: name for name, arm in taught.items() if not arm.cot}
  places |= {name: name for name, arm in taught.items() if arm.cot}
  for place, name in places.items():
    data, kind = run.cot_data_for(name), taught[name].data
    shards = data.make(kind).folder
    cot_report.write(run, data, kind, shards, run.workdir / place)


if __name__ == '__main__':
  entry.run(main, RECIPE)
