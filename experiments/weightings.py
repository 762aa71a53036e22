"""Which weighting pays? RL from one SFT model by several rules and seeds.

Run: python -m experiments.weightings \\
  --config=experiments/configs/weightings/ml100k_cpu.py

Writes cells, result.json, table.md and the front of the arms into
WORKDIR/weightings, and the small files of which the pages are made to
--results, where that is given. Stages before RL are shared with the main job's
recipe: point --workdir at a run of it and they come out of its cache.
"""

import pathlib

from experiments import entry, finished, weightings_table
from taiji_jax.evaluate import plots
from taiji_jax.pipeline import Run, table
from taiji_jax.pipeline import recipe as recipe_lib

RECIPE = 'experiments/configs/weightings/ml100k_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_RESULTS = entry.results_flag()


def main() -> None:
  """Runs every arm with every seed, or what of it is not done yet."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  shown = weightings_table.table(recipe)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = Run(recipe, workdir, weightings_table.plan(recipe))
  config = _CONFIG.value.to_dict()
  run.announce(config)
  folder = workdir / shown.name
  result = table.make(run, shown, folder, remake=True)
  table.write(folder, result, shown)
  run.record(config, folder / table.RESULT)
  # Without the floors, which lie far from the arms.
  figure = plots.front({**result, 'floors': {}}, *shown.rewards)
  plots.save(figure, folder / 'front.png')
  if _RESULTS.value:
    finished.keep(run, shown, result, folder, pathlib.Path(_RESULTS.value))


if __name__ == '__main__':
  entry.run(main, RECIPE)
