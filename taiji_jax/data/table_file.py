"""The rows of one table: CSV, TSV or Parquet, with the place of each."""

from collections.abc import Iterator, Mapping
import csv
import datetime
import itertools
import pathlib
from typing import Any

from taiji_jax import files
from taiji_jax.errors import UserError

_SEPARATORS = {'.csv': ',', '.tsv': '\t', '.txt': '\t'}
_USUAL = ',;\t|'
LIST = '\x1f'
"""Between the elements of a cell that is a list."""
Row = tuple[str, dict[str, str]]


def read(
  path: str, field: str, columns: Mapping[str, str], separator: str = ''
) -> Iterator[Row]:
  """Yields ('FILE:LINE', column -> text) of every row.

  Args:
    path: ends in .csv, .tsv, .txt (tabs) or .parquet.
    field: of the recipe, the one that holds the path; for errors.
    columns: what to read, each with the field of the recipe that names it.
    separator: between the fields of a text; '' goes by the file's ending.

  Raises:
    UserError: a table that is missing, empty or lacks a column, or a row that
      cannot be read.
  """
  file = files.expanded(path)
  if not file.is_file():
    where = '' if file.is_absolute() else f' in {pathlib.Path.cwd()}'
    raise UserError(
      f'{field} is {path!r}, but {file} is no file{where}; give the path of'
      ' the table.'
    )
  if not file.stat().st_size:
    raise UserError(f'{file} is empty (0 bytes); write it anew.')
  if file.suffix == '.parquet':
    rows = _parquet(file, columns)
  elif file.suffix in _SEPARATORS:
    rows = _text(file, columns, separator or _SEPARATORS[file.suffix])
  else:
    raise UserError(
      f'{file} ends in {file.suffix!r}; give a table that ends in'
      f' {", ".join((*_SEPARATORS, ".parquet"))}.'
    )
  empty = True
  for row in rows:
    empty = False
    yield row
  if empty:
    raise UserError(f'{file} holds no rows; give a table that does.')


def _text(
  file: pathlib.Path, columns: Mapping[str, str], separator: str
) -> Iterator[Row]:
  try:
    with file.open(encoding='utf-8-sig', newline='') as stream:
      first = stream.readline()
      _check_separator(file, first, separator, columns)
      lines = itertools.chain([first], stream)
      reader = csv.reader(lines, delimiter=separator, strict=True)
      header = next(reader, [])
      if not header:
        raise UserError(
          f'{file} has no header: its first line is blank, so that column'
          f' {next(iter(columns))!r} occurs 0 times; write the names of the'
          ' columns there.'
        )
      at = [_column(file, header, *names) for names in columns.items()]
      for cells in reader:
        where = f'{file}:{reader.line_num}'
        if not cells:
          continue
        if len(cells) != len(header):
          raise UserError(
            f'{where}: {len(cells)} fields where the header has'
            f' {len(header)}; correct the row.'
          )
        yield (
          where,
          {c: cells[i].strip() for c, i in zip(columns, at, strict=True)},
        )
  except csv.Error as error:
    raise UserError(
      f'{file}:{reader.line_num}: {error}; check the quotes of the row.'
    ) from error
  except UnicodeDecodeError as error:
    raise UserError(
      f'{file}{_not_utf_8(file)} is not UTF-8 text; save the file as UTF-8.'
    ) from error
  except OSError as error:
    raise UserError(
      f'{file} cannot be read ({error.strerror}); check its permissions.'
    ) from error


def _check_separator(
  file: pathlib.Path, first: str, separator: str, columns: Mapping[str, str]
) -> None:
  """Raises UserError where the first line looks split by something else."""
  other = max(_USUAL, key=first.count)
  seen = {name.strip(' "\r\n') for name in first.split(separator)}
  if first.count(other) > first.count(separator) and not seen >= {*columns}:
    raise UserError(
      f'{file} looks separated by {other!r} and is read as separated by'
      f' {separator!r}; set data.tables.separator to {other!r}, which goes for'
      ' all tables in text.'
    )


def _not_utf_8(file: pathlib.Path) -> str:
  """Returns ':LINE: byte N of the line', where the text stops being UTF-8.

  The decoder reads ahead, so that its own error tells no line.
  """
  with file.open('rb') as stream:
    for number, line in enumerate(stream, 1):
      try:
        line.decode('utf-8')
      except UnicodeDecodeError as error:
        byte = line[error.start]
        return f':{number}: byte {error.start + 1} of the line (0x{byte:02x})'
  return ''


def _parquet(file: pathlib.Path, columns: Mapping[str, str]) -> Iterator[Row]:
  try:
    import pyarrow
    from pyarrow import parquet
  except ImportError as error:
    raise UserError(
      f"{file} needs pyarrow: `pip install 'taiji_jax[parquet]'`."
    ) from error
  try:
    with parquet.ParquetFile(file) as table:
      for names in columns.items():
        _column(file, table.schema_arrow.names, *names)
      number = 0
      for batch in table.iter_batches(columns=list(columns)):
        for cells in batch.to_pylist():
          number += 1
          yield (
            f'{file}: row {number}',
            {column: _cell(cells[column]) for column in columns},
          )
  except (pyarrow.ArrowException, OSError) as error:
    reason = str(error).splitlines()[0]
    raise UserError(
      f'{file} cannot be read as Parquet ({reason}); write it anew.'
    ) from error


def _column(
  file: pathlib.Path, header: list[str], column: str, field: str
) -> int:
  if header.count(column) != 1:
    raise UserError(
      f'{file}: column {column!r} occurs {header.count(column)} times among'
      f' {header}; name another in {field}.'
    )
  return header.index(column)


def _cell(value: Any) -> str:
  if value is None:
    return ''
  if isinstance(value, datetime.datetime | datetime.date):
    return value.isoformat()
  if isinstance(value, list):
    return LIST.join(map(_cell, value))
  return str(value).strip()
