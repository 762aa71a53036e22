"""MiniOneRec's files of any category: items, their IDs, and the three parts.

https://github.com/AkaliKong/MiniOneRec (Apache-2.0), arXiv:2510.24431. The
folder has five others:

- `index/`: `NAME.item.json` (title, description, brand) and `NAME.index.json`
  (the semantic IDs);
- `info/`: a text with `ID <tab> title <tab> item` a line;
- `train/`, `valid/`, `test/`: a CSV each, see `minionerec_csv`. Where `train/`
  has none it has `train_sequences.json`, `{user: [item, ...]}` in the order of
  time: every prefix is a sample.
"""

import glob
import html
import itertools
import pathlib
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.data import json_object, minionerec_csv, python_list, sid_index
from taiji_jax.data.log import clean, sort_ids
from taiji_jax.data.next_items import (
  HISTORY,
  ItemCatalog,
  NextItemData,
  NextItems,
  prefixes,
)
from taiji_jax.data.plain import plain, sound
from taiji_jax.errors import UserError

OFFICIAL_TRAIN = {
  'Industrial_and_Scientific': 36_259,
  'Office_Products': 38_924,
}
"""Rows of the official training CSVs, by the name of the category."""
SEQUENCES = 'train_sequences.json'
_SHOWN = 60


def read(
  path: str,
  category: str = '',
  *,
  history: int = HISTORY,
  codes: int = sid_index.CODES,
) -> NextItemData:
  """Returns the data of a folder.

  Every ID and item of a row is compared with the catalogue: what a row says and
  the index does not is refused.

  Args:
    path: the folder.
    category: what the names of its files begin with; '' where each folder has
      the files of one category only. Training sequences are of all of them.
    history: the most items of a history, the last ones.
    codes: of each level of the IDs.

  Raises:
    UserError: a file that is missing or malformed (FILE:LINE, column and
      character), an item without an ID, a row whose items or IDs are not those
      of the catalogue, a history that is empty or longer than MiniOneRec's.
  """
  if pathlib.PurePath(category).name != category:
    raise UserError(
      f'the category is {category!r}; give what the names of its files begin'
      ' with, without a folder.'
    )
  if history < 1:
    raise UserError(f'history is {history}; give at least 1.')
  folder = files.expanded(path)
  items = _one(folder / 'index', category, '.item.json')
  index = _one(folder / 'index', category, '.index.json')
  catalog = _catalog(items, index, codes)
  _check_info(_one(folder / 'info', category, '.txt'), catalog)
  valid, test = (
    minionerec_csv.read(_one(folder / part, category, '.csv'), catalog, history)
    for part in ('valid', 'test')
  )
  train, official = _train(folder / 'train', category, catalog, history)
  name = items.name.removesuffix('.item.json')
  official = OFFICIAL_TRAIN.get(name, official)
  return NextItemData(catalog, train, valid, test, official)


def read_items(path: str | pathlib.Path) -> dict[str, tuple[str, str, str]]:
  """Returns id -> (title, text, brand) of a `.item.json`, sorted by the ids.

  Args:
    path: of the file, `{id: {"title": ..., "description": ..., ...}}`.

  Raises:
    UserError: it is missing or malformed, holds no items, or one has no title.
  """
  path = files.expanded(path)
  found = json_object.read(path)
  if not found:
    raise UserError(
      f'{path} holds no items; give a file like {{"7": {{"title": "Hex nut",'
      ' "description": "Of steel"}, ...}.'
    )
  return {
    item: _item(found[item], f'{path}: item {item}') for item in sort_ids(found)
  }


def _train(
  folder: pathlib.Path, category: str, catalog: ItemCatalog, history: int
) -> tuple[NextItems, int | None]:
  """Returns the training rows, and how many a CSV has, None without one."""
  sequences = folder / SEQUENCES
  if not _named(folder, category, '.csv') and sequences.is_file():
    return _every_prefix(sequences, catalog, history), None
  rows = minionerec_csv.read(_one(folder, category, '.csv'), catalog, history)
  return rows, len(rows)


def _named(folder: pathlib.Path, category: str, end: str) -> list[pathlib.Path]:
  """Returns the files of a category, whose name is no pattern."""
  if not folder.is_dir():
    return []
  return sorted(folder.glob(f'{glob.escape(category)}*{end}'))


