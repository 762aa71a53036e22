"""Compiles a recipe's programs for a TPU slice that is not there.

No weights, no TPU: libtpu compiles ahead of time. It tells whether each program
fits, what its collectives move, and a roofline estimate of its time.

Run: python -m experiments.compile --topology=v5p:4x4x4 \
  --config=experiments/configs/popo/paper_v5p_4x4x4.py
"""

import dataclasses
import hashlib
import json
import pathlib

from absl import flags
import jax
from ml_collections import config_flags

from experiments import entry
from experiments import recipe as recipe_lib
from experiments.compiling import programs, report, topology
from experiments.recipe import Recipe
from taiji_jax import metrics
from taiji_jax.errors import UserError

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  f'The recipe, {RECIPE} where not given; a field is changed by'
  ' --config.SECTION.FIELD=VALUE.',
)
_TOPOLOGY = flags.DEFINE_string(
  'topology', None, "The slice, 'FAMILY:SHAPE', for instance 'v5p:4x4x4'."
)
_SLICES = flags.DEFINE_integer(
  'num_slices', 1, 'How many such slices, joined by a network.'
)
_PROGRAMS = flags.DEFINE_list(
  'programs', list(programs.NAMES), 'Which programs.'
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'A JSON file for the results; what it already holds is not compiled again.',
)


def main() -> None:
  """Compiles the programs and prints the table; fails where one won't fit."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  if not _TOPOLOGY.value:
    raise UserError(
      "--topology is not given; name a slice, for instance 'v5e:16x16'."
    )
  if wrong := [n for n in _PROGRAMS.value if n not in programs.NAMES]:
    raise UserError(
      f'--programs has {wrong[0]!r}; choose from {",".join(programs.NAMES)}.'
    )
  reports = compile_all(
    recipe,
    _TOPOLOGY.value,
    _SLICES.value,
    _PROGRAMS.value,
    pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None,
  )
  print(report.table(reports))
  if complaints := [r.complaint() for r in reports if not r.fits]:
    raise UserError(
      f'{recipe.name} does not fit {_TOPOLOGY.value}: {"; ".join(complaints)}.'
    )


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
  parts = [recipe_lib.to_json(getattr(recipe, s)) for s in sections]
  rollout = recipe.rollout_mesh and recipe_lib.to_json(recipe.rollout_mesh)
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
  partial = output.with_suffix('.partial')
  partial.write_text(json.dumps(done, indent=1) + '\n')
  partial.replace(output)


if __name__ == '__main__':
  entry.run(main, RECIPE)
