"""Semantic IDs of a catalogue: a report with a figure, files, and new items.

Run: TAIJI_DATA=FOLDER python -m experiments.semantic_ids \\
  --config=experiments/configs/generator/industrial_cpu.py

Compares the given IDs, our own and random codes: error, use of the codes,
shared IDs, and what neighbours have in common. Writes report.md, report.json
and report.png, our own IDs as own.index.json (MiniOneRec's form), and what
gives new items theirs. --add=NEW.item.json ({id: {"title": ..., "description":
...}}) then adds new items to own.index.json; no old ID changes. What the folder
holds is not replaced by other IDs: that is refused.
"""

import pathlib

from absl import flags

from experiments import entry, generator_table
from taiji_jax.pipeline import generator_recipe, own_ids
from taiji_jax.pipeline.generator import GeneratorRun
from taiji_jax.pipeline.generator_arms import GIVEN
from taiji_jax.semantic_ids import report

RECIPE = 'experiments/configs/generator/industrial_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_IDS = flags.DEFINE_enum(
  'ids',
  None,
  (GIVEN, own_ids.OWN),
  'Only these; all that there are if not given.',
)
_OUT = flags.DEFINE_string(
  'out', None, 'Where it writes; WORKDIR/semantic_ids where not given.'
)
_ADD = flags.DEFINE_string('add', None, 'New items that get IDs.')


def main() -> None:
  """Writes and prints the report, or gives new items IDs."""
  recipe = generator_recipe.from_config(_CONFIG.value)
  runs = f'runs/{recipe.name}'
  own = pathlib.Path(_WORKDIR.value or runs) / 'semantic_ids'
  folder = entry.folder(_OUT.value, '--out') or own
  if _ADD.value:
    # It needs the folder alone.
    print(own_ids.add(folder, _ADD.value))
    return
  workdir = entry.workdir(_WORKDIR.value, runs)
  run = GeneratorRun(recipe, workdir, generator_table.plan(recipe))
  there = run.shared.data.catalog.codes_nl is not None
  every = (GIVEN, own_ids.OWN) if there else (own_ids.OWN,)
  ids = (_IDS.value,) if _IDS.value else every
  print(own_ids.write(run, folder, ids))
  print(f'{folder / report.NAME}.md')


if __name__ == '__main__':
  entry.run(main, RECIPE, generator_recipe.GeneratorRecipe)
