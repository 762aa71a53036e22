"""jinja's sandbox for a chat template, its steps and what it makes counted.

jinja keeps a template from files and code; here every turn of a loop is
counted, and every text and list is measured before or as it is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import datetime
import functools
import json
import math
import re
import time
from typing import Any

import jinja2
from jinja2 import ext, filters, utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

from taiji_jax.data.chat_syntax import Generation, Measured, check_name

MOST_TEXT = 1 << 20
"""Letters of one text that it makes, beside four times the messages'."""
MOST_IN_ALL = 64
"""So many times that, all texts that it makes together."""
MOST_STEPS = 100_000
"""Turns of its loops and calls of its macros."""
MOST_SECONDS = 10.0

_MOST_ITEMS = 10_000
_MOST_BITS = 1024
_MOST_INDENT = 64
# What makes a text or a list as long as a number says.
_ENDLESS_FILTERS = (
  'batch', 'center', 'pprint', 'slice', 'sum', 'urlize', 'wordwrap', 'xmlattr',
)  # fmt: skip
_ENDLESS_METHODS = (
  'center', 'encode', 'expandtabs', 'format_map', 'ljust', 'maketrans',
  'rjust', 'translate', 'zfill',
)  # fmt: skip
_GLOBALS = ('cycler', 'joiner', 'lipsum')
# A width of a format, or one that is itself an argument.
_WIDE = re.compile(r'\d{4}|\*|\{[^{}]*\{')


class TooMuch(jinja2.TemplateError):
  """The template goes on, or writes, beyond the bounds."""


