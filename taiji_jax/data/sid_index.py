"""Semantic IDs in files: MiniOneRec's `.index.json` and the text of one ID.

An ID is L codes, a token each: '<a_12><b_0><c_255>'. The letter is the level's,
so that no token means two things. https://arxiv.org/abs/2510.24431
"""

from collections.abc import Sequence
import pathlib
import re
import string
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.data import json_object
from taiji_jax.errors import UserError

LETTERS = string.ascii_lowercase
"""The letter of each level: at most 26 levels."""
CODES = 256
"""Codes of a level where nothing else is said."""
_TOKEN = re.compile(r'<([a-z])_(0|[1-9][0-9]{0,8})>')
_SHOWN = 60


def tokens(codes_l: Sequence[int]) -> list[str]:
  """Returns the tokens of one ID.

  >>> tokens((12, 0, 255))
  ['<a_12>', '<b_0>', '<c_255>']

  Args:
    codes_l: at most 26 codes, each at least 0.
  """
  if len(codes_l) > len(LETTERS):
    raise UserError(
      f'an ID of {len(codes_l)} codes has no letters; give at most'
      f' {len(LETTERS)} levels.'
    )
  return [
    f'<{letter}_{int(code)}>'
    for letter, code in zip(LETTERS, codes_l, strict=False)
  ]


def texts(codes_nl: np.ndarray) -> list[str]:
  """Returns the text of each ID, its tokens joined.

  Args:
    codes_nl: int `[N, L]`.
  """
  return [''.join(tokens(codes_l)) for codes_l in codes_nl.tolist()]


def read(
  path: str | pathlib.Path, ids: Sequence[str], codes: int = CODES
) -> np.ndarray:
  """Returns the codes of the items, int32 `[N, L]`.

  Args:
    path: of the `.index.json`: `{item: [token, ...]}`.
    ids: the items of the catalogue, N of them.
    codes: K, of each level; a code is below it.

  Returns:
    Row n is the ID of `ids[n]`; two items may have the same.

  Raises:
    UserError: a file that is none, an item without an ID, an ID of no item of
      the catalogue, a malformed token, a code out of range, or IDs of different
      lengths.
  """
  path = files.expanded(path)
  found = json_object.read(path)
  if missing := [item for item in ids if item not in found]:
    raise UserError(
      f'{path} has no ID for {_some(missing)} of the catalogue; quantise the'
      ' new items, or leave them out of the catalogue.'
    )
  if unknown := found.keys() - set(ids):
    raise UserError(
      f'{path} has an ID for {_some(sorted(unknown))}, which the catalogue'
      ' lacks; give the index and the catalogue of one data set.'
    )
  codes_nl = [
    _codes(found[item], f'{path}: item {item}', codes) for item in ids
  ]
  levels = len(codes_nl[0])
  for item, codes_l in zip(ids, codes_nl, strict=True):
    if len(codes_l) != levels:
      raise UserError(
        f'{path}: item {item} has {len(codes_l)} codes and item {ids[0]}'
        f' {levels}; give all items as many levels.'
      )
  return np.array(codes_nl, np.int32)


def write(path: pathlib.Path, ids: Sequence[str], codes_nl: np.ndarray) -> None:
  """Returns once the file holds the IDs, as `read` reads them.

  Args:
    path: of the `.index.json`; its folder exists.
    ids: the items, N of them.
    codes_nl: int `[N, L]`.
  """
  rows = zip(ids, codes_nl.tolist(), strict=True)
  files.write_json(path, {item: tokens(codes_l) for item, codes_l in rows})


def _codes(value: Any, where: str, codes: int) -> list[int]:
  if not isinstance(value, list) or not value:
    raise UserError(
      f'{where} has {str(value)[:_SHOWN]!r}; give a list of tokens, as'
      ' ["<a_12>", "<b_0>"].'
    )
  return [
    _code(token, level, where, codes) for level, token in enumerate(value)
  ]


def _code(token: Any, level: int, where: str, codes: int) -> int:
  match = _TOKEN.fullmatch(token) if isinstance(token, str) else None
  letter = LETTERS[level] if level < len(LETTERS) else None
  if not match or match[1] != letter:
    raise UserError(
      f'{where}: token {str(token)[:_SHOWN]!r} of level {level + 1} is not'
      f" <{letter}_CODE>; write the level's letter and a whole number."
    )
  code = int(match[2])
  if code >= codes:
    raise UserError(
      f'{where}: code {code} of level {level + 1} is out of range; it must be'
      f' below {codes}: give the index of this code space, or raise the number'
      ' of codes.'
    )
  return code


def _some(items: Sequence[str]) -> str:
  shown = ', '.join(items[:3])
  more = f' and {len(items) - 3:,} more' if len(items) > 3 else ''
  return f'item{"s" if len(items) > 1 else ""} {shown}{more}'
