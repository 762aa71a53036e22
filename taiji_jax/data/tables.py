"""Any interaction log and item table: CSV, TSV or Parquet with a column map."""

import ast
from collections.abc import Iterator
import contextlib
import dataclasses
import datetime
import math
import re

from taiji_jax import files
from taiji_jax.data import table_file
from taiji_jax.data.faults import Faults
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

_SHOWN = 80
_QUOTED = r'(?:"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
# "['A', 'B']": how a list ends up in a text.
_LISTED = re.compile(rf'\[\s*(?:{_QUOTED}(?:\s*,\s*{_QUOTED})*\s*,?\s*)?\]')
_LOOKS_LISTED = re.compile(r'\[\s*(?:[\["\'].*[\]"\',]\s*)?\]', re.DOTALL)
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
      list (in Parquet, or written as in Python or JSON), or a text.
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
  catalog = build_catalog(_items(spec, faults), faults)
  users = None
  if spec.users:
    users = [
      User(cells[spec.profile_user], {f: cells[f] for f in spec.profile}, where)
      for where, cells in _rows(spec, 'users', 'profile_user', 'profile')
    ]
  return build_log(catalog, _events(spec, faults), users, faults), catalog


def _items(spec: TableSpec, faults: Faults) -> Iterator[Item]:
  """Yields the items; names below an empty level are noted."""
  lost = []
  for where, cells in _rows(
    spec, 'items', 'catalog_item', 'title', 'categories'
  ):
    names = _names(spec, cells, where)
    levels = names[: names.index('')] if '' in names else names
    if any(names[len(levels) :]):
      lost.append(where)
    yield Item(cells[spec.catalog_item], cells[spec.title], levels, where)
  if lost:
    faults.leave_out(
      f'category names below an empty level of an item (first {lost[0]})',
      len(lost),
    )


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


def _events(spec: TableSpec, faults: Faults) -> Events:
  rows = list(
    _rows(spec, 'interactions', 'user', 'item', 'time', 'click', 'conversion')
  )
  clicks = [True] * len(rows)
  if spec.click:
    clicks = _truths(
      [(w, cells[spec.click]) for w, cells in rows], spec.click, faults
    )
  conversions = clicks
  if spec.conversion:
    conversions = _truths(
      [(w, cells[spec.conversion]) for w, cells in rows],
      spec.conversion,
      faults,
    )
  return Events(
    user_ids=[cells[spec.user] for _, cells in rows],
    item_ids=[cells[spec.item] for _, cells in rows],
    times=_times([(where, cells[spec.time]) for where, cells in rows], faults),
    clicks=clicks,
    conversions=conversions,
    where=lambda row: rows[row][0],
  )


def _names(
  spec: TableSpec, cells: dict[str, str], where: str
) -> tuple[str, ...]:
  """Returns up to three names of levels, '' where one is empty."""
  names = [cells[column] for column in spec.categories]
  one = len(names) == 1
  for column, name in zip(spec.categories, names, strict=True):
    if not _LOOKS_LISTED.fullmatch(name):
      continue
    names = _listed(name) if one else None
    if names is None:
      raise UserError(
        f'{where}: {column} is {name[:_SHOWN]!r}, which looks like a list and'
        f" cannot be read as one; write it as ['A', 'B']"
        f'{"" if one else ", in the only column of data.tables.categories"}, or'
        ' as a text with data.tables.category_separator.'
      )
    return tuple(map(clean, names[:CATEGORY_LEVELS]))
  if spec.category_separator:
    names = names[0].split(spec.category_separator)
  elif one:
    names = names[0].split(table_file.LIST)
  return tuple(map(clean, names[:CATEGORY_LEVELS]))


def _listed(text: str) -> list[str] | None:
  """Returns the names of a list as JSON or Python write it, None if it isn't.

  Only texts between commas are one: Python would join those without.
  """
  if not _LISTED.fullmatch(text):
    return None
  for read_list in (files.parse_json, ast.literal_eval):
    with contextlib.suppress(ValueError, SyntaxError):
      return list(read_list(text))
  return None


def _truths(
  cells: list[tuple[str, str]], column: str, faults: Faults
) -> list[bool]:
  found = [_TRUTHS.get(text.lower()) for _, text in cells]
  if None in found:
    where, text = cells[found.index(None)]
    faults.refuse(
      f'{column} that is no truth',
      f'{where}: {column} is {text[:_SHOWN]!r}',
      'give 0, 1, true, false, yes or no',
      found.count(None),
    )
  return [bool(truth) for truth in found]


def _times(cells: list[tuple[str, str]], faults: Faults) -> list[int]:
  """Returns integers as they are, or microseconds of decimals and dates."""
  parsed = [_time(text) for _, text in cells]
  if None in parsed:
    where, text = cells[parsed.index(None)]
    faults.refuse(
      'times that are none',
      f'{where}: time {text[:_SHOWN]!r} is neither a number nor ISO 8601',
      'correct it or remove the row',
      parsed.count(None),
    )
  kinds = {known[0] for known in parsed if known}
  if 'date' in kinds and len(kinds) > 1:
    others = [
      i for i, known in enumerate(parsed) if known and known[0] != 'date'
    ]
    where, text = cells[others[0]]
    faults.refuse(
      'times that are numbers among dates',
      f'{where}: time {text!r} is a number where other rows have dates',
      'use one kind',
      len(others),
    )
  micro = not kinds <= {'integer'}
  return [_units(*known, micro) if known else 0 for known in parsed]


def _units(kind: str, value: int | float, micro: bool) -> int:
  if kind == 'integer':
    return int(value) * (10**6 if micro else 1)
  return round(value * 10**6)


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