class ChatEnvironment(ImmutableSandboxedEnvironment):
  """jinja's, with what transformers adds to it, and measured."""

  intercepted_binops = frozenset(('*', '**', '%', '+'))

  def __init__(self):
    super().__init__(
      trim_blocks=True,
      lstrip_blocks=True,
      extensions=[ext.loopcontrols, Generation],
    )
    self.begin(0)
    self.filters |= {
      'format': _format,
      'indent': self._indent,
      'join': self._join,
      'replace': self._replace,
      'tojson': _to_json,
    }
    for name in _ENDLESS_FILTERS:
      del self.filters[name]
    for name, own in self.filters.items():
      self.filters[name] = self._measuring(own)
    for name in _GLOBALS:
      del self.globals[name]
    self.globals |= {
      'dict': lambda *args, **values: dict(*args, **values),
      'namespace': _namespace,
      'raise_exception': _raise,
      'range': self._range,
      'strftime_now': lambda form: datetime.datetime.now().strftime(form),
    }

  def begin(self, given: int) -> None:
    """Starts to measure a conversation of so many letters."""
    self._most = MOST_TEXT + 4 * given
    self._letters = MOST_IN_ALL * self._most
    self._steps = MOST_STEPS
    self._until = time.monotonic() + MOST_SECONDS

  def step(self) -> None:
    """Counts one turn of a loop, or one call of a macro."""
    self._steps -= 1
    if self._steps < 0:
      raise TooMuch(f'it takes more than {MOST_STEPS} steps')
    if time.monotonic() > self._until:
      raise TooMuch(f'it takes more than {MOST_SECONDS:g} seconds')

  def concat(self, parts: Iterable[str]) -> str:
    """Returns the parts of a block, or of all that is written, as one text."""
    found, length = [], 0
    for part in parts:
      length += len(part)
      self._check_length(length)
      found.append(part)
    self._letters -= length
    return ''.join(found)

  def joined(self, *parts: Any) -> str:
    """Returns `a ~ b ~ ...`."""
    return self.concat(map(str, parts))

  def held(self, value: Any) -> Any:
    """Returns what was made, once all that it holds is counted."""
    if isinstance(value, str):
      self._check_length(len(value))
      self._letters -= len(value)
      return value
    items, letters, todo = 0, 0, [value]
    while todo:
      one = todo.pop()
      if isinstance(one, str):
        letters += len(one)
      elif isinstance(one, Mapping):
        items += len(one)
        todo += [*one, *one.values()]
      elif isinstance(one, list | tuple | set | frozenset):
        items += len(one)
        todo += one
      self._check_items(items)
      self._check_length(letters)
    return value

  def call(self, *args: Any, **values: Any) -> Any:
    return self.held(super().call(*args, **values))

  def call_binop(
    self, context: Any, operator: str, left: Any, right: Any
  ) -> Any:
    if operator == '*':
      self._check_product(left, right)
    elif operator == '**':
      _check_bits(_bits(left) * max(1, abs(right)))
    elif operator == '%' and isinstance(left, str):
      _check_format(left)
    elif isinstance(left, str) and isinstance(right, str):
      self._check_length(len(left) + len(right))
    return self.held(super().call_binop(context, operator, left, right))

  def getattr(self, obj: Any, attribute: str) -> Any:
    return self._of_text(obj, attribute) or super().getattr(obj, attribute)

  def getitem(self, obj: Any, argument: Any) -> Any:
    return self._of_text(obj, argument) or super().getitem(obj, argument)

  def _parse(self, source: str, name: str | None, filename: str | None):
    tree = Measured().visit(super()._parse(source, name, filename))
    return tree.set_environment(self)

  def _of_text(self, obj: Any, name: Any) -> Callable[..., Any] | None:
    """Returns the measured method of a text, None where it is harmless."""
    if not isinstance(obj, str):
      return None
    if name in _ENDLESS_METHODS:
      raise TooMuch(f'it calls {name} of a text, which is not known here')
    if name == 'format':
      _check_format(obj)
    if name == 'join':
      return lambda items: self._join(items, obj)
    if name == 'replace':
      return functools.partial(self._replace, obj)
    return None

  def _measuring(self, own: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a filter whose text is counted."""

    @functools.wraps(own)
    def measured(*args: Any, **values: Any) -> Any:
      found = own(*args, **values)
      return self.held(found) if isinstance(found, str) else found

    return measured

  def _join(
    self, items: Iterable[Any], between: Any = '', attribute: Any = None
  ) -> str:
    if attribute is not None:
      items = [self.getitem(item, attribute) for item in items]
    parts: list[str] = []
    for item in items:
      parts += [str(between), str(item)] if parts else [str(item)]
      self._check_items(len(parts) // 2)
    return self.concat(parts)

  def _replace(
    self, text: Any, old: Any, new: Any, count: int | None = None
  ) -> str:
    text, old, new = str(text), str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    self._check_length(len(text) + times * len(new))
    return text.replace(old, new, -1 if count is None else count)

  def _indent(
    self, text: Any, width: int | str = 4, first: bool = False, *args: Any
  ) -> str:
    text = str(text)
    size = width if isinstance(width, int) else len(width)
    if size > _MOST_INDENT:
      raise TooMuch(f'it indents by more than {_MOST_INDENT}')
    self._check_length(len(text) + (text.count('\n') + 1) * size)
    return filters.do_indent(text, width, first, *args)

  def _range(self, *args: int) -> range:
    found = range(*args)
    self._check_items(len(found))
    return found

  def _check_product(self, left: Any, right: Any) -> None:
    for one, times in ((left, right), (right, left)):
      if not isinstance(times, int):
        continue
      if isinstance(one, str):
        self._check_length(len(one) * times)
      elif isinstance(one, list | tuple):
        self._check_items(len(one) * times)
    _check_bits(_bits(left) + _bits(right))

  def _check_length(self, length: int) -> None:
    if length > self._most or length > self._letters:
      raise TooMuch(f'it writes more than {self._most} letters')

  def _check_items(self, count: int) -> None:
    if count > _MOST_ITEMS:
      raise TooMuch(f'it makes a list of more than {_MOST_ITEMS} items')


def _bits(value: Any) -> int:
  return value.bit_length() if isinstance(value, int) else 0


def _check_bits(bits: float) -> None:
  if not bits <= _MOST_BITS:
    raise TooMuch(f'it makes a number of more than {_MOST_BITS} bits')


def _check_format(text: str) -> None:
  if _WIDE.search(text):
    raise TooMuch('it formats to a width of thousands, or of an argument')


def _format(text: Any, *args: Any, **values: Any) -> str:
  _check_format(str(text))
  return filters.do_format(text, *args, **values)


def _to_json(
  value: Any,
  ensure_ascii: bool = False,
  indent: int | None = None,
  separators: Sequence[str] | None = None,
  sort_keys: bool = False,
) -> str:
  """Returns JSON as transformers has it, without escapes of HTML."""
  if not -math.inf < (indent or 0) <= _MOST_INDENT:
    raise TooMuch(f'it indents by more than {_MOST_INDENT}')
  return json.dumps(
    value,
    ensure_ascii=ensure_ascii,
    indent=indent,
    separators=separators and tuple(separators),
    sort_keys=sort_keys,
  )


def _raise(message: str) -> None:
  raise jinja2.TemplateError(message)


def _namespace(*args: Any, **values: Any) -> utils.Namespace:
  found = dict(*args, **values)
  for name in found:
    check_name(name)
  return utils.Namespace(found)
