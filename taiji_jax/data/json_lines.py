"""JSON lines, gzipped or not, one object a line."""

from collections.abc import Iterator
import gzip
import json
from typing import Any
import zlib

from taiji_jax import files
from taiji_jax.errors import UserError

_GZIP = b'\x1f\x8b'
# Bytes of a line; a small gzip may hold one of gigabytes.
_LONGEST = 1 << 24


def read(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
  """Yields (line number from 1, object) of every line that is not blank.

  Whether the file is gzipped is read from its first bytes, not from its name.
  One line is held at a time.

  Args:
    path: a file of UTF-8 text.

  Raises:
    UserError: no file there, a damaged gzip, or a line that holds no JSON
      object, with FILE:LINE.
  """
  file = files.expanded(path)
  if not file.is_file():
    raise UserError(f'{file} is no file; give the path of the JSON lines.')
  number = 0
  try:
    with file.open('rb') as raw:
      zipped = raw.read(len(_GZIP)) == _GZIP
      raw.seek(0)
      stream = gzip.GzipFile(fileobj=raw) if zipped else raw
      lines = iter(lambda: stream.readline(_LONGEST + 1), b'')
      for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST:
          raise UserError(
            f'{file}:{number}: the line is longer than {_LONGEST:,} bytes; give'
            ' one JSON object a line.'
          )
        if line.strip():
          yield number, _object(line, f'{file}:{number}')
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise UserError(
      f'{file}:{number + 1}: the gzip is damaged or cut short ({error}); fetch'
      ' the file again.'
    ) from error
  except OSError as error:
    raise UserError(
      f'{file} cannot be read ({error.strerror}); check the disk and the'
      " file's permissions."
    ) from error


def _object(line: bytes, where: str) -> dict[str, Any]:
  try:
    value = json.loads(line.decode('utf-8-sig'))
  except UnicodeDecodeError as error:
    raise UserError(
      f'{where}: byte {error.start} of the line is not UTF-8; fetch the file'
      ' again or convert it.'
    ) from error
  except (ValueError, RecursionError) as error:
    raise UserError(
      f'{where}: the line is not JSON ({error}); fetch the file again or'
      ' remove the line.'
    ) from error
  if not isinstance(value, dict):
    raise UserError(
      f'{where}: the line holds {type(value).__name__}, not an object; give'
      ' one JSON object a line.'
    )
  return value
