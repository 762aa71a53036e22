"""One block of rows on disk: an ArrayRecord file, and a note beside it.

`cot-00003-of-00040.array_record` holds the records of the block as bytes;
`cot-00003-of-00040.json` beside it says how many, their hash, and of which job
they are. A shard is finished once its note is there: both are written to a
`.part` file, flushed to the disk and renamed, the note last.
"""

from collections.abc import Iterable, Iterator, Mapping
import contextlib
import dataclasses
import pathlib
from typing import Any, TypeVar

from array_record.python import array_record_module

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.shards.codec import Codec

Record = TypeVar('Record')

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


def file_name(prefix: str, index: int, count: int) -> str:
  """Returns the name of shard `index` of `count`."""
  return f'{prefix}-{index:05d}-of-{count:05d}{_SUFFIX}'


def note_name(file: str) -> str:
  """Returns the name of a shard's note."""
  return file.removesuffix(_SUFFIX) + '.json'


def notes_of(prefix: str) -> str:
  """Returns the pattern of the names of all notes of a job."""
  return f'{prefix}-*-of-*.json'


def write(
  folder: pathlib.Path,
  file: str,
  rows: range,
  lines: Iterable[tuple[bytes, bool]],
  stamp: Mapping[str, Any],
  tag: str = '',
) -> Shard:
  """Returns the shard that it wrote, the same bytes for the same lines.

  One line at a time is held.

  Args:
    folder: where to; it exists.
    file: see `file_name`.
    rows: the block.
    lines: (bytes, kept) of each record, in order.
    stamp: of which job; see `finished`.
    tag: sets apart the unfinished files of writers that may meet.

  Raises:
    UserError: the disk is full or the folder can't be written.
  """
  path = folder / file
  with files.replacing(path, tag) as part:
    records, kept = _write_lines(part, path, lines)
    with files.writing(path):
      made = Shard(
        file=file,
        first_row=rows.start,
        rows=len(rows),
        records=records,
        kept=kept,
        bytes=part.stat().st_size,
        sha256=files.sha256(part),
      )
  note = {**dataclasses.asdict(made), **stamp}
  files.write_json(folder / note_name(file), note, tag, sort_keys=True)
  return made


def _write_lines(
  part: pathlib.Path, path: pathlib.Path, lines: Iterable[tuple[bytes, bool]]
) -> tuple[int, int]:
  """Returns how many lines it wrote to `part`, and how many are kept."""
  with _writing(path):
    writer = array_record_module.ArrayRecordWriter(str(part), _OPTIONS)
  records = kept = 0
  try:
    # What makes the lines may fail too: that is no matter of the disk.
    for text, is_kept in lines:
      with _writing(path):
        writer.write(text)
      records += 1
      kept += is_kept
  finally:
    with _writing(path):
      writer.close()
  return records, kept


def finished(
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
  note = files.read_json(note_path)
  refuse_other_job(note_path, note, stamp)
  found = shard_of(note_path, note)
  if check:
    verify(folder, found)
  return found


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
    whole = path.stat().st_size == shard.bytes
    whole = whole and files.sha256(path) == shard.sha256
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


def records(
  folder: pathlib.Path, shard: Shard, codec: Codec[Record]
) -> Iterator[Record]:
  """Yields the records of one shard, in order, one held at a time."""
  path = folder / shard.file
  try:
    with contextlib.closing(
      array_record_module.ArrayRecordReader(str(path), 'max_parallelism:0')
    ) as reader:
      for _ in range(reader.num_records()):
        yield decode(path, reader.read(), codec)
  except (RuntimeError, IndexError) as error:
    raise UserError(
      f"{path} can't be read as ArrayRecord ({files.reason(error)});"
      f' {files.MAKE_ANEW}.'
    ) from error


def decode(path: pathlib.Path, text: bytes, codec: Codec[Record]) -> Record:
  """Returns the record; UserError where it is not of this schema."""
  try:
    return codec.decode(text)
  except ValueError as error:
    raise UserError(
      f'{path} holds a record of another schema ({error}); run the job again'
      ' into a new folder.'
    ) from error


@contextlib.contextmanager
def _writing(path: pathlib.Path) -> Iterator[None]:
  """Yields nothing; ArrayRecord says of a full disk that it is RuntimeError."""
  with files.writing(path):
    try:
      yield
    except RuntimeError as error:
      raise OSError(files.reason(error)) from error
