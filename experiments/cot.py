"""The CoT data job alone: teacher, guard, perplexity, choice, shards.

Run: TAIJI_DATA=FOLDER python -m experiments.cot --kind=rupr --out=FOLDER \\
  --config=experiments/configs/taiji/amazon_scientific_cpu.py

Goes on where it was stopped; every record is there exactly once. On several
machines either --host and --hosts with one --out that all see, or --beam with
the options of any Apache Beam runner, whose workers see the work directory and
the data. Last it writes data_report.md.
"""

from collections.abc import Iterable
import contextlib
import dataclasses
import pathlib
import socket
import uuid

from absl import flags
from ml_collections import config_flags

from experiments import entry
from taiji_jax import metrics
from taiji_jax.cot.record import CotRecord
from taiji_jax.errors import UserError
from taiji_jax.pipeline import cot_data, cot_report
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.arms import Arms
from taiji_jax.pipeline.context import Context
from taiji_jax.shards import dataset, job

RECIPE = 'experiments/configs/taiji/amazon_scientific_cpu.py'

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'The recipe, {RECIPE} where not given.'
)
_KIND = flags.DEFINE_enum(
  'kind', 'rupr', cot_data.KINDS, 'Whether the teacher knows the true item.'
)
_OUT = flags.DEFINE_string('out', None, 'Where the shards go; needed.')
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where models go, one a host; runs/NAME where not given.'
)
_HOST = flags.DEFINE_integer('host', 0, 'This one of --hosts.')
_HOSTS = flags.DEFINE_integer('hosts', 1, 'Machines that share the job.')
_BEAM = flags.DEFINE_string(
  'beam', None, "Options of a Beam runner, as '--runner=FlinkRunner ...'."
)


@dataclasses.dataclass(frozen=True)
class MakeWork:
  """Makes the work on a Beam worker, from what can be sent there."""

  recipe: recipe_lib.Recipe
  workdir: str
  kind: str
  bound: float

  def __call__(self) -> job.Work:
    """Returns the work; its teacher has a journal of its own."""
    data = arms_of(self.recipe, pathlib.Path(self.workdir)).cot_data
    worker = f'{socket.gethostname()}-{uuid.uuid4().hex}'
    opened = contextlib.ExitStack()
    work = opened.enter_context(data.work(self.kind, worker))
    return _Held(dataclasses.replace(work, bound=self.bound), opened)


@dataclasses.dataclass(frozen=True)
class _Held:
  """Work whose teacher stays open as long as the worker has it."""

  work: job.Work
  opened: contextlib.ExitStack

  def __call__(self, block: range) -> Iterable[CotRecord]:
    return self.work(block)


def arms_of(recipe: recipe_lib.Recipe, workdir: pathlib.Path) -> Arms:
  """Returns the arms, of which only the data and the scorer are used."""
  context = Context(recipe, workdir, recipe.mesh.make())
  return Arms(context, workdir / 'cells')


def main() -> None:
  """Makes the shards of this host, and the report once all are there."""
  if not _OUT.value:
    raise UserError('give --out=FOLDER, where the shards shall go.')
  recipe = recipe_lib.from_config(_CONFIG.value)
  folder, kind = pathlib.Path(_OUT.value), _KIND.value
  name = recipe.name if not _HOST.value else f'{recipe.name}-{_HOST.value}'
  workdir = entry.workdir(_WORKDIR.value, f'runs/{name}')
  arms = arms_of(recipe, workdir)
  if _BEAM.value is None:
    manifest = arms.cot_data.run(kind, folder, _HOST.value, _HOSTS.value)
  else:
    manifest = _on_beam(arms, recipe, workdir, folder, kind)
  if manifest is None:
    metrics.LOG.info('other hosts have shards to write yet')
    return
  metrics.LOG.info('%d records, %d kept', manifest.records, manifest.kept)
  cot_report.write(arms.cot_data, arms.logs, kind, folder, folder)


def _on_beam(
  arms: Arms,
  recipe: recipe_lib.Recipe,
  workdir: pathlib.Path,
  folder: pathlib.Path,
  kind: str,
) -> dataset.Manifest:
  from taiji_jax.shards import beam_pipeline

  spec = arms.cot_data.spec(kind, folder, 0, _HOSTS.value)
  bound = spec.provenance['bound']
  make_work = MakeWork(recipe, str(workdir.resolve()), kind, bound)
  return beam_pipeline.run(spec, make_work, _BEAM.value.split())


if __name__ == '__main__':
  entry.run(main, RECIPE)
