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
import re
from typing import Any, TypeVar

from array_record.python import array_record_module

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.shards import notes
from taiji_jax.shards.codec import Codec
from taiji_jax.shards.notes import Shard

Record = TypeVar('Record')

# Choice: one record a chunk, what grain's random access asks for; chunks of
# many records are smaller on disk, for a prompt stands in k records.
_OPTIONS = 'group_size:1,zstd:3,max_parallelism:1'


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
  files.write_json(folder / notes.name_of(file), note, tag, sort_keys=True)
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


def leftovers(
  folder: pathlib.Path, prefix: str, tag: str | None = None
) -> Iterator[pathlib.Path]:
  """Yields what killed writers left of shards and notes, and nothing else.

  Args:
    folder: of the job.
    prefix: of its file names.
    tag: of the writer, see `write`; None takes those of all.
  """
  whose = r'(\.[\w.-]+)?' if tag is None else re.escape(tag)
  name = re.compile(
    rf'{re.escape(prefix)}-\d{{5,}}-of-\d{{5,}}'
    rf'({re.escape(notes.SUFFIX)}|\.json){whose}\.part'
  )
  for path in sorted(folder.glob('*.part')):
    if name.fullmatch(path.name) and path.is_file():
      yield path


def finished(
  folder: pathlib.Path,
  file: str,
  rows: range,
  stamp: Mapping[str, Any],
  check: bool = True,
) -> Shard | None:
  """Returns the finished shard, None where it is still to be written.

  Args:
    folder, file: where it is.
    rows: its block.
    stamp: what a note must say of the job, as JSON values: another job's
      shards are never mixed in.
    check: whether the whole file is read to compare its hash.

  Raises:
    UserError: it is damaged, or of another job.
  """
  path = folder / file
  note_path = folder / notes.name_of(file)
  if not note_path.exists() or not path.exists():
    return None
  note = files.read_json(note_path)
  notes.refuse_other_job(note_path, note, stamp)
  found = notes.shard_of(note_path, note)
  if (found.file, found.first_row, found.rows) != (
    file,
    rows.start,
    len(rows),
  ):
    raise UserError(
      f'{note_path} is not of this shard: it tells of {found.rows} rows from'
      f' {found.first_row} in {found.file}; delete it and run the job again.'
    )
  if check:
    verify(folder, found)
  return found


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
  with _reading(folder, shard) as reader:
    _check_count(path, reader, shard)


def records(
  folder: pathlib.Path, shard: Shard, codec: Codec[Record]
) -> Iterator[Record]:
  """Yields the records of one shard, in order, one held at a time.

  Raises:
    UserError: it can't be read, or holds another number of records.
  """
  path = folder / shard.file
  with _reading(folder, shard) as reader:
    for _ in range(reader.num_records()):
      yield decode(path, reader.read(), codec)
    _check_count(path, reader, shard)


@contextlib.contextmanager
def _reading(folder: pathlib.Path, shard: Shard) -> Iterator[Any]:
  """Yields a reader of the shard's file."""
  path = folder / shard.file
  try:
    with contextlib.closing(
      array_record_module.ArrayRecordReader(str(path), 'max_parallelism:0')
    ) as reader:
      yield reader
  except (RuntimeError, IndexError) as error:
    raise UserError(
      f"{path} can't be read as ArrayRecord ({files.reason(error)});"
      f' {files.MAKE_ANEW}.'
    ) from error


def _check_count(path: pathlib.Path, reader: Any, shard: Shard) -> None:
  if (there := reader.num_records()) != shard.records:
    raise UserError(
      f'{path} holds {there} records and its note says {shard.records}; delete'
      ' both and run the job again, which writes them anew.'
    )


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
