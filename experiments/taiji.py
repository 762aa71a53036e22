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

import dataclasses
import pathlib

from absl import flags

from experiments import entry, finished, taiji_table
from experiments.taiji_table import TABLE
from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.pipeline import (
  Run,
  arms,
  cot_report,
  simple_models,
  table,
  validation,
)
from taiji_jax.pipeline import recipe as recipe_lib

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
  recipe = recipe_lib.from_config(_CONFIG.value)
  if _FLOORS.value:
    if _TABLE.value or _ARMS.value or _RESULTS.value:
      raise UserError('--floors goes with none of --table, --arms, --results.')
    # It tells whether the reward informs, and so does not stop where not.
    rl = dataclasses.replace(recipe.rl, require_informative_reward=False)
    recipe = dataclasses.replace(recipe, rl=rl)
  folder = pathlib.Path(_RESULTS.value or f'experiments/results/{recipe.name}')
  plan = taiji_table.plan(recipe, read=_TABLE.value)
  if _TABLE.value:
    result = table.read(recipe, plan, TABLE, folder)
    table.write(folder, result, TABLE, taiji_table.claims(result))
    finished.record(plan, folder)
    return
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = Run(recipe, workdir, plan)
  config = _CONFIG.value.to_dict()
  run.announce(config)
  if _FLOORS.value:
    rows = table.rows_of(run, workdir)
    text = f'# {recipe.name}, before any language model\n\n'
    text += simple_models.text(run, rows) + '\n'
    files.write_text(workdir / 'floors.md', text)
    print(text)
    return
  if _VALIDATE.value:
    names = _ARMS.value or taiji_table.taught(plan)
    text = validation.text(run, validation.of_arms(run, names))
    files.write_text(workdir / 'validation.md', text + '\n')
    print(text)
    return
  result = table.make(run, TABLE, folder, _ARMS.value)
  run.record(config)
  if result is None:
    return
  # With the arms of an endpoint, where their cells stand.
  plan = taiji_table.plan(recipe, read=True)
  result = table.read(recipe, plan, TABLE, folder)
  table.write(folder, result, TABLE, taiji_table.claims(result))
  finished.record(plan, folder)
  for kind in arms.KINDS:
    shards = run.cot_data.make(kind).folder
    cot_report.write(run, run.cot_data, kind, shards, workdir / kind)


if __name__ == '__main__':
  entry.run(main, RECIPE)
