"""The CoT data set on disk: ArrayRecord shards, and a note beside each.

`cot-00003-of-00040.array_record` holds the records of one block of rows;
`cot-00003-of-00040.json` beside it says how many, their hash, and of which job
they are. A shard stands once its note does: both are written to a `.part` file,
flushed to the disk and renamed, the note last.
"""

from collections.abc import Iterable, Iterator, Mapping
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from array_record.python import array_record_module

from taiji_jax.cot.record import CotRecord
from taiji_jax.errors import UserError
from taiji_jax.shards import codec as record_json

# Choice: one record a chunk, what grain's random access asks for; chunks of
# many records are smaller on disk, for a prompt stands in k records.
_OPTIONS = 'group_size:1,zstd:3,max_parallelism:1'
_SUFFIX = '.array_record'


@dataclasses.dataclass(frozen=True)
class Shard:
  """What the note says of one shard.

  Attributes:
    file: its name, without the folder.
    first_row: of its block.
    rows: of its block; a row without a record counts.
    records: how many it holds.
    kept: how many of them are kept.
    bytes: its size.
    sha256: of the whole file.
  """

  file: str
  first_row: int
  rows: int
  records: int
  kept: int
  bytes: int
  sha256: str


def file_name(index: int, count: int) -> str:
  """Returns the name of shard `index` of `count`."""
  return f'cot-{index:05d}-of-{count:05d}{_SUFFIX}'


def note_name(file: str) -> str:
  """Returns the name of a shard's note."""
  return file.removesuffix(_SUFFIX) + '.json'


def write(
  folder: pathlib.Path,
  file: str,
  rows: range,
  records: Iterable[CotRecord],
  stamp: Mapping[str, Any],
  tag: str = '',
) -> Shard:
  """Returns the shard that it wrote, the same bytes for the same records.

  One record at a time is held.

  Args:
    folder: where to; it exists.
    file: see `file_name`.
    rows: the block.
    records: in the order of (row, sample), each once.
    stamp: of which job; see `standing`.
    tag: set apart the unfinished files of writers that may meet.

  Raises:
    UserError: the disk is full or the folder can't be written.
    ValueError: a record is outside the block, out of order, or not of the
      schema.
  """
  path = folder / file
  part = folder / f'{file}{tag}.part'
  with _writing(path):
    writer = array_record_module.ArrayRecordWriter(str(part), _OPTIONS)
  count = kept = 0
  try:
    for record in in_order(records, rows):
      text = record_json.encode(record)
      with _writing(path):
        writer.write(text)
      count += 1
      kept += record.kept
  finally:
    with _writing(path):
      writer.close()
  with _writing(path):
    sync(part)
    shard = Shard(
      file=file,
      first_row=rows.start,
      rows=len(rows),
      records=count,
      kept=kept,
      bytes=part.stat().st_size,
      sha256=sha256(part),
    )
    part.replace(path)
  note = {**dataclasses.asdict(shard), **stamp}
  write_json(folder / note_name(file), note, tag)
  return shard


def in_order(records: Iterable[CotRecord], rows: range) -> Iterator[CotRecord]:
  """Yields the records, each once and of these rows, else ValueError."""
  last = (rows.start, -1)
  for record in records:
    here = (record.row, record.sample)
    if record.row not in rows or here <= last:
      raise ValueError(
        f'Record {here} came after {last} in the block {rows}; give the'
        ' records of the block in the order of (row, sample), each once.'
      )
    last = here
    yield record


def standing(
  folder: pathlib.Path, file: str, stamp: Mapping[str, Any], check: bool = True
) -> Shard | None:
  """Returns the finished shard, None where it is still to be written.

  Args:
    folder, file: where it is.
    stamp: what a note must say of the job, as JSON values: another job's
      shards are never mixed in.
    check: whether the whole file is read to compare its hash.

  Raises:
    UserError: it is damaged, or of another job.
  """
  path = folder / file
  note_path = folder / note_name(file)
  if not note_path.exists() or not path.exists():
    return None
  note = read_json(note_path)
  refuse_other_job(note_path, note, stamp)
  shard = shard_of(note_path, note)
  if check:
    verify(folder, shard)
  return shard


