"""Compiles a recipe's programs for a TPU slice that is not there.

No weights, no TPU: libtpu compiles ahead of time. It tells whether each program
fits, what its collectives move, and a roofline estimate of its time.

Run: python -m experiments.compile --topology=v5p:4x4x4 \\
  --config=experiments/configs/popo/paper_v5p_4x4x4.py
"""

import pathlib

from absl import flags

from experiments import entry
from experiments.compiling import programs, report
from experiments.compiling.results import compile_all
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe as recipe_lib

RECIPE = 'experiments/configs/popo/ml100k_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_TOPOLOGY = flags.DEFINE_string(
  'topology', None, "The slice, 'FAMILY:SHAPE', for instance 'v5p:4x4x4'."
)
_SLICES = flags.DEFINE_integer(
  'num_slices', 1, 'How many such slices, joined by a network.'
)
_PROGRAMS = flags.DEFINE_list('programs', list(programs.NAMES), 'Which ones.')
_OUTPUT = flags.DEFINE_string(
  'output', None, 'A JSON file; what it already holds is not compiled again.'
)


def main() -> None:
  """Compiles the programs and prints the table; fails where one won't fit."""
  recipe = recipe_lib.from_config(_CONFIG.value)
  if not _TOPOLOGY.value:
    raise UserError(
      "--topology is not given; name a slice, for instance 'v5e:16x16'."
    )
  for name in set(_PROGRAMS.value) - set(programs.NAMES):
    choices = ','.join(programs.NAMES)
    raise UserError(f'--programs has {name!r}; choose from {choices}.')
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


if __name__ == '__main__':
  entry.run(main, RECIPE)
