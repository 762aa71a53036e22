"""One CSV of MiniOneRec: a row a sample, its lists written as Python writes.

`user_id, history_item_title, item_title, history_item_id, item_id,
history_item_sid, item_sid`; see `minionerec`.
"""

import csv
import pathlib

from taiji_jax.data import python_list, sid_index, table_file
from taiji_jax.data.next_items import HISTORY, ItemCatalog, NextItems
from taiji_jax.errors import UserError

_USER, _TITLES = 'user_id', 'history_item_title'
_HISTORY, _ITEM = 'history_item_id', 'item_id'
_SIDS, _SID = 'history_item_sid', 'item_sid'
COLUMNS = (_USER, _TITLES, 'item_title', _HISTORY, _ITEM, _SIDS, _SID)
_SHOWN = 60


def read(path: pathlib.Path, catalog: ItemCatalog, history: int) -> NextItems:
  """Returns the rows of a file, each compared with the catalogue.

  Args:
    path: of the CSV.
    catalog: the items, with their codes.
    history: the most items of a history; of a longer one the last.

  Raises:
    UserError: a file that is missing, empty or lacks a column; a row that is
      malformed (FILE:LINE, column, character), whose items or IDs are not those
      of the catalogue, or whose history is empty or longer than `history` and
      MiniOneRec's.
  """
  _check_header(path)
  sids = sid_index.texts(catalog.codes_nl)
  users, histories, targets = [], [], []
  columns = dict.fromkeys(COLUMNS, 'the CSV')
  for where, cells in table_file.read(str(path), 'the CSV', columns, ','):
    if not cells[_USER]:
      raise UserError(f'{where}: column {_USER} is empty; fill it in.')
    target = known(cells[_ITEM], catalog, f'{where}: column {_ITEM}')
    check_sid(cells[_SID], target, sids, catalog, f'{where}: column {_SID}')
    users.append(cells[_USER])
    targets.append(target)
    histories.append(_items(cells, where, catalog, sids, history))
  return NextItems.of(users, histories, targets)


def known(item: str, catalog: ItemCatalog, where: str) -> int:
  """Returns the index of an item.

  Args:
    item: its id.
    catalog: the items.
    where: for the error.

  Raises:
    UserError: the catalogue lacks it.
  """
  if item not in catalog.index:
    raise UserError(
      f'{where}: item {item[:_SHOWN]!r} is not in the catalogue; give the files'
      ' of one data set.'
    )
  return catalog.index[item]


def check_sid(
  sid: str, n: int, sids: list[str], catalog: ItemCatalog, where: str
) -> None:
  """Returns if the index gives item n that ID.

  Args:
    sid: the text of the ID.
    n: the item.
    sids: the texts of all IDs.
    catalog: the items.
    where: for the error.

  Raises:
    UserError: it gives another.
  """
  if sid != sids[n]:
    raise UserError(
      f'{where}: ID {sid[:_SHOWN]!r} of item {catalog.ids[n]!r}, which the'
      f' index calls {sids[n]!r}; give the files of one data set.'
    )


def _check_header(path: pathlib.Path) -> None:
  try:
    with path.open(encoding='utf-8-sig', newline='') as stream:
      header = next(csv.reader(stream), [])
  except (OSError, ValueError, csv.Error):
    # `table_file` tells what is wrong with the file.
    return
  for column in COLUMNS:
    if header and header.count(column) != 1:
      raise UserError(
        f'{path}:1: column {column!r} occurs {header.count(column)} times'
        f" among {header}; MiniOneRec's CSVs have {', '.join(COLUMNS)}, once"
        ' each.'
      )


def _items(
  cells: dict[str, str],
  where: str,
  catalog: ItemCatalog,
  sids: list[str],
  history: int,
) -> list[int]:
  """Returns the last items of a row's three lists, which must agree."""
  at = {name: f'{where}: column {name}' for name in (_TITLES, _HISTORY, _SIDS)}
  items = [
    known(str(item), catalog, at[_HISTORY])
    for item in python_list.integers(cells[_HISTORY], at[_HISTORY])
  ]
  told = python_list.strings(cells[_SIDS], at[_SIDS])
  titles = python_list.strings(cells[_TITLES], at[_TITLES])
  for name, others in ((_SIDS, told), (_TITLES, titles)):
    if len(others) != len(items):
      raise UserError(
        f'{at[name]}: {len(others)} elements where {_HISTORY} has'
        f' {len(items)}; correct the row.'
      )
  longest = max(history, HISTORY)
  if not 0 < len(items) <= longest:
    raise UserError(
      f'{at[_HISTORY]}: a history of {len(items)} items; give 1 to {longest},'
      ' the last ones.'
    )
  for sid, item in zip(told, items, strict=True):
    check_sid(sid, item, sids, catalog, at[_SIDS])
  return items[-history:]