def refuse_other_job(
  path: pathlib.Path | str, note: Mapping[str, Any], stamp: Mapping[str, Any]
) -> None:
  """Raises UserError where the note is not of the job with this stamp."""
  if wrong := _differences({k: note.get(k) for k in stamp}, stamp):
    raise UserError(
      f'{path} is of another job: {"; ".join(wrong)}. Give a new folder, or'
      ' delete this one to begin anew.'
    )


def _differences(
  found: Mapping[str, Any], wanted: Mapping[str, Any], where: str = ''
) -> list[str]:
  """Returns what differs, the innermost key of each difference."""
  wrong = []
  for key in sorted(found.keys() | wanted.keys()):
    a, b = found.get(key), wanted.get(key)
    if isinstance(a, dict) and isinstance(b, dict):
      wrong += _differences(a, b, f'{where}{key}.')
    elif a != b:
      wrong.append(f'{where}{key} is {a!r} there and {b!r} now')
  return wrong


def shard_of(path: pathlib.Path, values: Mapping[str, Any]) -> Shard:
  """Returns the shard that a note or a manifest's row at `path` describes."""
  try:
    return Shard(**{f.name: values[f.name] for f in dataclasses.fields(Shard)})
  except (KeyError, TypeError) as error:
    raise UserError(
      f'{path} lacks {error}; delete it and run the job again.'
    ) from error


def verify(folder: pathlib.Path, shard: Shard) -> None:
  """Raises UserError where the file is not what was written."""
  path = folder / shard.file
  try:
    whole = path.stat().st_size == shard.bytes and sha256(path) == shard.sha256
  except OSError as error:
    raise UserError(
      f"{path} can't be read ({error.strerror}); run the job again, which"
      ' writes what is missing.'
    ) from error
  if not whole:
    raise UserError(
      f'{path} is damaged: its hash is not that of its note. Delete it and run'
      ' the job again, which writes it anew.'
    )


def records(folder: pathlib.Path, shard: Shard) -> Iterator[CotRecord]:
  """Yields the records of one shard, in order, one held at a time."""
  path = folder / shard.file
  try:
    with contextlib.closing(
      array_record_module.ArrayRecordReader(str(path), 'max_parallelism:0')
    ) as reader:
      for _ in range(reader.num_records()):
        yield decode(path, reader.read())
  except (RuntimeError, IndexError) as error:
    raise UserError(
      f"{path} can't be read as ArrayRecord ({str(error).splitlines()[0]});"
      ' delete it and run the job again, which writes it anew.'
    ) from error


def decode(path: pathlib.Path, text: bytes) -> CotRecord:
  """Returns the record; UserError where it is not of this schema."""
  try:
    return record_json.decode(text)
  except ValueError as error:
    raise UserError(
      f'{path} holds a record of another schema ({error}); run the job again'
      ' into a new folder.'
    ) from error


def write_json(path: pathlib.Path, values: Any, tag: str = '') -> None:
  """Writes JSON that is whole or not there, and in the folder for good."""
  part = path.with_name(f'{path.name}{tag}.part')
  text = json.dumps(values, indent=1, sort_keys=True, allow_nan=False)
  with _writing(path):
    part.write_text(text + '\n')
    sync(part)
    part.replace(path)
    sync(path.parent)


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """Returns the JSON object of a file that this module wrote."""
  try:
    values = json.loads(path.read_text())
    if not isinstance(values, dict):
      raise ValueError
  except (OSError, ValueError) as error:
    raise UserError(
      f"{path} can't be read; delete it and run the job again, which writes it"
      ' anew.'
    ) from error
  return values


def sha256(path: pathlib.Path) -> str:
  """Returns the hash of a file."""
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def sync(path: pathlib.Path) -> None:
  """Returns when a file or folder is on the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


@contextlib.contextmanager
def _writing(path: pathlib.Path) -> Iterator[None]:
  """Turns what can go wrong on a disk into a UserError."""
  try:
    yield
  except (OSError, RuntimeError) as error:
    raise UserError(
      f"can't write {path} ({str(error).splitlines()[0]}); free some space or"
      ' check the rights, then the same command goes on.'
    ) from error
