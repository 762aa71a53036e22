"""Taiji end to end: logs, ID tower, CoT, SFT, RL with POPO, evaluation.

Run: python -m experiments.popo \
  --config=experiments/configs/popo/ml100k_cpu.py
"""

import json

from absl import flags
from ml_collections import config_flags

from experiments import entry
from taiji_jax import sharding
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import report as results
from taiji_jax.pipeline import run as pipeline
from taiji_jax.pipeline.context import Context

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  f'The recipe, {RECIPE} where not given; a field is changed by'
  ' --config.SECTION.FIELD=VALUE.',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where the run writes; runs/NAME where not given.'
)


def main() -> None:
  """Runs the main job, or what of it is not done yet."""
  config = _CONFIG.value
  recipe = recipe_lib.from_config(config)
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  (workdir / 'config.json').write_text(
    json.dumps(config.to_dict(), indent=1) + '\n'
  )
  context = Context(recipe, workdir, recipe.mesh.make())
  sharding.check_batch(recipe.sft.batch, context.mesh, 'sft.batch')
  sharding.check_batch(recipe.rl.prompts, context.mesh, 'rl.prompts')
  run = pipeline.before_rl(context)
  after = pipeline.reinforce(run)
  run.seconds['rl'] = after.seconds
  results.write(run, {'sft': run.sft, 'popo': after})


if __name__ == '__main__':
  entry.run(main, RECIPE)
