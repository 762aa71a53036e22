"""The generator: semantic IDs, training, beams, re-ranking, table.

Run: TAIJI_DATA=FOLDER python -m experiments.generator \\
  --config=experiments/configs/generator/industrial_cpu.py

Every finished cell (arm, seed) is a small JSON in the folder of results; the
same command goes on from what is there. Writes result.json, table.md and
lists.png beside them. --arms makes the cells of some arms only, --table the
table of the cells that are there. --validate prints HR@10 and NDCG@10 of arms
(of --arms, where given) on validation rows, and reads no test row.
"""

import pathlib

from absl import flags

from experiments import entry, finished, generator_table
from experiments.generator_table import PUBLISHED, TABLE
from taiji_jax import files, markdown
from taiji_jax.errors import UserError
from taiji_jax.evaluate import ranking
from taiji_jax.pipeline import generator_llm, generator_recipe
from taiji_jax.pipeline import generator_table as engine
from taiji_jax.pipeline.generator import VALID, GeneratorRun
from taiji_jax.pipeline.revisions import REVISIONS

RECIPE = 'experiments/configs/generator/industrial_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_RESULTS = flags.DEFINE_string(
  'results', None, 'Where cells go; WORKDIR/cells where not given.'
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
  if _VALIDATE.value:
    text = _validated(run, tuple(_ARMS.value or run.plan.arms))
    files.write_text(workdir / 'validation.md', text)
    print(text)
    return
  folder = pathlib.Path(_RESULTS.value or workdir / 'cells')
  arms = tuple(_ARMS.value or ())
  result = engine.make(run, TABLE, folder, arms, _TABLE.value)
  if result is not None:
    published = PUBLISHED.get(recipe.data.category, {})
    engine.write(folder, result, TABLE, published)
    stages = {name: REVISIONS[name] for name in engine.STAGES}
    finished.record(run.plan, folder, stages=stages)


def _validated(run: GeneratorRun, names: tuple[str, ...]) -> str:
  """Returns a table of arms on the validation rows, the mixture first."""
  target_r = run.rows(VALID).target_b
  rows = []
  for name in ('mixture', *names):
    for seed in run.plan.of(name) if name in run.plan.arms else (0,):
      item_rk, _ = run.lists(name, seed, VALID, 10)
      rank_r = ranking.in_lists(item_rk, target_r)
      found = ranking.metrics(rank_r, (10,))
      means = (f'{value_r.mean():.4f}' for value_r in found.values())
      rows.append((name, str(seed), *means))
  head = ('arm', 'seed', 'HR@10', 'NDCG@10')
  return (
    f'# {run.recipe.name}, on validation rows\n\n{markdown.table(head, rows)}\n'
  )


if __name__ == '__main__':
  entry.run(main, RECIPE, generator_recipe.GeneratorRecipe)
