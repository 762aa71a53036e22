"""The generator: semantic IDs, training, beams, re-ranking, table.

Run: TAIJI_DATA=FOLDER python -m experiments.generator \\
  --config=experiments/configs/generator/industrial_cpu.py

Every finished cell (arm, seed) is a small JSON in the folder of results; the
same command goes on from what is there. Writes result.json, table.md and
lists.png beside them. --arms makes the cells of some arms only, --table the
table of the cells that are there. --validate does all of it on validation
rows, with cells of their own (WORKDIR/validation), and reads no test row.
"""

from absl import flags

from experiments import entry, generator_table, next_items
from experiments.generator_table import PUBLISHED
from taiji_jax.pipeline import generator_llm, generator_recipe
from taiji_jax.pipeline import generator_table as engine
from taiji_jax.pipeline.generator import GeneratorRun

RECIPE = 'experiments/configs/generator/industrial_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_EXPORT = flags.DEFINE_string(
  'export', None, 'Write the language model (--arms, or llm) to this directory.'
)


def main() -> None:
  """Makes every cell of the table that is not there, and the table."""
  recipe = generator_recipe.from_config(_CONFIG.value)
  workdir = entry.workdir(next_items.WORKDIR.value, f'runs/{recipe.name}')
  run = GeneratorRun(recipe, workdir, generator_table.plan(recipe))
  if _EXPORT.value:
    name = (next_items.ARMS.value or [generator_table.LLM])[0]
    generator_llm.export_arm(run, name, _EXPORT.value)
    print(f'{_EXPORT.value}: load it by transformers, vLLM or source.')
    return
  published = PUBLISHED.get(recipe.data.category, {})
  next_items.make(run, generator_table.TABLE, published, engine.STAGES)


if __name__ == '__main__':
  entry.run(main, RECIPE, generator_recipe.GeneratorRecipe)
