"""A recipe's programs compiled for a topology; what is done is kept."""

import dataclasses
import hashlib
import json
import pathlib

import jax

from experiments.compiling import programs, report, topology
from taiji_jax import config, files, metrics
from taiji_jax.errors import UserError
from taiji_jax.pipeline.recipe import Recipe


def compile_all(
  recipe: Recipe,
  name: str,
  num_slices: int,
  wanted: list[str],
  output: pathlib.Path | None,
) -> list[report.Report]:
  """Returns a report of each program, compiled or read from `output`.

  Args:
    recipe: the recipe.
    name: of the topology.
    num_slices: how many of it.
    wanted: names of programs.
    output: where results are kept.

  Raises:
    UserError: no such topology, no compiler, or a mesh that isn't right.
  """
  chip = topology.check_name(name, num_slices)
  devices = topology.devices(name, num_slices)
  mesh = topology.mesh_of(recipe.mesh, devices, num_slices)
  rollout_mesh = recipe.rollout_mesh and topology.again(
    mesh, recipe.rollout_mesh
  )
  made = programs.Programs(recipe, mesh, rollout_mesh)
  done, reports = _read(output), []
  for program in wanted:
    key = _key(recipe, name, num_slices, program)
    if key not in done:
      ready = made.make(program)
      metrics.LOG.info('compiling %s for %s', program, name)
      found = report.compile_program(
        program, ready, chip, len(devices), num_slices
      )
      done[key] = dataclasses.asdict(found)
      _write(output, done)
    reports.append(report.Report(**done[key]))
  return reports


def _key(recipe: Recipe, name: str, num_slices: int, program: str) -> str:
  """Returns a readable name that differs where the program would."""
  sections = ('model', 'length', 'sft', 'rl', 'mesh')
  parts = [config.to_json(getattr(recipe, s)) for s in sections]
  rollout = recipe.rollout_mesh and config.to_json(recipe.rollout_mesh)
  text = json.dumps([parts, rollout, jax.__version__], sort_keys=True)
  digest = hashlib.sha256(text.encode()).hexdigest()[:12]
  slices = f' x {num_slices}' if num_slices > 1 else ''
  return f'{recipe.name} {name}{slices} {program} {digest}'


def _read(output: pathlib.Path | None) -> dict[str, dict]:
  if output is None or not output.exists():
    return {}
  try:
    return json.loads(output.read_text())
  except ValueError as error:
    raise UserError(
      f'--output={output} is no JSON ({error}); delete it or name another.'
    ) from error


def _write(output: pathlib.Path | None, done: dict[str, dict]) -> None:
  if output is None:
    return
  output.parent.mkdir(parents=True, exist_ok=True)
  files.write_json(output, done)
