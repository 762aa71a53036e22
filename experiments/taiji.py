"""Taiji's table: backbone, teacher, direct, sft, orft, and RL three ways.

Run: TAIJI_DATA=FOLDER python -m experiments.taiji \\
  --config=experiments/configs/taiji/amazon_scientific_cpu.py

Every finished cell (arm, seed) is a small JSON in the folder of results; the
same command goes on from what is there. Writes result.json and table.md beside
them, and a report of each CoT data set into the work directory. --arms makes
the cells of some arms only: several machines, each with a work directory of its
own, may fill one folder of results.
"""

import json
import pathlib

from absl import flags
from ml_collections import config_flags

from experiments import entry, taiji_table
from taiji_jax.pipeline import cot_data, cot_report
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.arms import Arms
from taiji_jax.pipeline.context import Context

RECIPE = 'experiments/configs/taiji/amazon_scientific_cpu.py'

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'The recipe, {RECIPE} where not given.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where models go; runs/NAME where not given.'
)
_RESULTS = flags.DEFINE_string(
  'results', None, 'Where cells go; experiments/results/NAME where not given.'
)

_ARMS = flags.DEFINE_list(
  'arms', None, 'Only the cells of these, without the table; all if not given.'
)


def main() -> None:
  """Makes every cell of the table that is not there, and the table."""
  config = _CONFIG.value
  recipe = recipe_lib.from_config(config)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  results = pathlib.Path(_RESULTS.value or f'experiments/results/{recipe.name}')
  (workdir / 'config.json').write_text(
    json.dumps(config.to_dict(), indent=1) + '\n'
  )
  context = Context(recipe, workdir, recipe.mesh.make())
  arms = Arms(context, results)
  if _ARMS.value:
    arms.cells(_ARMS.value)
    return
  taiji_table.write(arms, arms.cells(), results)
  for kind in cot_data.KINDS:
    shards = arms.cot_data.make(kind).folder
    cot_report.write(arms.cot_data, arms.logs, kind, shards, workdir / kind)


if __name__ == '__main__':
  entry.run(main, RECIPE)
