"""S-GRec's RL: a generator, a business reward, a judge that training asks.

Run: TAIJI_DATA=FOLDER python -m experiments.a2po \\
  --config=experiments/configs/a2po/industrial_cpu.py

All arms begin at one generator, trained once. Every finished cell (arm, seed)
is a small JSON in the folder of results; the same command goes on from what is
there. --arms, --table and --validate as in `experiments.generator`.
"""

from experiments import a2po_table, entry, next_items
from experiments.generator_table import PUBLISHED
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_recipe
from taiji_jax.pipeline.generator import GeneratorRun

RECIPE = 'experiments/configs/a2po/industrial_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)


def main() -> None:
  """Makes every cell of the table that is not there, and the table."""
  recipe = generator_recipe.from_config(_CONFIG.value)
  if recipe.rl is None:
    raise UserError(
      f'the recipe {recipe.name} has no section `rl`; take {RECIPE}, or give it'
      ' one.'
    )
  workdir = entry.workdir(next_items.WORKDIR.value, f'runs/{recipe.name}')
  run = GeneratorRun(recipe, workdir, a2po_table.plan(recipe))
  published = PUBLISHED.get(recipe.data.category, {})
  next_items.make(run, a2po_table.TABLE, published, a2po_table.STAGES)


if __name__ == '__main__':
  entry.run(main, RECIPE, generator_recipe.GeneratorRecipe)
