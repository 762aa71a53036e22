"""Taiji end to end: logs, ID tower, CoT, SFT, RL with POPO, evaluation.

Run: python -m experiments.popo \\
  --config=experiments/configs/popo/ml100k_cpu.py

Writes result.json, table.md, report.md and plots into the work directory, and
the small files of which the pages are made to --results, where that is given.
"""

import pathlib

from experiments import entry, finished, popo_table, provenance
from experiments.popo_table import TABLE
from taiji_jax.pipeline import Run, reliability, report, table
from taiji_jax.pipeline import recipe as recipe_lib

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_RESULTS = entry.results_flag()


def main() -> None:
  """Runs the main job, or what of it is not done yet."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = Run(recipe, workdir, popo_table.plan(recipe))
  config = _CONFIG.value.to_dict()
  run.announce(config)
  cells = workdir / 'cells'
  result = table.make(run, TABLE, cells, remake=True)
  table.write(workdir, result, TABLE)
  about = provenance.about('experiments.popo')
  report.write(run, result, TABLE, table.rows_of(run, cells), about)
  if run.validation is not None:
    reliability.make(run, 'popo', run.plan.seeds('popo')[0])
  run.record(config, workdir / table.RESULT)
  if _RESULTS.value:
    to = pathlib.Path(_RESULTS.value)
    finished.keep(run, TABLE, result, cells, to, curves=True)


if __name__ == '__main__':
  entry.run(main, RECIPE)
