"""Any interaction log and item table: CSV, TSV or Parquet with a column map."""

from collections.abc import Iterator
import dataclasses
import datetime
import math

from taiji_jax.data import table_file
from taiji_jax.data.faults import Faults, more_rows
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

_TRUTHS = dict.fromkeys(('1', 'true', 't', 'yes', 'y'), True)
_TRUTHS |= dict.fromkeys(('0', 'false', 'f', 'no', 'n'), False)


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
    categories: up to three columns from L1 to L3, or one with all levels: a
      list (in Parquet), or a text.
    category_separator: splits the text of that one column; levels after the
      third are dropped.
    profile: columns of the user table for the profile.
    separator: one character between the fields of all tables in text; '' is ','
      in .csv, a tab in .tsv and .txt.
    catalog_item: column of the items' ids in the item table; '' as `item`.
    profile_user: column of the users' ids in the user table; '' as `user`.
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
  separator: str = ''
  catalog_item: str = ''
  profile_user: str = ''

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
    for name in ('profile', 'profile_user'):
      if getattr(self, name) and not self.users:
        raise UserError(
          f'{name} is {getattr(self, name)!r}, but there is no user table;'
          ' give users.'
        )
    if len(self.separator) > 1 or self.separator in ('"', '\r', '\n'):
      raise UserError(
        f"separator is {self.separator!r}; give one character, or '' to go by"
        " the files' endings."
      )


def read(spec: TableSpec, drop: bool = False) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of the tables.

  Args:
    spec: where they lie, and their columns.
    drop: whether items without id or title, and events without a user or of
      items that the table does not have, are left out and counted instead of
      refused.

  Raises:
    UserError: a table that is missing, empty or lacks a column, a row that
      cannot be read (with file and line, or row in Parquet), and all that
      `log.build_catalog` and `log.build_log` refuse.
  """
  faults = Faults(drop, 'data.drop')
  spec = dataclasses.replace(
    spec,
    catalog_item=spec.catalog_item or spec.item,
    profile_user=(spec.profile_user or spec.user) if spec.users else '',
  )
  items = [
    Item(
      cells[spec.catalog_item], cells[spec.title], _levels(spec, cells), where
    )
    for where, cells in _rows(
      spec, 'items', 'catalog_item', 'title', 'categories'
    )
  ]
  catalog = build_catalog(items, faults)
  users = None
  if spec.users:
    users = [
      User(cells[spec.profile_user], {f: cells[f] for f in spec.profile}, where)
      for where, cells in _rows(spec, 'users', 'profile_user', 'profile')
    ]
  return build_log(catalog, _events(spec), users, faults), catalog


def _rows(
  spec: TableSpec, table: str, *fields: str
) -> Iterator[table_file.Row]:
  """Yields the rows of a table with the columns that these fields name."""
  columns = {}
  for field in fields:
    named = getattr(spec, field) or ()
    for column in (named,) if isinstance(named, str) else named:
      columns[column] = f'data.tables.{field}'
  path = getattr(spec, table)
  yield from table_file.read(
    path, f'data.tables.{table}', columns, spec.separator
  )


def _events(spec: TableSpec) -> Events:
  rows = list(
    _rows(spec, 'interactions', 'user', 'item', 'time', 'click', 'conversion')
  )
  clicks = [True] * len(rows)
  if spec.click:
    clicks = _truths([(w, cells[spec.click]) for w, cells in rows], spec.click)
  conversions = clicks
  if spec.conversion:
    conversions = _truths(
      [(w, cells[spec.conversion]) for w, cells in rows], spec.conversion
    )
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
  elif len(names) == 1:
    names = names[0].split(table_file.LIST)
  levels = []
  for name in map(clean, names[:CATEGORY_LEVELS]):
    if not name:
      break
    levels.append(name)
  return tuple(levels)


def _truths(cells: list[tuple[str, str]], column: str) -> list[bool]:
  found = [_TRUTHS.get(text.lower()) for _, text in cells]
  if None in found:
    where, text = cells[found.index(None)]
    raise UserError(
      f'{where}: {column} is {text!r}{more_rows(found.count(None))}; give 0,'
      ' 1, true, false, yes or no.'
    )
  return found


def _times(cells: list[tuple[str, str]]) -> list[int]:
  """Returns integers as they are, or microseconds of decimals and dates."""
  parsed = [_time(text) for _, text in cells]
  if None in parsed:
    where, text = cells[parsed.index(None)]
    raise UserError(
      f'{where}: time {text!r} is neither a number nor ISO 8601'
      f'{more_rows(parsed.count(None))}; correct it or remove the row.'
    )
  kinds = {kind for kind, _ in parsed}
  if 'date' in kinds and len(kinds) > 1:
    others = [i for i, (kind, _) in enumerate(parsed) if kind != 'date']
    where, text = cells[others[0]]
    raise UserError(
      f'{where}: time {text!r} is a number where other rows have dates'
      f'{more_rows(len(others))}; use one kind.'
    )
  if kinds <= {'integer'}:
    return [int(value) for _, value in parsed]
  return [
    int(value) * 10**6 if kind == 'integer' else round(value * 10**6)
    for kind, value in parsed
  ]


def _time(text: str) -> tuple[str, int | float] | None:
  """Returns the kind and the value of a time, None where it is none."""
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
  except ValueError:
    return None
  if moment.tzinfo is None:
    moment = moment.replace(tzinfo=datetime.UTC)
  return 'date', moment.timestamp()
