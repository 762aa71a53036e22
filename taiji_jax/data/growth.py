"""How much longer a text becomes in a tokenizer.json, before it is loaded."""

import base64
from collections.abc import Iterator, Mapping
import math
import pathlib
import struct
from typing import Any

from taiji_jax import files

MOST = 1 << 10
"""Times as long; those of real models make it 2 to 70."""

_TO_IDS, _TO_TEXT = ('normalizer', 'pre_tokenizer'), ('decoder',)


def check(path: pathlib.Path) -> None:
  """Raises ValueError where a text may become beyond all reason longer.

  Replacements in a row multiply; the library would take all memory, and abort
  the process, with the first text or already with an added token.

  Args:
    path: a tokenizer.json.
  """
  values = files.parse_json(path.read_bytes())
  if not isinstance(values, dict):
    raise ValueError('it holds no JSON object')
  for names in (_TO_IDS, _TO_TEXT):
    parts = [part for name in names for part in _parts(values.get(name))]
    factors = [_factor(part) for part in parts]
    # A sum of logarithms, for the product may be no number.
    if sum(map(math.log, factors)) > math.log(MOST):
      largest = parts[factors.index(max(factors))]
      raise ValueError(
        f'its {" and ".join(names)} may make a text more than {MOST} times as'
        f' long, as by {str(dict(largest)):.60}'
      )


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
  """Yields every object in it, those that hold others as well."""
  todo = [value]
  while todo:
    one = todo.pop()
    if isinstance(one, dict):
      yield one
      todo += one.values()
    elif isinstance(one, list):
      todo += one


def _factor(part: Mapping[str, Any]) -> float:
  """Returns how many times as long one step may make a text, at least 1.

  It is told by the fields, for older files leave out the type.
  """
  factor = 1.0
  content, pattern = part.get('content'), part.get('pattern')
  if isinstance(content, str) and isinstance(pattern, dict):
    fixed = pattern.get('String')
    # A regular expression may match a letter, or between any two.
    factor = (
      len(content) / max(len(fixed), 1)
      if isinstance(fixed, str)
      else len(content) + 1
    )
  for name in ('prepend', 'replacement', 'prefix', 'suffix'):
    # In front of a text, or of each of its parts, of a letter at least.
    if isinstance(part.get(name), str):
      factor = max(factor, len(part[name]) + 1)
  if part.get('add_prefix_space'):
    factor = max(factor, 2)
  if part.get('handle_chinese_chars'):
    factor = max(factor, 3)
  if isinstance(part.get('precompiled_charsmap'), str):
    factor = max(factor, _longest(part['precompiled_charsmap']))
  return max(factor, 1.0)


def _longest(charsmap: str) -> int:
  """Returns the bytes of the longest text that a letter is replaced by."""
  try:
    raw = base64.b64decode(charsmap)
    (size,) = struct.unpack_from('<I', raw)
  except (ValueError, struct.error):
    return 1  # The library refuses it.
  return max(map(len, raw[4 + size :].split(b'\0')))
