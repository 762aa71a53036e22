"""Taiji end to end: logs, ID tower, CoT, SFT, RL with POPO, evaluation.

Run: python -m experiments.popo \
  --config=experiments/configs/popo/ml100k_cpu.py

Writes result.json, table.md, report.md and plots into the work directory.
"""

from experiments import entry
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Arm, Plan, Run, report, table
from taiji_jax.pipeline import recipe as recipe_lib

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'
ARMS = {'sft': Arm(data='reasoning'), 'popo': Arm('sft', overrides={})}
TABLE = Table(
  name='popo',
  title='Before and after RL',
  metrics=table.TEXT_METRICS,
  shown=table.TEXT_METRICS,
  pairs=(('popo', 'sft'),),
  rewards=table.TEXT_REWARDS,
  verdict=('popo', 'sft'),
)

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()


def main() -> None:
  """Runs the main job, or what of it is not done yet."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  seeds = (recipe.seed,)
  run = Run(recipe, workdir, Plan(TABLE.name, ARMS, seeds, seeds))
  run.record(_CONFIG.value.to_dict())
  result = table.make(run, TABLE, workdir / 'cells', remake=True)
  table.write(workdir, result, TABLE)
  report.write(run, result, TABLE)


if __name__ == '__main__':
  entry.run(main, RECIPE)
