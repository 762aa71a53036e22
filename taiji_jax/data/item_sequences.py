"""Purchases as sequences of items: `*.inter.json` and `*.item.json`.

`{user: [item, ...]}` in time order, and `{item: {title, description, brand,
categories}}`, the layout in which research code passes the Amazon releases on.
`categories` is a path with commas and no space after them, its first name the
root of all items: 'Industrial & Scientific,Fasteners,Staples'.
"""

import pathlib
import re
from typing import Any

from taiji_jax import files
from taiji_jax.data.log import Events, Item, build_catalog, build_log
from taiji_jax.errors import UserError
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log

_COMMA = re.compile(r',(?! )')


def read(path: str) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of a folder with the two files.

  Every interaction is a purchase, so a click and a conversion. There are no
  times: an event's time is its place in its user's sequence, 0, 1, ...

  Args:
    path: the folder; it holds one file of each kind.

  Raises:
    UserError: a file that is missing or malformed, an item without a title, a
      sequence with an item that the catalogue does not have.
  """
  folder = pathlib.Path(path).expanduser()
  items_file = _one(folder, '*.item.json')
  sequences_file = _one(folder, '*.inter.json')
  catalog = build_catalog(
    _item(item_id, fields, f'{items_file}: item {item_id}')
    for item_id, fields in _object(items_file).items()
  )
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
  return build_log(catalog, events), catalog


def levels(path: str) -> tuple[str, ...]:
  """Returns L1, L2, L3 of a category path, the root dropped.

  >>> levels('Industrial & Scientific,Tapes, Adhesives & Sealants,Tapes')
  ('Tapes, Adhesives & Sealants', 'Tapes')
  """
  names = [' '.join(name.split()) for name in _COMMA.split(path)][1:]
  known = names[:CATEGORY_LEVELS]
  return tuple(known[: known.index('')] if '' in known else known)


def _item(item_id: str, fields: Any, where: str) -> Item:
  if not isinstance(fields, dict):
    raise UserError(f'{where} is {fields!r}; give its title and categories.')
  texts = {}
  for name in ('title', 'brand', 'categories'):
    texts[name] = fields.get(name) or ''
    if not isinstance(texts[name], str):
      raise UserError(f'{where}: {name} is {texts[name]!r}; give a text.')
  return Item(
    item_id,
    texts['title'],
    levels(texts['categories']),
    where,
    texts['brand'],
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
