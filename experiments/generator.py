"""The generator: semantic IDs, training, beams, re-ranking, table.

Run: TAIJI_DATA=FOLDER python -m experiments.generator \\
  --config=experiments/configs/generator/industrial_cpu.py

Every finished cell (arm, seed) is a small JSON in the folder of results; the
same command goes on from what is there. Writes result.json, table.md and
lists.png beside them. --arms makes the cells of some arms only, --table the
table of the cells that are there. --validate does all of it on validation
rows, with cells of their own (WORKDIR/validation), and reads no test row.
"""

import pathlib

from absl import flags

from experiments import entry, finished, generator_table
from experiments.generator_table import PUBLISHED, TABLE
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_llm, generator_recipe
from taiji_jax.pipeline import generator_table as engine
from taiji_jax.pipeline.generator import TEST, VALID, GeneratorRun
from taiji_jax.pipeline.revisions import REVISIONS

RECIPE = 'experiments/configs/generator/industrial_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_RESULTS = flags.DEFINE_string(
  'results', None, 'Where cells go; WORKDIR/cells if not given.'
)
_ARMS = flags.DEFINE_list(
  'arms', None, 'Only the cells of these, without the table; all if not given.'
)
_EXPORT = flags.DEFINE_string(
  'export', None, 'Write the language model (--arms, or llm) to this directory.'
)
_TABLE = flags.DEFINE_bool('table', False, 'Only the table of what is there.')
_VALIDATE = flags.DEFINE_bool('validate', False, 'Only on validation rows.')


def main() -> None:
  """Makes every cell of the table that is not there, and the table."""
  recipe = generator_recipe.from_config(_CONFIG.value)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  run = GeneratorRun(recipe, workdir, generator_table.plan(recipe))
  if _TABLE.value and _ARMS.value:
    raise UserError('--table and --arms exclude each other; give one.')
  if _EXPORT.value:
    name = (_ARMS.value or [generator_table.LLM])[0]
    generator_llm.export_arm(run, name, _EXPORT.value)
    print(f'{_EXPORT.value}: load it by transformers, vLLM or source.')
    return
  part = VALID if _VALIDATE.value else TEST
  own = workdir / ('validation' if _VALIDATE.value else 'cells')
  folder = pathlib.Path(_RESULTS.value or own)
  arms = tuple(_ARMS.value or ())
  result = engine.make(run, TABLE, folder, arms, _TABLE.value, part)
  if result is not None:
    # What others report is of test rows.
    published = PUBLISHED.get(recipe.data.category, {}) if part == TEST else {}
    engine.write(folder, result, TABLE, published)
    stages = {name: REVISIONS[name] for name in engine.STAGES}
    finished.record(run.plan, folder, stages=stages)


if __name__ == '__main__':
  entry.run(main, RECIPE, generator_recipe.GeneratorRecipe)
