"""Whether batches and parameters divide over a recipe's meshes."""

from typing import Any

import jax
from jax.sharding import Mesh

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder
from taiji_jax.pipeline.arms import KINDS, Plan
from taiji_jax.pipeline.recipe import Recipe


def check(
  recipe: Recipe, plan: Plan, mesh: Mesh, rollout_mesh: Mesh | None = None
) -> None:
  """Raises UserError where something does not divide, before any training.

  Args:
    recipe: the sizes.
    plan: the arms, which say what of them is used.
    mesh: where it is trained.
    rollout_mesh: where rollouts are made, where not on `mesh`.
  """
  for size, field in _batches(recipe, plan):
    sharding.check_batch(size, mesh, field)
  # A tokenizer that is trained may end with a few tokens less.
  shapes = decoder.shapes(recipe.model) if mesh.size > 1 else {}
  _check_parameters(shapes, mesh)
  if rollout_mesh is None:
    _check_scored(recipe, plan, mesh)
    return
  if rollout_mesh.size != mesh.size:
    raise UserError(
      f'rollout_mesh has {rollout_mesh.size} devices and mesh {mesh.size};'
      ' rollouts are made on the same ones: give both the same product of data,'
      ' fsdp and tensor.'
    )
  try:
    sharding.check_batch(recipe.rl.prompts, rollout_mesh, 'rl.prompts')
    _check_scored(recipe, plan, rollout_mesh)
    _check_parameters(shapes, rollout_mesh)
  except UserError as error:
    raise UserError(f'rollout_mesh: {error}') from error


def _batches(recipe: Recipe, plan: Plan) -> list[tuple[int, str]]:
  """Returns every batch that training splits over the mesh, with its field."""
  found = [(recipe.sft.batch, 'sft.batch')]
  if any(arm.reinforced for arm in plan.arms.values()):
    found.append((recipe.rl.prompts, 'rl.prompts'))
  if recipe.pretrain:
    found.append((recipe.pretrain.batch, 'pretrain.batch'))
  return found


def _check_scored(recipe: Recipe, plan: Plan, mesh: Mesh) -> None:
  """Texts are scored where rollouts are made."""
  if any(arm.data in KINDS for arm in plan.arms.values()):
    sharding.check_batch(recipe.cot.batch, mesh, 'cot.batch')


def _check_parameters(shapes: Any, mesh: Mesh) -> None:
  for path, x in jax.tree_util.tree_leaves_with_path(shapes):
    sharding.spec_of(sharding.path_text(path), tuple(x.shape), mesh)
