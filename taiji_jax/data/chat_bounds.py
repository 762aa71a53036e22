"""What one operation of a chat template would make, told before it is made."""

from collections.abc import Iterable, Mapping
import re
from typing import Any

import jinja2

_MOST_BITS = 1024
_MOST_NEEDLE = 1000
# Letters of a number, however it is spelled, and of one letter that is escaped.
_NUMBER, _ESCAPED = 400, 10
# Of a format: the most that a width below adds.
_WIDTH = 1000
# A width of a format, or one that is itself an argument.
_WIDE = re.compile(r'\d{4}|\*|\{[^{}]*\{')
# Conversions that escape letters.
_ESCAPING = re.compile(
  r'!|%(?:\([^)]*\))?[-#0 +]*[0-9]*(?:[.][0-9]*)?[hlL]?[ra]'
)


class TooMuch(jinja2.TemplateError):
  """The template goes on, or writes, beyond the bounds."""


def bits(value: Any) -> int:
  """Returns the bits of a whole number, 0 of anything else."""
  return value.bit_length() if isinstance(value, int) else 0


def check_bits(count: float) -> None:
  """Raises TooMuch where a number has so many bits."""
  if not count <= _MOST_BITS:
    raise TooMuch(f'it makes a number of more than {_MOST_BITS} bits')


def check_needle(values: Iterable[Any]) -> None:
  """Raises TooMuch where a long text is looked for.

  From the end, or letter by letter, the time grows with both lengths.
  """
  for one in values:
    if isinstance(one, str) and len(one) > _MOST_NEEDLE:
      raise TooMuch(f'it looks for a text of more than {_MOST_NEEDLE} letters')


def formatted(text: str, values: Iterable[Any]) -> int:
  """Returns the most letters that a format may make of the values.

  Args:
    text: of `%` or `str.format`.
    values: those it may name; each of its places may hold the longest.

  Raises:
    TooMuch: it has a width of thousands, or a value is no text, number or list.
  """
  if _WIDE.search(text):
    raise TooMuch('it formats to a width of thousands, or of an argument')
  places = text.count('{') + text.count('%')
  times = _ESCAPED if _ESCAPING.search(text) or _escapes(text) else 1
  longest = max(map(_spelled, values), default=0)
  return len(text) + places * (times * longest + _WIDTH)


def _escapes(text: Any) -> bool:
  """Returns whether what is put into the text is escaped for HTML."""
  return hasattr(text, '__html__')


def _spelled(value: Any) -> int:
  """Returns the most letters of a value as text."""
  if isinstance(value, str):
    return len(value)
  letters, todo = 0, [value]
  while todo:
    one = todo.pop()
    letters += _NUMBER
    if isinstance(one, str):
      letters += _ESCAPED * len(one)
    elif isinstance(one, Mapping):
      todo += [*one, *one.values()]
    elif isinstance(one, list | tuple | set | frozenset):
      todo += one
    elif one is not None and not isinstance(
      one, int | float | jinja2.Undefined
    ):
      raise TooMuch('it formats what is no text, number or list')
  return letters
