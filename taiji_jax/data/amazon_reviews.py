"""Amazon's public review releases of 2018 and 2023, any category.

https://nijianmo.github.io/amazon/ and https://amazon-reviews-2023.github.io/:
reviews and metadata as JSON lines, gzipped or not.
"""

import array
from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from taiji_jax.data import json_lines
from taiji_jax.data.k_core import check, first_of_each, k_core
from taiji_jax.data.log import Events, Item, build_catalog, build_log
from taiji_jax.data.plain import plain, sound
from taiji_jax.errors import UserError
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log

_LIMIT = np.iinfo(np.int64)


@dataclasses.dataclass(frozen=True)
class _Layout:
  """The fields of one release; `user` tells the reviews of both apart."""

  year: int
  user: str
  item: str
  time: str
  brand: str
  path: str


_LAYOUTS = (
  _Layout(2018, 'reviewerID', 'asin', 'unixReviewTime', 'brand', 'category'),
  _Layout(2023, 'user_id', 'parent_asin', 'timestamp', 'store', 'categories'),
)


@dataclasses.dataclass(frozen=True)
class _Reviews:
  """All reviews as read; ids as codes in the order of their first row."""

  path: str
  layout: _Layout
  users: tuple[str, ...]
  items: tuple[str, ...]
  user_e: np.ndarray
  item_e: np.ndarray
  time_e: np.ndarray
  line_e: np.ndarray

  def take(self, kept_e: np.ndarray) -> '_Reviews':
    """Returns the reviews where `kept_e`, with the codes as they are."""
    names = ('user_e', 'item_e', 'time_e', 'line_e')
    return dataclasses.replace(
      self, **{name: getattr(self, name)[kept_e] for name in names}
    )


