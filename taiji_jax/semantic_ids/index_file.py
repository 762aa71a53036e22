"""MiniOneRec's `.index.json`: `{item: ["<a_12>", "<b_3>", "<c_7>"]}`."""

from collections.abc import Sequence
import dataclasses
import json
import os
import pathlib
import re
import string
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import keys

_TOKEN = re.compile(r'<([a-z])_(0|[1-9][0-9]{0,8})>')
_REMEDY = 'give a file like {"0": ["<a_12>", "<b_3>", "<c_7>"], ...}'
_SHOWN = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
  """The IDs of a catalogue.

  Attributes:
    item_ids: the items, in the order of the rows.
    code_nl: int32 in [0, K).
    codes: K, the codes of a level.
  """

  item_ids: tuple[str, ...]
  code_nl: np.ndarray
  codes: int

  def shared(self) -> list[tuple[str, ...]]:
    """Returns the items of each ID that several have."""
    groups = keys.groups(keys.of(self.code_nl, self.codes))
    return [tuple(self.item_ids[n] for n in rows) for rows in groups]


def tokens(code_l: Sequence[int]) -> list[str]:
  """Returns the codes of an ID as they are written.

  Args:
    code_l: of one item.

  >>> tokens([12, 3])
  ['<a_12>', '<b_3>']
  """
  return [
    f'<{string.ascii_lowercase[level]}_{int(code)}>'
    for level, code in enumerate(code_l)
  ]


def write(
  path: str | os.PathLike[str], item_ids: Sequence[str], code_nl: np.ndarray
) -> None:
  """Returns once the file holds the IDs, all of them.

  Args:
    path: of the file; its folder exists.
    item_ids: of the rows, unique.
    code_nl: int, at least 0; at most 26 levels.

  Raises:
    UserError: there is no item, one comes twice, the numbers of items and IDs
      differ, or the file can't be written.
  """
  code_nl = keys.check(code_nl, 1 << 30, 'the IDs')
  if not len(item_ids):
    raise UserError(f"'{path}' would hold no item; give at least one item.")
  if len(item_ids) != len(code_nl) or code_nl.shape[1] > 26:
    raise UserError(
      f'there are {len(item_ids)} items and IDs of the shape {code_nl.shape};'
      ' give a row for each item and at most 26 levels.'
    )
  index = {
    str(item): tokens(code_l)
    for item, code_l in zip(item_ids, code_nl, strict=True)
  }
  if len(index) < len(item_ids):
    raise UserError(
      f'{len(item_ids) - len(index)} items come twice; give each item once.'
    )
  files.write_text(pathlib.Path(path), json.dumps(index) + '\n')


def read(
  path: str | os.PathLike[str],
  item_ids: Sequence[str] | None = None,
  *,
  codes: int | None = None,
  unique: bool = False,
) -> Index:
  """Returns the IDs of a file.

  Args:
    path: of the file.
    item_ids: the catalogue, whose order the rows have; None for the items of
      the file in its order. Items of the file that it lacks are left out.
    codes: K; None for the least number of codes that the file fits.
    unique: whether IDs that several items have are refused.

  Raises:
    UserError: the file is missing or malformed, an item has no ID, a code is
      out of range, or an ID is shared and `unique`.
  """
  path = pathlib.Path(path)
  index = _read(path)
  names = tuple(index) if item_ids is None else tuple(map(str, item_ids))
  if missing := [name for name in names if name not in index]:
    raise UserError(
      f"'{path}' has no ID for {len(missing)} of {len(names)} items (first"
      f' {missing[0]!r}); give them IDs with semantic_ids.identify, or take the'
      ' file of this catalogue.'
    )
  if not names:
    raise UserError(f"'{path}' holds no item; {_REMEDY}.")
  rows = [_codes(path, name, index[name]) for name in names]
  levels = len(rows[0])
  for name, row in zip(names, rows, strict=True):
    if len(row) != levels:
      raise UserError(
        f"'{path}': item {name!r} has {len(row)} codes, item {names[0]!r}"
        f' {levels}; all IDs are equally long.'
      )
  code_nl = np.array(rows, np.int64)
  codes = int(code_nl.max()) + 1 if codes is None else codes
  code_nl = keys.check(code_nl, codes, f"the IDs of '{path}'")
  found = Index(names, code_nl, codes)
  if unique and (shared := found.shared()):
    shown = '; '.join(', '.join(group[:_SHOWN]) for group in shared[:_SHOWN])
    raise UserError(
      f"'{path}': {len(shared)} IDs have several items ({shown}); part them by"
      ' semantic_ids.collisions.repair, or take them as they are with'
      ' unique=False.'
    )
  return found


def _read(path: pathlib.Path) -> dict[str, Any]:
  """Returns the object of the file, whose names are unique."""

  def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
      names = [name for name, _ in pairs]
      twice = next(name for name in names if names.count(name) > 1)
      raise ValueError(f'item {twice!r} comes twice')
    return found

  try:
    text = path.read_text('utf-8')
    index = json.loads(text, object_pairs_hook=once)
    if not isinstance(index, dict):
      raise ValueError('it holds no JSON object')
  except (OSError, ValueError, RecursionError) as error:
    raise UserError(
      f"'{path}' can't be read ({files.reason(error)}); {_REMEDY}."
    ) from error
  return index


def _codes(path: pathlib.Path, name: str, value: Any) -> list[int]:
  """Returns the codes of one item."""
  if not isinstance(value, list) or not value:
    raise UserError(f"'{path}': item {name!r} has {value!r:.80}; {_REMEDY}.")
  found = []
  for level, token in enumerate(value):
    match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    letter = string.ascii_lowercase[level] if level < 26 else None
    if match is None or match[1] != letter:
      raise UserError(
        f"'{path}': item {name!r} has {token!r:.40} on level {level}; write"
        f' <{letter}_NUMBER> there, or give at most 26 levels.'
      )
    found.append(int(match[2]))
  return found
