"""A finished data set: its manifest, and how it is read."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import operator
import pathlib
from typing import Any, Generic, SupportsIndex

from array_record.python import array_record_data_source

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.shards import notes, shard
from taiji_jax.shards.codec import Codec, Record
from taiji_jax.shards.notes import Shard
from taiji_jax.shards.spec import JobSpec

MANIFEST = 'manifest.json'


@dataclasses.dataclass(frozen=True)
class Manifest:
  """All shards of a job, in the order of their rows.

  Attributes:
    stamp: of the job: its rows, shard_rows, schema and provenance.
    shards: all of them.
  """

  stamp: Mapping[str, Any]
  shards: tuple[Shard, ...]

  @property
  def records(self) -> int:
    """How many records all shards hold."""
    return sum(one.records for one in self.shards)

  @property
  def kept(self) -> int:
    """How many of them are kept."""
    return sum(one.kept for one in self.shards)


def finish(spec: JobSpec, tag: str = '') -> Manifest | None:
  """Returns the manifest that it wrote, None where shards are missing yet.

  Whoever finishes last writes it, and what a killed writer left is removed.

  Args:
    spec: which job.
    tag: sets apart writers that may meet.

  Raises:
    UserError: a shard is of another job, or all of them together hold no
      record.
  """
  folder, stamp = spec.folder, spec.stamp
  found = []
  for index in range(spec.blocks):
    one = shard.finished(
      folder, spec.file(index), spec.block(index), stamp, check=False
    )
    if one is None:
      return None
    found.append(one)
  whole = Manifest(stamp, tuple(found))
  if not whole.records:
    raise UserError(
      f'the job in {folder} made no record of its {spec.rows} rows, so that'
      ' there is nothing to read: look at what makes them, delete the folder'
      ' and run again.'
    )
  values = {
    **stamp,
    'records': whole.records,
    'kept': whole.kept,
    'shards': [dataclasses.asdict(one) for one in found],
  }
  for left in shard.leftovers(folder, spec.prefix):
    left.unlink(missing_ok=True)
  files.write_json(folder / MANIFEST, values, tag, sort_keys=True)
  return whole


def manifest(folder: pathlib.Path, codec: Codec[Any]) -> Manifest:
  """Returns the manifest of a finished data set.

  Args:
    folder: of a finished job.
    codec: of its records.

  Raises:
    UserError: there is none yet, it can't be read, or it is of other records.
  """
  path = folder / MANIFEST
  if not path.exists():
    raise UserError(
      f'{folder} holds no {MANIFEST}: the job has not finished. Run it again,'
      ' it goes on where it stopped.'
    )
  values = files.read_json(path, 'delete it and run the job again')
  rows = values.pop('shards', None)
  if not isinstance(rows, list) or not rows:
    raise UserError(f'{path} lists no shards; delete it and run the job again.')
  stamp = {k: v for k, v in values.items() if k not in ('records', 'kept')}
  if stamp.get('schema') != codec.schema():
    raise UserError(
      f'{path} is of another version of the records; run the job again into a'
      ' new folder, or read it with the version that wrote it.'
    )
  found = tuple(notes.shard_of(path, row) for row in rows)
  _check_rows(path, found, stamp.get('rows_in_all'))
  whole = Manifest(stamp, found)
  if not whole.records:
    raise UserError(
      f'{path} is of no record at all; delete it and run the job again.'
    )
  return whole


def _check_rows(
  path: pathlib.Path, shards: Sequence[Shard], rows_in_all: Any
) -> None:
  """Raises UserError where the shards don't follow each other to the end."""
  row = 0
  for one in shards:
    if one.first_row != row:
      raise UserError(
        f'{path} lists {one.file} from row {one.first_row} where row {row}'
        ' belongs; delete it and run the job again.'
      )
    row += one.rows
  if row != rows_in_all or len({one.file for one in shards}) != len(shards):
    raise UserError(
      f'{path} lists shards of {row} rows, or one of them twice, and is of'
      f' {rows_in_all!r:.20} rows; delete it and run the job again.'
    )


def read(
  folder: pathlib.Path, codec: Codec[Record], verify: bool = True
) -> Iterator[Record]:
  """Yields every record in the order of its place, one held at a time.

  Args:
    folder: of a finished job.
    codec: of its records.
    verify: whether each file's hash is compared before it is read.

  Raises:
    UserError: unfinished or damaged; it names the file.
  """
  for one in manifest(folder, codec).shards:
    if verify:
      shard.verify(folder, one)
    yield from shard.records(folder, one, codec)


class Source(Generic[Record]):
  """Random access to the records: a data source for `grain.MapDataset`.

  Args:
    folder: of a finished job.
    codec: of its records.
    verify: whether the files' hashes are compared first.

  Raises:
    UserError: unfinished or damaged; it names the file.
  """

  def __init__(
    self, folder: pathlib.Path, codec: Codec[Record], verify: bool = True
  ):
    self._folder, self._codec = folder, codec
    self._manifest = manifest(folder, codec)
    if verify:
      for one in self._manifest.shards:
        shard.verify(folder, one)
    self._source = array_record_data_source.ArrayRecordDataSource(
      [str(folder / s.file) for s in self._manifest.shards if s.records]
    )
    if len(self._source) != len(self):
      raise UserError(
        f'{folder} holds {len(self._source)} records and its {MANIFEST} says'
        f' {len(self)}; delete that and run the job again.'
      )

  def __len__(self) -> int:
    return self._manifest.records

  def __getitem__(self, index: SupportsIndex) -> Record:
    if not 0 <= operator.index(index) < len(self):
      raise IndexError(f'{index} of {len(self)} records')
    return shard.decode(self._folder, self._source[index], self._codec)

  def __repr__(self) -> str:
    # Grain compares it on resume: the same folder is the same source.
    return f'shards.Source({str(self._folder)!r}, {len(self)})'
