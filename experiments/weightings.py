"""Which weighting pays? RL from one SFT model by several rules and seeds.

Run: python -m experiments.weightings \
  --config=experiments/configs/weightings/ml100k_cpu.py

Writes cells, result.json, table.md and the front of the arms into
WORKDIR/weightings. Stages before RL are shared with the main job's recipe:
point --workdir at a run of it and they come out of its cache.
"""

from experiments import entry
from taiji_jax.evaluate import plots
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Arm, Plan, Run, table
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.rl.config import overrides_of

RECIPE = 'experiments/configs/weightings/ml100k_cpu.py'
SHOWN = (
  *table.TEXT_REWARDS,
  'category_l1_acc',
  'title_hit_rate_50',
  'format_rate',
  'distinct_items',
)

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()


def main() -> None:
  """Runs every arm with every seed, or what of it is not done yet."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  rules, seeds = recipe.compare.arms, recipe.compare.seeds
  arms = {'sft': Arm(data='reasoning')} | {
    rule: Arm('sft', overrides=overrides_of(rule)) for rule in rules
  }
  pairs = [(rule, 'sft') for rule in rules]
  if 'fixed' in rules:
    pairs += [(rule, 'fixed') for rule in rules if rule != 'fixed']
  shown = Table(
    'weightings', 'RL by rule', table.TEXT_METRICS, SHOWN, tuple(pairs),
    table.TEXT_REWARDS,
  )  # fmt: skip
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = Run(recipe, workdir, Plan(shown.name, arms, (recipe.seed,), seeds))
  run.record(_CONFIG.value.to_dict())
  folder = workdir / shown.name
  result = table.make(run, shown, folder, remake=True)
  table.write(folder, result, shown)
  # Without the floors, which lie far from the arms.
  figure = plots.front({**result, 'floors': {}}, *shown.rewards)
  plots.save(figure, folder / 'front.png')


if __name__ == '__main__':
  entry.run(main, RECIPE)
