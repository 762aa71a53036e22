"""A job as an Apache Beam pipeline: more than one machine.

The same shards as `job.run`, byte for byte. Options go to Beam as they are:
`--runner=DirectRunner` here, `--runner=FlinkRunner` or `DataflowRunner` there.
The folder is one that all workers see; where there is none, a store that Beam
reaches (gs://, s3://, hdfs://) stands between.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import pathlib
import socket
import tempfile
import uuid

from taiji_jax.errors import UserError
from taiji_jax.shards import dataset, job, notes
from taiji_jax.shards.spec import JobSpec

try:
  import apache_beam as beam
  from apache_beam.options.pipeline_options import PipelineOptions

  from taiji_jax.shards.beam_store import BeamStore
except ImportError as error:
  raise UserError(
    "A Beam pipeline needs apache-beam: `pip install 'taiji_jax[beam]'`."
  ) from error

MakeWork = Callable[[], job.Work]
"""Makes the work once a worker: there the model is loaded, not where it is
asked for. It is sent to the workers, so it is a function of a module or a small
dataclass with `__call__`.
"""


def run(
  spec: JobSpec,
  make_work: MakeWork,
  options: Sequence[str] = (),
  store: str | None = None,
) -> dataset.Manifest:
  """Returns the manifest once the pipeline has ended.

  Goes on where an earlier run stopped, also one of `job.run`.

  Args:
    spec: which job; the runner splits it, so host and hosts stay 0 and 1.
    make_work: see `MakeWork`.
    options: Beam's own, as on a command line: `('--runner=FlinkRunner',)`.
    store: a URL where the workers put the shards if they don't see
      `spec.folder`; from there they are got into it at the end.

  Raises:
    UserError: hosts were given, the store can't be reached, or as `job.run`
      where the runner hands a worker's error on.
  """
  if spec.hosts != 1:
    raise UserError(
      f'hosts is {spec.hosts}; a Beam runner splits the job itself, leave'
      ' it at 1.'
    )
  job.prepare(spec)
  there = _prepared(store, spec) if store else None
  with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
    _ = pipeline | Shards(spec, make_work, there)
  if there is not None:
    _fetch(there, spec)
  return dataset.manifest(spec.folder, spec.codec)


class Shards(beam.PTransform):
  """A pipeline to the number of shards, once all are finished.

  Args:
    spec, make_work: as for `run`.
    store: where the shards go; None writes them into `spec.folder`, and then
      the manifest.
  """

  def __init__(
    self,
    spec: JobSpec,
    make_work: MakeWork,
    store: BeamStore | None = None,
  ):
    super().__init__()
    self._spec, self._make_work, self._store = spec, make_work, store

  def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
    """Returns a PCollection of one number."""
    made = (
      pipeline
      | 'Blocks' >> beam.Create(range(self._spec.blocks))
      # So that the blocks are not fused onto one worker.
      | beam.Reshuffle()
      | 'Build' >> beam.ParDo(_Build(self._spec, self._make_work, self._store))
      | beam.combiners.Count.Globally()
    )
    if self._store is not None:
      return made
    return made | 'Manifest' >> beam.Map(_finish, self._spec)


class _Build(beam.DoFn):
  """Block numbers to shard names, the work made once a worker.

  A runner may ask for the same block twice, also at once.
  """

  def __init__(
    self, spec: JobSpec, make_work: MakeWork, store: BeamStore | None
  ):
    self._spec, self._make_work, self._store = spec, make_work, store
    self._work = None

  def setup(self) -> None:
    self._work = self._make_work()

  def process(self, index: int) -> Iterator[str]:
    """Yields the name of the shard, which is finished by then."""
    if self._store is None:
      job.build(self._spec, index, self._work, _tag())
    else:
      self._put(index, self._store)
    yield self._spec.file(index)

  def _put(self, index: int, store: BeamStore) -> None:
    file = self._spec.file(index)
    if (note := store.note(file)) is not None:
      notes.refuse_other_job(store.url, note, self._spec.stamp)
      return
    with tempfile.TemporaryDirectory() as folder:
      own = dataclasses.replace(self._spec, folder=pathlib.Path(folder))
      job.write(own, index, self._work)
      store.put(own.folder, file)


def _prepared(url: str, spec: JobSpec) -> BeamStore:
  """Returns the store; UserError where it holds another job."""
  store = BeamStore(url, spec.prefix)
  store.prepare()
  for name, note in store.notes().items():
    notes.refuse_other_job(f'{url}/{name}', note, spec.stamp)
  return store


def _fetch(store: BeamStore, spec: JobSpec) -> None:
  """Gets what the folder lacks from the store, then writes the manifest."""
  for index in range(spec.blocks):
    if job.finished(spec, index) is None:
      store.get(spec.folder, spec.file(index))
      job.finished(spec, index)
  _finish(spec.blocks, spec)


def _finish(made: int, spec: JobSpec) -> int:
  if dataset.finish(spec, _tag()) is None:
    raise RuntimeError(f'{made} of {spec.blocks} shards are finished.')
  return made


def _tag() -> str:
  return f'.{socket.gethostname()}-{uuid.uuid4().hex}'
