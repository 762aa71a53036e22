"""The CoT data job: blocks of rows to shards, each exactly once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import json
import pathlib
from typing import Any

import filelock

from taiji_jax import interrupt, metrics
from taiji_jax.cot.record import CotRecord
from taiji_jax.errors import UserError
from taiji_jax.shards import codec as record_json
from taiji_jax.shards import dataset
from taiji_jax.shards import shard as shards

Work = Callable[[range], Iterable[CotRecord]]
"""The rows of a block to their records, in the order of (row, sample).

What it returns depends on the rows alone: a block that is done again gives the
same records. It may be a generator; one record at a time is held.
"""


@dataclasses.dataclass(frozen=True)
class JobSpec:
  """What the job makes, and which part of it is made here.

  Attributes:
    folder: where to; all hosts see the same one.
    rows: contexts in all, at least 1; the job is rows 0 to rows - 1.
    shard_rows: contexts of a shard, at least 1: what a kill can cost.
    host, hosts: this host makes blocks host, host + hosts, ...
    provenance: JSON values that decide what the records are (teacher, prompt
      version, seed, scorer, threshold, ...). Written into every note; a folder
      holds shards of one provenance only.
  """

  folder: pathlib.Path
  rows: int
  shard_rows: int = 1000
  host: int = 0
  hosts: int = 1
  provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    for name in ('rows', 'shard_rows', 'hosts'):
      if getattr(self, name) < 1:
        raise UserError(
          f'job.{name} is {getattr(self, name)}; give at least 1.'
        )
    if not 0 <= self.host < self.hosts:
      raise UserError(
        f'job.host is {self.host} of {self.hosts} hosts; give 0 to'
        f' {self.hosts - 1}.'
      )

  @property
  def blocks(self) -> int:
    """Returns how many shards all hosts make together."""
    return -(-self.rows // self.shard_rows)

  def block(self, index: int) -> range:
    """Returns the rows of one block; the last may be shorter."""
    first = index * self.shard_rows
    return range(first, min(first + self.shard_rows, self.rows))

  def file(self, index: int) -> str:
    """Returns the file name of one block."""
    return shards.file_name(index, self.blocks)

  @property
  def stamp(self) -> dict[str, Any]:
    """Returns what a note says of the job; the hosts are no part of it."""
    stamp = {
      'rows_in_all': self.rows,
      'shard_rows': self.shard_rows,
      'schema': record_json.schema(),
      'provenance': dict(self.provenance),
    }
    return json.loads(json.dumps(stamp, allow_nan=False))


def run(spec: JobSpec, work: Work) -> dataset.Manifest | None:
  """Returns the manifest, None where other hosts have shards to write yet.

  A finished shard is read once to compare its hash, and skipped. So a job that
  was killed at any point goes on with the same command, and leaves the same
  bytes as one that was not: every record exactly once. A first SIGTERM or
  Ctrl-C ends it after the shard in progress, a second at once.

  Args:
    spec: which job.
    work: makes the records of a block.

  Raises:
    UserError: the folder is another job's, a shard is damaged, another process
      is this host, or the disk is full.
    Interrupted: a signal came; the shard in progress was finished.
  """
  prepare(spec)
  with _alone(spec), interrupt.deferred() as stop:
    own = range(spec.host, spec.blocks, spec.hosts)
    todo = [i for i in own if standing(spec, i) is None]
    _build_all(spec, todo, work, stop)
    manifest = dataset.finish(
      spec.folder, spec.blocks, spec.stamp, _tag(spec.host)
    )
    if stop:
      raise interrupt.Interrupted(
        stop.signal_number, 'the end of the cot job, saved'
      )
  return manifest


def _build_all(
  spec: JobSpec, todo: Sequence[int], work: Work, stop: interrupt.Flag
) -> None:
  own = sum(
    len(spec.block(i)) for i in range(spec.host, spec.blocks, spec.hosts)
  )
  left = sum(len(spec.block(i)) for i in todo)
  progress = metrics.Progress('cot', own, own - left)
  records = kept = 0
  try:
    for at, index in enumerate(todo):
      if stop:
        raise interrupt.Interrupted(
          stop.signal_number,
          f'cot shard {at} of the {len(todo)} that were to be made, saved',
        )
      shard = write(spec, index, work, _tag(spec.host))
      records, kept = records + shard.records, kept + shard.kept
      progress.advance(shard.rows, kept=kept / max(records, 1))
  finally:
    progress.close()


def prepare(spec: JobSpec) -> None:
  """Makes the folder; raises UserError where it holds another job."""
  try:
    spec.folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f"can't make {spec.folder} ({error.strerror}); give another job.folder."
    ) from error
  stamp = spec.stamp
  for path in sorted(spec.folder.glob('cot-*-of-*.json')):
    shards.refuse_other_job(path, shards.read_json(path), stamp)


def build(spec: JobSpec, index: int, work: Work, tag: str) -> shards.Shard:
  """Returns the shard of one block, made here unless it stands.

  Args:
    spec: which job.
    index: of the block.
    work: makes its records.
    tag: of this writer, among all that may make the same block at once.

  Raises:
    UserError: see `run`.
  """
  return standing(spec, index) or write(spec, index, work, tag)


def write(spec: JobSpec, index: int, work: Work, tag: str = '') -> shards.Shard:
  """Returns the shard of one block, made here."""
  rows = spec.block(index)
  return shards.write(
    spec.folder, spec.file(index), rows, work(rows), spec.stamp, tag
  )


def standing(spec: JobSpec, index: int) -> shards.Shard | None:
  """Returns the shard of one block, None where it is still to be made."""
  return shards.standing(spec.folder, spec.file(index), spec.stamp)


def _tag(host: int) -> str:
  return f'.host-{host}'


@contextlib.contextmanager
def _alone(spec: JobSpec) -> Iterator[None]:
  """Holds the host's lock; a killed process lets go of it."""
  path = spec.folder / f'.host-{spec.host}.lock'
  try:
    with filelock.FileLock(path, timeout=0):
      yield
  except filelock.Timeout as error:
    raise UserError(
      f'another process is host {spec.host} of {spec.folder} already; wait for'
      ' it, end it, or give each its own job.host.'
    ) from error
