"""The CoT data job alone: shards of reasoning, scored and chosen.

Run: TAIJI_DATA=FOLDER python -m experiments.cot --kind=rupr --out=FOLDER \\
  --config=experiments/configs/taiji/amazon_scientific_cpu.py

Goes on where it was stopped; every record is there exactly once. On several
machines either --host and --hosts with one --out that all see, or --beam with
a runner's options ('--runner=FlinkRunner ...'), whose workers see work
directory and data. Last it writes data_report.md, and its counts to --results.
"""

import pathlib

from absl import flags

from experiments import entry, finished, taiji_table
from taiji_jax import metrics
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Run, arms, cot_beam, cot_report
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.shards.spec import check_host

RECIPE = 'experiments/configs/taiji/amazon_scientific_cpu.py'

_CONFIG = entry.recipe_flag(RECIPE)
_WORKDIR = entry.workdir_flag()
_KIND = flags.DEFINE_enum(
  'kind', 'rupr', arms.KINDS, 'What reasoning leads to: see pipeline.arms.'
)
_OUT = flags.DEFINE_string('out', None, 'Where the shards go; needed.')
_HOST = flags.DEFINE_integer('host', 0, 'This one of --hosts.')
_HOSTS = flags.DEFINE_integer('hosts', 1, 'Machines that share the job.')
_RESULTS = entry.results_flag()
_BEAM = flags.DEFINE_string('beam', None, 'Options of an Apache Beam runner.')


def main() -> None:
  """Makes the shards of this host, and the report once all are there."""
  if not _OUT.value:
    raise UserError('give --out=FOLDER, where the shards shall go.')
  # Before a backbone is trained for it.
  check_host(_HOST.value, _HOSTS.value)
  recipe = recipe_lib.from_config(_CONFIG.value)
  folder, kind = pathlib.Path(_OUT.value), _KIND.value
  name = recipe.name if not _HOST.value else f'{recipe.name}-{_HOST.value}'
  workdir = entry.workdir(_WORKDIR.value, f'runs/{name}')
  run = Run(recipe, workdir, taiji_table.plan(recipe))
  if _BEAM.value is None:
    manifest = run.cot_data.run(kind, folder, _HOST.value, _HOSTS.value)
  else:
    options = _BEAM.value.split()
    manifest = cot_beam.run_on(run, kind, folder, _HOSTS.value, options)
  if manifest is None:
    metrics.LOG.info('other hosts have shards to write yet')
    return
  metrics.LOG.info('%d records, %d kept', manifest.records, manifest.kept)
  cot_report.write(run, run.cot_data, kind, folder, folder)
  finished.keep_counts(folder, kind, _RESULTS.value)


if __name__ == '__main__':
  entry.run(main, RECIPE)
