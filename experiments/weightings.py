"""Which weighting pays? RL from one SFT model by several rules and seeds.

Run: python -m experiments.weightings \\
  --config=experiments/configs/weightings/ml100k_cpu.py

Writes result.json, `weightings.md` and the front of the arms into the work
directory. Stages before RL are shared with the main job's recipe: point
--workdir at a finished run of it and they come out of its cache.
"""

import dataclasses
import json

from absl import flags
from ml_collections import config_flags

from experiments import entry
from taiji_jax import markdown, metrics
from taiji_jax.errors import UserError
from taiji_jax.evaluate import plots
from taiji_jax.evaluate import result as result_lib
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import report as results
from taiji_jax.pipeline import run as pipeline
from taiji_jax.pipeline.context import Context
from taiji_jax.products import Product
from taiji_jax.rl import trainer as rl
from taiji_jax.rl.config import WEIGHTINGS, RLConfig

RECIPE = 'experiments/configs/weightings/ml100k_cpu.py'
SHOWN = (
  'reward_semantic',
  'reward_id',
  'category_l1_acc',
  'title_hit_rate_50',
  'format_rate',
  'distinct_items',
)

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'The recipe, {RECIPE} where not given.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where the run writes; runs/NAME where not given.'
)


def main() -> None:
  """Runs every arm with every seed, or what of it is not done yet."""
  config = _CONFIG.value
  recipe = recipe_lib.from_config(config)
  arms, seeds = recipe.compare.arms, list(recipe.compare.seeds)
  methods = {arm: method_of(arm, recipe.rl.method) for arm in arms}
  workdir = entry.workdir(_WORKDIR.value, f'runs/{recipe.name}')
  (workdir / 'weightings.json').write_text(
    json.dumps(config.to_dict(), indent=1) + '\n'
  )
  context = Context(recipe, workdir, recipe.mesh.make())
  run = pipeline.before_rl(context)
  models = {'sft': [run.sft]}
  for arm, method in methods.items():
    models[arm] = [_train(run, arm, method, seed) for seed in seeds]
    run.seconds[f'rl_{arm}'] = sum(model.seconds for model in models[arm])
  pairs = [(arm, 'sft') for arm in arms]
  if 'fixed' in arms:
    pairs += [(arm, 'fixed') for arm in arms if arm != 'fixed']
  result, _ = results.make(run, models, pairs, seeds)
  result_lib.write(workdir / 'weightings_result.json', result)
  # Without the floors, which lie far from the arms.
  figure = plots.front({**result, 'floors': {}})
  plots.save(figure, workdir / 'weightings_front.png')
  result_lib.write_text(workdir / 'weightings.md', table(result))
  metrics.LOG.info('%s', workdir / 'weightings.md')


def method_of(arm: str, method: RLConfig) -> RLConfig:
  """Returns the method of an arm: the recipe's, with the arm's rule.

  `gdpo` is the rule `fixed` with `normalize_then_sum`; every other arm keeps
  the recipe's combination.
  """
  if arm == 'gdpo':
    return dataclasses.replace(
      method, weighting='fixed', combine='normalize_then_sum'
    )
  if arm not in WEIGHTINGS:
    raise UserError(
      f'arms names {arm!r}; choose among gdpo, {", ".join(WEIGHTINGS)}.'
    )
  return dataclasses.replace(method, weighting=arm)


def _train(run: pipeline.Run, arm: str, method: RLConfig, seed: int) -> Product:
  config = dataclasses.replace(run.context.recipe.rl, method=method)
  trainer = rl.Trainer(
    run.context,
    run.logs,
    run.rl_table,
    run.encoder,
    run.policy,
    config,
    seed,
  )
  return trainer.train(run.sft, f'rl_{arm}_{seed}')


def table(result: dict) -> str:
  """Returns arms and their differences from `fixed` as Markdown."""

  def cell(interval: dict, sign: str = '') -> str:
    if interval['mean'] is None:
      return '-'
    mean, low, high = (
      format(interval[k], f'{sign}.3f') for k in ('mean', 'low', 'high')
    )
    return f'{mean} [{low}, {high}]'

  arms = markdown.table(
    ('arm', *SHOWN),
    [
      (arm, *(cell(values[name]) for name in SHOWN))
      for arm, values in result['arms'].items()
    ],
  )
  paired = markdown.table(
    ('pair', *SHOWN),
    [
      (pair, *(cell(values[name], '+') for name in SHOWN))
      for pair, values in result['paired'].items()
    ],
  )
  return (
    f'# RL by rule, seeds {result["seeds"]}, {result["rows"]} events\n\n'
    f'{arms}\n\n{paired}\n'
  )


if __name__ == '__main__':
  entry.run(main, RECIPE)
