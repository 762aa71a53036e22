"""Purchases as sequences of items: `*.inter.json` and `*.item.json`.

`{user: [item, ...]}` in time order, and `{item: {title, description, brand,
categories}}`, the layout in which research code passes the Amazon releases on.
`categories` is a path whose first name is the root of all items: a list of
names, or a text with commas and no space after them, 'Industrial &
Scientific,Fasteners,Staples'. Others separate by comma and space: say so
(`data.category_separator`), for no text tells the two apart.
"""

from collections.abc import Callable, Iterator, Sequence
import functools
import pathlib
import re
from typing import Any

from taiji_jax import files
from taiji_jax.data.faults import Faults
from taiji_jax.data.log import Events, Item, build_catalog, build_log, clean
from taiji_jax.data.plain import plain
from taiji_jax.errors import UserError
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log

_COMMA = re.compile(r',(?! )')


def read(
  path: str, category_separator: str = '', drop: bool = False
) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of a folder with the two files.

  Every interaction is a purchase, so a click and a conversion. There are no
  times: an event's time is its place in its user's sequence, 0, 1, ...

  Choice: as in `amazon_reviews`, a title that is markup, or nothing but the
  root's name and the end of a tag, is none; such items leave with their events,
  and how many is told.

  Args:
    path: the folder; it holds one file of each kind.
    category_separator: between the names of a category path that is a text; ''
      is a comma that no space follows.
    drop: whether items without a title, and events of items that the catalogue
      does not have, are left out and counted instead of refused.

  Raises:
    UserError: a file that is missing or malformed, an item without a title, a
      sequence with an item that the catalogue does not have.
  """
  folder = files.expanded(path)
  items_file = _one(folder, '*.item.json')
  sequences_file = _one(folder, '*.inter.json')
  faults = Faults(drop, 'data.drop')
  split = functools.partial(_names, separator=category_separator)
  catalog = build_catalog(_items(items_file, split, faults), faults)
  users, items, times = [], [], []
  for user, sequence in _object(sequences_file).items():
    if not isinstance(sequence, list):
      raise UserError(
        f'{sequences_file}: user {user} has {sequence!r}; give a list of items.'
      )
    users += [user] * len(sequence)
    items += [str(item) for item in sequence]
    times += range(len(sequence))
  events = Events(
    user_ids=users,
    item_ids=items,
    times=times,
    clicks=[True] * len(users),
    conversions=[True] * len(users),
    where=lambda e: f'{sequences_file}: user {users[e]}, place {times[e]}',
  )
  return build_log(catalog, events, faults=faults), catalog


def levels(path: str, separator: str = '') -> tuple[str, ...]:
  """Returns L1, L2, L3 of a category path, the root dropped.

  Args:
    path: names, the root first.
    separator: between them; '' is a comma that no space follows.

  >>> levels('Industrial & Scientific,Tapes, Adhesives & Sealants,Tapes')
  ('Tapes, Adhesives & Sealants', 'Tapes')
  >>> levels('Office Products, Paper, Cards', ', ')
  ('Paper', 'Cards')
  """
  return _levels(_names(path, separator))


def _names(path: str, separator: str) -> list[str]:
  return path.split(separator) if separator else _COMMA.split(path)


def _levels(names: Sequence[str]) -> tuple[str, ...]:
  """Returns the names behind the root, up to the first blank one."""
  known = [plain(name) for name in names[1 : 1 + CATEGORY_LEVELS]]
  return tuple(known[: known.index('')] if '' in known else known)


def _items(
  file: pathlib.Path, split: Callable[[str], list[str]], faults: Faults
) -> Iterator[Item]:
  """Yields the items but those whose title is markup, which are noted."""
  nameless, lost = set(), []
  for item_id, fields in _object(file).items():
    item = _item(item_id, fields, f'{file}: item {item_id}', split, lost)
    if not item.title and clean(fields.get('title') or ''):
      nameless.add(item_id)
    else:
      yield item
  if lost:
    faults.leave_out(
      f'category names below an empty level of an item (first {lost[0]})',
      len(lost),
    )
  if nameless:
    faults.items |= nameless
    faults.leave_out('items with markup for a title', len(nameless))


def _item(
  item_id: str,
  fields: Any,
  where: str,
  split: Callable[[str], list[str]],
  lost: list[str],
) -> Item:
  """Returns the item; `lost` grows by `where` if names stand below a blank."""
  if not isinstance(fields, dict):
    raise UserError(f'{where} is {fields!r}; give its title and categories.')
  texts = {}
  for name in ('title', 'brand'):
    texts[name] = fields.get(name) or ''
    if not isinstance(texts[name], str):
      raise UserError(f'{where}: {name} is {texts[name]!r}; give a text.')
  names = _path(fields.get('categories') or '', where, split)
  title = plain(texts['title'])
  if title != clean(texts['title']) and names[:1] == [title]:
    title = ''
  known = _levels(names)
  if any(map(plain, names[1 + len(known) : 1 + CATEGORY_LEVELS])):
    lost.append(where)
  return Item(item_id, title, known, where, plain(texts['brand']))


def _path(
  value: Any, where: str, split: Callable[[str], list[str]]
) -> list[str]:
  """Returns the names of a text, of a list, or of the first of several."""
  if isinstance(value, str):
    return [clean(name) for name in split(value)]
  if isinstance(value, list) and value and isinstance(value[0], list):
    value = value[0]
  if isinstance(value, list) and all(isinstance(v, str) for v in value):
    return [clean(name) for name in value]
  raise UserError(
    f'{where}: categories is {value!r}; give a text or a list of names.'
  )


def _one(folder: pathlib.Path, pattern: str) -> pathlib.Path:
  found = sorted(folder.glob(pattern)) if folder.is_dir() else []
  if len(found) != 1:
    raise UserError(
      f'{folder} holds {len(found)} files {pattern}; set data.path to a folder'
      ' with one.'
    )
  return found[0]


def _object(file: pathlib.Path) -> dict[str, Any]:
  try:
    value = files.parse_json(file.read_text(encoding='utf-8'))
  except (ValueError, OSError) as error:
    raise UserError(f'{file} cannot be read ({error}); write it anew.') from (
      error
    )
  if not isinstance(value, dict):
    raise UserError(f'{file} holds no JSON object; see data/item_sequences.py.')
  return value
