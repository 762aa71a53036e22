"""A finished CoT data set: its manifest, and how it is read."""

from collections.abc import Iterator, Mapping
import dataclasses
import operator
import pathlib
from typing import Any, SupportsIndex

from array_record.python import array_record_data_source

from taiji_jax.cot.record import CotRecord
from taiji_jax.errors import UserError
from taiji_jax.shards import codec as record_json
from taiji_jax.shards import shard as shards

MANIFEST = 'manifest.json'


@dataclasses.dataclass(frozen=True)
class Manifest:
  """All shards of a job, in the order of their rows.

  Attributes:
    stamp: of the job: its rows, shard_rows, schema and provenance.
    shards: all of them.
  """

  stamp: Mapping[str, Any]
  shards: tuple[shards.Shard, ...]

  @property
  def records(self) -> int:
    return sum(shard.records for shard in self.shards)

  @property
  def kept(self) -> int:
    return sum(shard.kept for shard in self.shards)


def finish(
  folder: pathlib.Path, count: int, stamp: Mapping[str, Any], tag: str = ''
) -> Manifest | None:
  """Returns the manifest that it wrote, None where shards are missing yet.

  Whoever finishes last writes it, and what a killed writer left is removed.

  Raises:
    UserError: a shard is of another job.
  """
  found = []
  for index in range(count):
    file = shards.file_name(index, count)
    shard = shards.standing(folder, file, stamp, check=False)
    if shard is None:
      return None
    found.append(shard)
  manifest = Manifest(stamp, tuple(found))
  values = {
    **stamp,
    'records': manifest.records,
    'kept': manifest.kept,
    'shards': [dataclasses.asdict(shard) for shard in found],
  }
  for left in folder.glob('cot-*.part'):
    left.unlink(missing_ok=True)
  shards.write_json(folder / MANIFEST, values, tag)
  return manifest


def manifest(folder: pathlib.Path) -> Manifest:
  """Returns the manifest of a finished data set.

  Raises:
    UserError: there is none yet, or it can't be read.
  """
  path = folder / MANIFEST
  if not path.exists():
    raise UserError(
      f'{folder} holds no {MANIFEST}: the job has not finished. Run it again,'
      ' it goes on where it stopped.'
    )
  values = shards.read_json(path)
  rows = values.pop('shards', None)
  if not isinstance(rows, list):
    raise UserError(f'{path} lists no shards; delete it and run the job again.')
  stamp = {k: v for k, v in values.items() if k not in ('records', 'kept')}
  if stamp.get('schema') != record_json.schema():
    raise UserError(
      f'{path} is of another version of the records; run the job again into a'
      ' new folder, or read it with the version that wrote it.'
    )
  return Manifest(stamp, tuple(shards.shard_of(path, row) for row in rows))


def read(folder: pathlib.Path, verify: bool = True) -> Iterator[CotRecord]:
  """Yields every record in the order of (row, sample), one held at a time.

  Args:
    folder: of a finished job.
    verify: whether each file's hash is compared before it is read.

  Raises:
    UserError: unfinished or damaged; it names the file.
  """
  for shard in manifest(folder).shards:
    if verify:
      shards.verify(folder, shard)
    yield from shards.records(folder, shard)


class Source:
  """Random access to the records: a data source for `grain.MapDataset`.

  Args:
    folder: of a finished job.
    verify: whether the files' hashes are compared first.

  Raises:
    UserError: unfinished or damaged; it names the file.
  """

  def __init__(self, folder: pathlib.Path, verify: bool = True):
    self._folder = folder
    self._manifest = manifest(folder)
    if verify:
      for shard in self._manifest.shards:
        shards.verify(folder, shard)
    self._source = array_record_data_source.ArrayRecordDataSource(
      [str(folder / s.file) for s in self._manifest.shards if s.records]
    )

  def __len__(self) -> int:
    return self._manifest.records

  def __getitem__(self, index: SupportsIndex) -> CotRecord:
    if not 0 <= operator.index(index) < len(self):
      raise IndexError(f'{index} of {len(self)} records')
    return shards.decode(self._folder, self._source[index])

  def __repr__(self) -> str:
    # Grain compares it on resume: the same folder is the same source.
    return f'cot.Source({str(self._folder)!r}, {len(self)})'