def read(reviews: str, metadata: str, *, k: int = 5) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of the k-core of one category.

  Every review is a purchase: click and conversion. Of a user's reviews of one
  item the earliest counts. Items without title leave before the core is taken.
  Times stay in the release's unit: seconds in 2018, milliseconds in 2023. There
  are no profiles.

  Choice: the first name of a category path is the category itself and is
  dropped, the next three are L1 to L3; a name that is blank or holds markup
  ends the path. A title with markup counts as none. Of several rows of one item
  the first with a title counts: the release of 2018 repeats some. In 2023 the
  brand is the store, or else the details' 'Brand', and an item is a
  'parent_asin', all its variants together.

  Each file is read once. Held are 24 bytes a review (twice that while they are
  sorted), the ids, and the metadata of the core's items only.

  Args:
    reviews: JSON lines with reviewerID, asin, unixReviewTime (2018) or user_id,
      parent_asin, timestamp (2023); which release it is, the first line tells.
    metadata: JSON lines with asin, title, brand, category (2018) or
      parent_asin, title, store, categories, details (2023).
    k: every user and every item has at least that many events; 1 keeps all.

  Raises:
    UserError: a file that is missing, damaged or of another layout, a row that
      cannot be read (FILE:LINE), k below 1, or an empty core.
  """
  check(k)
  events = _reviews(reviews)
  events = events.take(
    first_of_each(events.user_e, events.item_e, events.time_e)
  )
  # Untitled items leave before the core, but only items of the core with them
  # can be in the core without: so the metadata is read once, and little held.
  events = _core(events, k)
  wanted = {events.items[i] for i in np.unique(events.item_e).tolist()}
  items = _items(metadata, events.layout, wanted)
  titled = np.array([name in items for name in events.items], bool)
  events = _core(events.take(titled[events.item_e]), k)
  if not len(events.user_e):
    raise UserError(
      f'{reviews}: the {k}-core of the items with title in {metadata} is empty;'
      ' give a smaller k, or files of one category and release.'
    )
  used = (events.items[i] for i in np.unique(events.item_e))
  catalog = build_catalog(items[item_id] for item_id in used)
  return build_log(catalog, _events(events)), catalog


def _core(events: _Reviews, k: int) -> _Reviews:
  return events.take(k_core(events.user_e, events.item_e, k))


def _events(events: _Reviews) -> Events:
  purchased = [True] * len(events.user_e)
  return Events(
    user_ids=[events.users[u] for u in events.user_e.tolist()],
    item_ids=[events.items[i] for i in events.item_e.tolist()],
    times=events.time_e.tolist(),
    clicks=purchased,
    conversions=purchased,
    where=lambda row: f'{events.path}:{events.line_e[row]}',
  )


def _reviews(path: str) -> _Reviews:
  """Returns all reviews; ids become numbers as they come."""
  users: dict[str, int] = {}
  items: dict[str, int] = {}
  columns = [array.array(kind) for kind in ('i', 'i', 'q', 'q')]
  layout = None
  for line, row in json_lines.read(path):
    where = f'{path}:{line}'
    layout = layout or _layout(row, where)
    user = _identifier(row, layout.user, where)
    item = _identifier(row, layout.item, where)
    columns[0].append(users.setdefault(user, len(users)))
    columns[1].append(items.setdefault(item, len(items)))
    columns[2].append(_time(row, layout.time, where))
    columns[3].append(line)
  if layout is None:
    raise UserError(f'{path} holds no rows; give the reviews of a category.')
  arrays = [np.frombuffer(column, column.typecode) for column in columns]
  return _Reviews(path, layout, tuple(users), tuple(items), *arrays)


def _layout(row: Mapping[str, Any], where: str) -> _Layout:
  for layout in _LAYOUTS:
    if layout.user in row:
      return layout
  told = ' nor '.join(f'{la.user!r} ({la.year})' for la in _LAYOUTS)
  raise UserError(
    f'{where}: fields {sorted(row)} hold neither {told}; give the reviews of'
    ' either release, metadata as the second file.'
  )


def _items(path: str, layout: _Layout, wanted: set[str]) -> dict[str, Item]:
  """Returns the wanted items that have a title, by id."""
  found: dict[str, Item] = {}
  empty = True
  for line, row in json_lines.read(path):
    empty = False
    where = f'{path}:{line}'
    item_id = _identifier(row, layout.item, where)
    if item_id not in wanted or item_id in found:
      continue
    title = _text(row, 'title', where)
    if title:
      brand = _text(row, layout.brand, where) or _brand_of_details(row)
      levels = _levels(row, layout.path, where)
      found[item_id] = Item(item_id, title, levels, where, brand)
  if empty:
    raise UserError(f'{path} holds no rows; give the metadata of a category.')
  return found


def _identifier(row: Mapping[str, Any], field: str, where: str) -> str:
  if field not in row:
    raise UserError(
      f'{where}: there is no field {field!r} among {sorted(row)}; give reviews'
      ' and metadata of one release, or correct the row.'
    )
  value = row[field]
  if not isinstance(value, str) or not value.strip():
    raise UserError(
      f'{where}: {field} is {value!r}; give an id as text, or remove the row.'
    )
  return sound(value)


def _time(row: Mapping[str, Any], field: str, where: str) -> int:
  value = row.get(field)
  whole = isinstance(value, int) and not isinstance(value, bool)
  if not whole or not _LIMIT.min <= value <= _LIMIT.max:
    raise UserError(
      f'{where}: {field} is {value!r}; give a whole number of 64 bits, or'
      ' remove the row.'
    )
  return value


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
  """Returns the field on one line, '' where it is absent or holds markup."""
  value = row.get(field)
  if value is None:
    return ''
  if not isinstance(value, str):
    raise UserError(
      f'{where}: {field} is {value!r}; give a text, or remove the row.'
    )
  return plain(value)


def _levels(row: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
  value = row.get(field)
  if value is None:
    return ()
  if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
    raise UserError(
      f'{where}: {field} is {value!r}; give a list of names, or remove the row.'
    )
  levels = []
  for name in value[1 : 1 + CATEGORY_LEVELS]:
    if not (level := plain(name)):
      break
    levels.append(level)
  return tuple(levels)


def _brand_of_details(row: Mapping[str, Any]) -> str:
  details = row.get('details')
  brand = details.get('Brand') if isinstance(details, dict) else None
  return plain(brand) if isinstance(brand, str) else ''
