"""Any interaction log and item table: CSV, TSV or Parquet with a column map."""

from collections.abc import Iterator
import csv
import dataclasses
import datetime
import math
import pathlib
from typing import Any

from taiji_jax.data.log import (
  Events,
  Item,
  User,
  build_catalog,
  build_log,
  clean,
)
from taiji_jax.errors import UserError
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log

_SEPARATORS = {'.csv': ',', '.tsv': '\t', '.txt': '\t'}
_TRUTHS = {'1': True, 'true': True, '0': False, 'false': False}
_Row = tuple[str, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class TableSpec:
  """Where the tables lie and what their columns are called.

  Attributes:
    interactions: path of the events, ending in .csv, .tsv, .txt (tabs) or
      .parquet.
    items: path of the items, likewise.
    users: path of the users, likewise; without it they are those of the
      interactions.
    user: column of the users' ids, in every table that has them.
    item: column of the items' ids, in every table that has them.
    time: column with integers, decimals or ISO 8601 (UTC where no zone is
      given), of one kind; decimals and dates are kept as microseconds.
    click: column with 0/1 or true/false. `Choice:` without it every row is a
      click.
    conversion: column with 0/1 or true/false. `Choice:` without it every click
      is a conversion (a log of purchases).
    title: column of the items' titles.
    categories: up to three columns from L1 to L3, or one with all levels.
    category_separator: splits that one column; levels after the third are
      dropped.
    profile: columns of the user table for the profile.
  """

  interactions: str
  items: str
  users: str | None = None
  user: str = 'user_id'
  item: str = 'item_id'
  time: str = 'timestamp'
  click: str | None = None
  conversion: str | None = None
  title: str = 'title'
  categories: tuple[str, ...] = ()
  category_separator: str | None = None
  profile: tuple[str, ...] = ()

  def __post_init__(self):
    if len(self.categories) > CATEGORY_LEVELS:
      raise UserError(
        f'categories is {self.categories}; give up to {CATEGORY_LEVELS}'
        ' columns.'
      )
    if self.category_separator and len(self.categories) != 1:
      raise UserError(
        f'category_separator is {self.category_separator!r} with the columns'
        f' {self.categories}; it splits exactly one.'
      )
    if self.category_separator == '':
      raise UserError("category_separator is ''; give None or a text.")
    if self.profile and not self.users:
      raise UserError(
        f'profile names the columns {self.profile} but there is no user'
        ' table; give users.'
      )


def read(spec: TableSpec) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of the tables.

  Raises:
    UserError: a table that is missing, empty or lacks a column, a row that
      cannot be read (with file and line, or row in Parquet), and all that
      `log.build_catalog` and `log.build_log` refuse.
  """
  catalog = build_catalog(
    Item(cells[spec.item], cells[spec.title], _levels(spec, cells), where)
    for where, cells in _table(
      spec.items, (spec.item, spec.title, *spec.categories)
    )
  )
  users = None
  if spec.users:
    users = [
      User(cells[spec.user], {f: cells[f] for f in spec.profile}, where)
      for where, cells in _table(spec.users, (spec.user, *spec.profile))
    ]
  return build_log(catalog, _events(spec), users), catalog


def _events(spec: TableSpec) -> Events:
  columns = [spec.user, spec.item, spec.time, spec.click, spec.conversion]
  rows = list(_table(spec.interactions, tuple(c for c in columns if c)))
  clicks = [
    _truth(cells[spec.click], spec.click, where) if spec.click else True
    for where, cells in rows
  ]
  conversions = clicks
  if spec.conversion:
    conversions = [
      _truth(cells[spec.conversion], spec.conversion, where)
      for where, cells in rows
    ]
  return Events(
    user_ids=[cells[spec.user] for _, cells in rows],
    item_ids=[cells[spec.item] for _, cells in rows],
    times=_times([(where, cells[spec.time]) for where, cells in rows]),
    clicks=clicks,
    conversions=conversions,
    where=lambda row: rows[row][0],
  )


def _levels(spec: TableSpec, cells: dict[str, str]) -> tuple[str, ...]:
  """Returns the levels up to the first empty one."""
  names = [cells[column] for column in spec.categories]
  if spec.category_separator:
    names = names[0].split(spec.category_separator)
  levels = []
  for name in map(clean, names[:CATEGORY_LEVELS]):
    if not name:
      break
    levels.append(name)
  return tuple(levels)


def _truth(text: str, column: str, where: str) -> bool:
  if text.lower() not in _TRUTHS:
    raise UserError(f'{where}: {column} is {text!r}; give 0, 1, true or false.')
  return _TRUTHS[text.lower()]


def _times(cells: list[tuple[str, str]]) -> list[int]:
  """Returns integers as they are, or microseconds of decimals and dates."""
  parsed = [_time(text, where) for where, text in cells]
  kinds = {kind for kind, _ in parsed}
  if 'date' in kinds and len(kinds) > 1:
    other = next(i for i, (kind, _) in enumerate(parsed) if kind != 'date')
    raise UserError(
      f'{cells[other][0]}: time {cells[other][1]!r} is a number where other'
      ' rows have dates; use one kind.'
    )
  if kinds <= {'integer'}:
    return [int(value) for _, value in parsed]
  return [
    int(value) * 10**6 if kind == 'integer' else round(value * 10**6)
    for kind, value in parsed
  ]


def _time(text: str, where: str) -> tuple[str, int | float]:
  try:
    return 'integer', int(text)
  except ValueError:
    pass
  try:
    value = float(text)
    if math.isfinite(value):
      return 'decimal', value
  except ValueError:
    pass
  try:
    moment = datetime.datetime.fromisoformat(text)
  except ValueError as error:
    raise UserError(
      f'{where}: time {text!r} is neither a number nor ISO 8601; correct it'
      ' or remove the row.'
    ) from error
  if moment.tzinfo is None:
    moment = moment.replace(tzinfo=datetime.UTC)
  return 'date', moment.timestamp()


def _table(path: str, columns: tuple[str, ...]) -> Iterator[_Row]:
  """Yields ('FILE:LINE', column -> text) of every row."""
  file = pathlib.Path(path).expanduser()
  if not file.is_file():
    raise UserError(
      f'{file} is no file; give the path of the table in the data config.'
    )
  if file.suffix == '.parquet':
    rows = _parquet(file, columns)
  elif file.suffix in _SEPARATORS:
    rows = _text(file, columns)
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


def _text(file: pathlib.Path, columns: tuple[str, ...]) -> Iterator[_Row]:
  try:
    with file.open(encoding='utf-8-sig', newline='') as stream:
      reader = csv.reader(
        stream, delimiter=_SEPARATORS[file.suffix], strict=True
      )
      header = next(reader, [])
      at = [_column(file, header, column) for column in columns]
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
      f'{file} is not UTF-8 text at byte {error.start}; convert it.'
    ) from error
  except OSError as error:
    raise UserError(
      f'{file} cannot be read ({error.strerror}); check its permissions.'
    ) from error


def _parquet(file: pathlib.Path, columns: tuple[str, ...]) -> Iterator[_Row]:
  try:
    import pyarrow
    from pyarrow import parquet
  except ImportError as error:
    raise UserError(
      f"{file} needs pyarrow: `pip install 'taiji_jax[parquet]'`."
    ) from error
  try:
    with parquet.ParquetFile(file) as table:
      for column in columns:
        _column(file, table.schema_arrow.names, column)
      number = 0
      for batch in table.iter_batches(columns=list(dict.fromkeys(columns))):
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


def _column(file: pathlib.Path, header: list[str], column: str) -> int:
  if header.count(column) != 1:
    raise UserError(
      f'{file}: column {column!r} occurs {header.count(column)} times among'
      f' {header}; name another in the column map.'
    )
  return header.index(column)


def _cell(value: Any) -> str:
  if value is None:
    return ''
  if isinstance(value, datetime.datetime | datetime.date):
    return value.isoformat()
  return str(value).strip()
