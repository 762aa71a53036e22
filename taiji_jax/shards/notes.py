"""What stands beside a shard: of which job it is, and what it holds."""

from collections.abc import Mapping
import dataclasses
import pathlib
import re
import reprlib
from typing import Any

from taiji_jax.errors import UserError

SUFFIX = '.array_record'
"""Ends the name of a shard."""

_NAME = re.compile(r'\w[^/\\\x00-\x1f\x7f]*' + re.escape(SUFFIX))
_SHA256 = re.compile('[0-9a-f]{64}')
# More rows, records or bytes has no shard.
_MOST = 1 << 53
# What differs is shown in so many letters.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80


@dataclasses.dataclass(frozen=True)
class Shard:
  """What the note says of one shard.

  Attributes:
    file: its name, without the folder.
    first_row: of its block.
    rows: of its block; a row without a record counts.
    records: how many it holds.
    kept: how many of them are kept.
    bytes: its size.
    sha256: of the whole file.
  """

  file: str
  first_row: int
  rows: int
  records: int
  kept: int
  bytes: int
  sha256: str


def file_name(prefix: str, index: int, count: int) -> str:
  """Returns the name of shard `index` of `count`."""
  return f'{prefix}-{index:05d}-of-{count:05d}{SUFFIX}'


def name_of(file: str) -> str:
  """Returns the name of a shard's note."""
  return file.removesuffix(SUFFIX) + '.json'


def pattern(prefix: str) -> str:
  """Returns the pattern of the names of all notes of a job."""
  return f'{prefix}-*-of-*.json'


def refuse_other_job(
  path: pathlib.Path | str, note: Mapping[str, Any], stamp: Mapping[str, Any]
) -> None:
  """Raises UserError where the note is not of the job with this stamp."""
  if wrong := _differences({k: note.get(k) for k in stamp}, stamp):
    raise UserError(
      f'{path} is of another job: {"; ".join(wrong)}. Give a new folder, or'
      ' delete this one to begin anew.'
    )


def _differences(
  found: Mapping[str, Any], wanted: Mapping[str, Any], where: str = ''
) -> list[str]:
  """Returns what differs, the innermost key of each difference."""
  wrong = []
  for key in sorted(found.keys() | wanted.keys()):
    a, b = found.get(key), wanted.get(key)
    if isinstance(a, dict) and isinstance(b, dict):
      wrong += _differences(a, b, f'{where}{key}.')
    elif a != b:
      there, now = _SHOWN.repr(a), _SHOWN.repr(b)
      wrong.append(f'{where}{key} is {there} there and {now} now')
  return wrong


def shard_of(path: pathlib.Path, values: Mapping[str, Any]) -> Shard:
  """Returns the shard that a note or a manifest's row at `path` describes.

  Raises:
    UserError: a field is missing, or is what it can't be.
  """
  if not isinstance(values, Mapping):
    raise UserError(
      f'{path} says {_SHOWN.repr(values)} where a shard belongs; delete it and'
      ' run the job again.'
    )
  try:
    found = {f.name: values[f.name] for f in dataclasses.fields(Shard)}
  except KeyError as error:
    raise UserError(
      f'{path} lacks {error}; delete it and run the job again.'
    ) from error
  patterns = {'file': _NAME, 'sha256': _SHA256}
  for name, value in found.items():
    if name in patterns:
      fits = isinstance(value, str) and patterns[name].fullmatch(value)
    else:
      fits = type(value) is int and 0 <= value <= _MOST
    if not fits:
      raise UserError(
        f'{path} says {name} {_SHOWN.repr(value)}, which no shard has; delete'
        ' it and run the job again.'
      )
  if found['kept'] > found['records']:
    raise UserError(
      f'{path} says that {found["kept"]} of {found["records"]} records are'
      ' kept; delete it and run the job again.'
    )
  return Shard(**found)