def _one(folder: pathlib.Path, category: str, end: str) -> pathlib.Path:
  found = _named(folder, category, end)
  if len(found) != 1:
    raise UserError(
      f'{folder} holds {len(found)} files {category}*{end}; give the folder of'
      " MiniOneRec's files with one of them, or name the category that the"
      " file's name begins with."
    )
  return found[0]


def _catalog(
  items: pathlib.Path, index: pathlib.Path, codes: int
) -> ItemCatalog:
  found = read_items(items)
  ids = tuple(found)
  titles, texts, brands = map(tuple, zip(*found.values(), strict=True))
  codes_nl = sid_index.read(index, ids, codes)
  return ItemCatalog(ids, titles, texts, brands, codes_nl)


def _item(fields: Any, where: str) -> tuple[str, str, str]:
  """Returns title, text and brand."""
  if not isinstance(fields, dict):
    raise UserError(f'{where} is {str(fields)[:_SHOWN]!r}; give its title.')
  texts = []
  for name in ('title', 'description', 'brand'):
    value = fields.get(name) or ''
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
      value = ' '.join(value)
    if not isinstance(value, str):
      raise UserError(
        f'{where}: {name} is {str(value)[:_SHOWN]!r}; give a text.'
      )
    texts.append(value)
  title, description, brand = texts
  title = _line(title)
  if not title:
    raise UserError(
      f'{where} has no title; give it one, or leave the item out of all files.'
    )
  text = clean(f'{title} {_line(_joined(description, where))}')
  return title, text, plain(brand)


def _joined(description: str, where: str) -> str:
  """Returns a description that is a list as one text, any other as it is."""
  if not description.startswith('['):
    return description
  try:
    return ' '.join(python_list.strings(description, where))
  except UserError:
    # Free text that begins with a bracket: no list was meant.
    return description


def _line(text: str) -> str:
  return clean(html.unescape(sound(text)))


def _check_info(path: pathlib.Path, catalog: ItemCatalog) -> None:
  """Raises UserError where the text tells other items or IDs."""
  sids = sid_index.texts(catalog.codes_nl)
  seen: set[str] = set()
  for number, line in enumerate(_lines(path), 1):
    where = f'{path}:{number}'
    cells = line.split('\t')
    if len(cells) != 3:
      raise UserError(
        f'{where}: {len(cells)} fields between tabs; write ID, title and item.'
      )
    sid, _, item = cells
    if item in seen:
      raise UserError(f'{where}: item {item!r} was told before; keep one line.')
    n = minionerec_csv.known(item, catalog, where)
    minionerec_csv.check_sid(sid, n, sids, catalog, where)
    seen.add(item)
  if missing := [item for item in catalog.ids if item not in seen]:
    raise UserError(
      f'{path} lacks item {missing[0]!r} of the catalogue'
      f' ({len(missing):,} in all); give the files of one data set.'
    )


def _lines(path: pathlib.Path) -> list[str]:
  try:
    text = path.read_text(encoding='utf-8-sig')
  except (OSError, ValueError) as error:
    raise UserError(
      f'{path} cannot be read ({error}); fetch it again.'
    ) from error
  return text.removesuffix('\n').split('\n')


def _every_prefix(
  path: pathlib.Path, catalog: ItemCatalog, history: int
) -> NextItems:
  """Returns the rows of `train_sequences.json`."""
  users, sequences = [], []
  for user, sequence in json_object.read(path).items():
    where = f'{path}: user {user}'
    if not isinstance(sequence, list):
      raise UserError(
        f'{where} has {str(sequence)[:_SHOWN]!r}; give a list of items.'
      )
    users.append(user)
    sequences.append(
      [
        minionerec_csv.known(str(item), catalog, f'{where}, place {place}')
        for place, item in enumerate(sequence)
      ]
    )
  lengths = [len(sequence) for sequence in sequences]
  if max(lengths, default=0) < 2:
    raise UserError(
      f'{path} holds no user with two items, so nothing to learn from; fetch it'
      ' again.'
    )
  user_e = np.repeat(np.arange(len(users)), lengths)
  item_e = np.fromiter(itertools.chain(*sequences), np.int32, sum(lengths))
  return prefixes(users, user_e, item_e, history)[0]
