"""Compiles the recipes of the paper's size for their slices: the scale table.

What the output file already holds is not compiled again, so the same command
goes on where it was stopped. All of it takes about half an hour on two cores.

Run: python -m experiments.benchmarks.scale --output=runs/scale.json
"""

import importlib
import pathlib

from absl import flags

from experiments import entry
from experiments.benchmarks import saving
from experiments.compiling import programs, report, results
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe as recipe_lib

# Recipe, topology, how many slices.
SLICES = (
  ('paper_v5p_4x4x4', 'v5p:4x4x4', 1),
  ('paper_v6e_16x16', 'v6e:16x16', 1),
  ('paper_v5e_16x16', 'v5e:16x16', 1),
  ('paper_v5e_16x16_two_slices', 'v5e:16x16', 2),
)

_OUTPUT = flags.DEFINE_string(
  'output', 'runs/scale.json', 'A JSON file where the results are kept.'
)


def main() -> None:
  """Compiles what is not compiled yet, then prints all as a Markdown table."""
  lines, rows, complaints = [report.MARKDOWN], [], []
  for name, topology, slices in SLICES:
    module = importlib.import_module(f'experiments.configs.popo.{name}')
    found = results.compile_all(
      recipe_lib.from_config(module.get_config()),
      topology,
      slices,
      list(programs.NAMES),
      pathlib.Path(_OUTPUT.value),
    )
    where = topology if slices == 1 else f'{slices} x {topology}'
    rows += [report.row(where, one) for one in found]
    lines += [report.markdown(where, one) for one in found]
    complaints += [f'{where}: {r.complaint()}' for r in found if not r.fits]
  print('\n'.join(lines))
  saving.keep({'rows': rows}, 'libtpu')
  if complaints:
    raise UserError(f'{"; ".join(complaints)}.')


if __name__ == '__main__':
  entry.run(main)
