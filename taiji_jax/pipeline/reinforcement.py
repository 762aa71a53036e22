"""Reinforced arms: the base's model after RL under the arm's overrides."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from taiji_jax.config import deviations
from taiji_jax.modules.decoder import trained_shapes
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import sft
from taiji_jax.pipeline.arms import Plan
from taiji_jax.products import Product
from taiji_jax.rl import rewards
from taiji_jax.rl.config import GRADIENT_RULES
from taiji_jax.rl.observe import check_alignment_on
from taiji_jax.rl.trainer import Trainer

if TYPE_CHECKING:
  from taiji_jax.pipeline.recipe import Recipe
  from taiji_jax.pipeline.run import Run


def check(recipe: 'Recipe', plan: Plan) -> None:
  """Raises UserError where an arm can't be reinforced as its fields say.

  Else that would be told once everything before it is trained.

  Args:
    recipe: the recipe.
    plan: the arms.
  """
  for arm in plan.arms.values():
    if arm.reinforced:
      config = dataclasses.replace(recipe.rl, **arm.overrides)
      if config.alignment_on and config.weighting in GRADIENT_RULES:
        check_alignment_on(config, trained_shapes(recipe.model))


def make(run: 'Run', name: str, seed: int) -> Product:
  """Returns the product with the model of a reinforced arm.

  Args:
    run: the run.
    name: of the arm.
    seed: of the rollouts and of the order of the prompts.
  """
  arm, recipe = run.plan.get(name), run.recipe
  config = dataclasses.replace(recipe.rl, **arm.overrides)
  start = run.model(arm.base, run.plan.start_of(name, seed))
  inputs = {
    'start': start.key,
    'rl': deviations(config),
    'tower': run.tower.key,
    'rows': len(run.logs.rl),
    'rewards': [*rewards.NAMES, recipe.data.miss, recipe.data.consumed_once],
    'embedder': run.contents.get('embedder', recipe.embedder),
    'seed': seed,
  }
  if run.plan.prompt_of(name):
    inputs |= sft.prompt_from(run, run.prompt_of(name))
  stage = f'rl_{name}_{seed}'

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    trainer = Trainer(
      run.policy,
      run.encoder_for(name).of(run.logs.rl),
      run.rewards(run.logs.rl, run.rl_table),
      config,
      writer=run.writer,
      seed=seed,
      saving=recipe.saving,
    )
    params, seconds = trainer.run(run.load(start), scratch, stage)
    tree.save(folder / sft.FILE, params)
    return seconds

  return run.make('rl', stage, inputs, build)
