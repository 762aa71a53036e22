"""A file that holds one JSON object, no key of it twice."""

import json
import pathlib
from typing import Any

from taiji_jax.errors import UserError


def read(path: pathlib.Path) -> dict[str, Any]:
  """Returns the object of a file.

  JSON readers keep the last of two equal keys and say nothing; here two are
  refused, at whatever depth.

  Args:
    path: of a file in UTF-8.

  Raises:
    UserError: no file there, no JSON, no object, or a key given twice.
  """
  try:
    text = path.read_text(encoding='utf-8-sig')
    value = json.loads(text, object_pairs_hook=_unique)
  except _TwiceError as error:
    raise UserError(
      f'{path} gives the key {error.args[0]!r} twice in one object; keep one of'
      ' the two.'
    ) from error
  except RecursionError as error:
    raise UserError(
      f'{path} is nested too deeply to be read; fetch it again.'
    ) from error
  except (ValueError, OSError) as error:
    raise UserError(
      f'{path} cannot be read as JSON ({error}); fetch it again.'
    ) from error
  if not isinstance(value, dict):
    raise UserError(
      f'{path} holds {type(value).__name__}, not an object; give a file with'
      ' one JSON object.'
    )
  return value


class _TwiceError(Exception):
  """A key that an object has twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):
    seen: set[str] = set()
    for key, _ in pairs:
      if key in seen:
        raise _TwiceError(key)
      seen.add(key)
  return found
