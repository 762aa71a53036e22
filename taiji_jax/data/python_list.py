"""Lists as Python writes them in a text, read strictly and never evaluated.

Only what `repr` writes of a list of texts, or of integers, is a list: one pair
of brackets, commas between the elements, none behind the last.
"""

from collections.abc import Callable
import re
from typing import TypeVar

from taiji_jax.data.plain import sound
from taiji_jax.errors import UserError

_STRING = re.compile(
  r"'([^'\\\n\r]*(?:\\.[^'\\\n\r]*)*)'"
  r'|"([^"\\\n\r]*(?:\\.[^"\\\n\r]*)*)"'
)
_INTEGER = re.compile(r'0|[1-9][0-9]{0,17}')
_SPACE = re.compile(r' *')
_ESCAPE = re.compile(
  r'\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|'
  r'0010[0-9a-fA-F]{4})|(.?))',
  re.DOTALL,
)
_PLAIN = {'\\': '\\', "'": "'", '"': '"', 'n': '\n', 'r': '\r', 't': '\t'}
_SHOWN = 20

_T = TypeVar('_T')


class _EscapeError(Exception):
  """An escape that `repr` does not write; `args` is its place in the text."""


def strings(text: str, where: str) -> list[str]:
  r"""Returns the texts of a list.

  >>> strings('[\'Nut, 1/4"\', "O\'Ring"]', 'x.csv:2: column title')
  ['Nut, 1/4"', "O'Ring"]

  Args:
    text: the list; escapes are those of `repr`.
    where: 'FILE:LINE: column NAME', for errors.

  Raises:
    UserError: it is no such list; the error says at which character.
  """
  return _elements(text, where, _string, "['a', 'b']")


def integers(text: str, where: str) -> list[int]:
  """Returns the numbers of a list, each 0 or more and below 10^18.

  >>> integers('[3112, 4]', 'x.csv:2: column item_id')
  [3112, 4]

  Args:
    text: the list.
    where: 'FILE:LINE: column NAME', for errors.

  Raises:
    UserError: it is no such list; the error says at which character.
  """
  return _elements(text, where, _integer, '[1, 2]')


def _elements(
  text: str,
  where: str,
  read: Callable[[str, int], tuple[_T, int] | None],
  example: str,
) -> list[_T]:
  def refuse(at: int, wanted: str) -> UserError:
    found = text[at : at + _SHOWN]
    told = repr(found) if found else 'the end'
    return UserError(
      f'{where}, character {at + 1}: {told} stands where {wanted} must; write'
      f' the list as Python does, {example}.'
    )

  at = _skip(text, 0)
  if text[at : at + 1] != '[':
    raise refuse(at, "'['")
  at = _skip(text, at + 1)
  found: list[_T] = []
  while found or text[at : at + 1] != ']':
    try:
      element = read(text, at)
    except _EscapeError as error:
      raise refuse(error.args[0], 'an escape of a character') from error
    if element is None:
      raise refuse(at, 'an element')
    value, at = element
    found.append(value)
    at = _skip(text, at)
    if text[at : at + 1] == ']':
      break
    if text[at : at + 1] != ',':
      raise refuse(at, "',' or ']'")
    at = _skip(text, at + 1)
  at = _skip(text, at + 1)
  if at < len(text):
    raise refuse(at, 'the end')
  return found


def _skip(text: str, at: int) -> int:
  return _SPACE.match(text, at).end()


def _integer(text: str, at: int) -> tuple[int, int] | None:
  match = _INTEGER.match(text, at)
  return match and (int(match[0]), match.end())


def _string(text: str, at: int) -> tuple[str, int] | None:
  match = _STRING.match(text, at)
  if not match:
    return None
  group = 1 if match[1] is not None else 2
  start = match.start(group)

  def character(escape: re.Match) -> str:
    *codes, plain = escape.groups()
    for code in codes:
      if code:
        return chr(int(code, 16))
    if plain not in _PLAIN:
      raise _EscapeError(start + escape.start())
    return _PLAIN[plain]

  return sound(_ESCAPE.sub(character, match[group])), match.end()
