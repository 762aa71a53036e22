"""Runs a job: blocks of rows to shards, each exactly once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from taiji_jax import files, interrupt, metrics
from taiji_jax.errors import UserError
from taiji_jax.shards import dataset, notes, shard
from taiji_jax.shards.dataset import Manifest
from taiji_jax.shards.notes import Shard
from taiji_jax.shards.spec import JobSpec

Work = Callable[[range], Iterable[Any]]
"""The rows of a block to their records, in the order of `JobSpec.place`.

What it returns depends on the rows alone: a block that is done again gives the
same records. It may be a generator; one record at a time is held.
"""


def run(spec: JobSpec, work: Work) -> Manifest | None:
  """Returns the manifest, None where other hosts have shards to write yet.

  A finished shard is read once to compare its hash, and skipped. So a job that
  was killed at any point goes on with the same command, and leaves the same
  bytes as one that was not: every record exactly once. A first SIGTERM or
  Ctrl-C ends it after the shard in progress, or before where the work itself
  heeds `interrupt` (as an endpoint's teacher does); a second at once. What an
  earlier run of this host left unfinished is removed.

  Args:
    spec: which job.
    work: makes the records of a block.

  Raises:
    UserError: the folder is another job's, a shard is damaged, another process
      is this host, the disk is full, or no row of all made a record.
    Interrupted: a signal came; the shard in progress was finished.
  """
  prepare(spec)
  # A killed process lets go of the host's lock.
  alone = files.Lock(
    spec.folder / f'.host-{spec.host}.lock',
    f'another process is host {spec.host} of {spec.folder} already; wait for'
    ' it, end it, or give each its own host number.',
  )
  with alone, interrupt.deferred() as stop:
    _clean(spec)
    own = range(spec.host, spec.blocks, spec.hosts)
    todo = [i for i in own if finished(spec, i) is None]
    _build_all(spec, todo, work, stop)
    manifest = dataset.finish(spec, _tag(spec.host))
    if stop:
      raise interrupt.Interrupted(
        stop.signal_number, f'the end of the {spec.prefix} job, saved'
      )
  return manifest


def _build_all(
  spec: JobSpec, todo: Sequence[int], work: Work, stop: interrupt.Flag
) -> None:
  own = sum(
    len(spec.block(i)) for i in range(spec.host, spec.blocks, spec.hosts)
  )
  left = sum(len(spec.block(i)) for i in todo)
  progress = metrics.Progress(spec.prefix, own, own - left)
  records = kept = 0
  try:
    for at, index in enumerate(todo):
      if stop:
        raise interrupt.Interrupted(
          stop.signal_number,
          f'{spec.prefix} shard {at} of the {len(todo)} that were to be made,'
          ' saved',
        )
      made = write(spec, index, work, _tag(spec.host))
      records, kept = records + made.records, kept + made.kept
      progress.advance(made.rows, kept=kept / max(records, 1))
  finally:
    progress.close()


def _clean(spec: JobSpec) -> None:
  """Removes what this host left when it was killed; its lock is held."""
  tag = _tag(spec.host)
  for path in shard.leftovers(spec.folder, spec.prefix, tag):
    path.unlink(missing_ok=True)
  (spec.folder / f'{dataset.MANIFEST}{tag}.part').unlink(missing_ok=True)


def prepare(spec: JobSpec) -> None:
  """Makes the folder; raises UserError where it holds another job."""
  try:
    spec.folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f"can't make {spec.folder} ({error.strerror}); give another folder."
    ) from error
  stamp = spec.stamp
  for path in sorted(spec.folder.glob(notes.pattern(spec.prefix))):
    notes.refuse_other_job(path, files.read_json(path), stamp)


def build(spec: JobSpec, index: int, work: Work, tag: str) -> Shard:
  """Returns the shard of one block, made here unless it is finished.

  Args:
    spec: which job.
    index: of the block.
    work: makes its records.
    tag: of this writer, among all that may make the same block at once.

  Raises:
    UserError: see `run`.
  """
  return finished(spec, index) or write(spec, index, work, tag)


def write(spec: JobSpec, index: int, work: Work, tag: str = '') -> Shard:
  """Returns the shard of one block, made here."""
  rows = spec.block(index)
  lines = spec.lines(work(rows), rows)
  return shard.write(
    spec.folder, spec.file(index), rows, lines, spec.stamp, tag
  )


def finished(spec: JobSpec, index: int) -> Shard | None:
  """Returns the shard of one block, None where it is still to be made."""
  return shard.finished(
    spec.folder, spec.file(index), spec.block(index), spec.stamp
  )


def _tag(host: int) -> str:
  return f'.host-{host}'
