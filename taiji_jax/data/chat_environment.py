"""jinja's sandbox for a chat template, its steps and what it makes counted.

jinja keeps a template from files and code; here every turn of a loop is
counted, every text and list is measured before or as it is made, and whatever
walks over one is charged for it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import datetime
import functools
import json
import math
from typing import Any

import jinja2
from jinja2 import ext, filters, utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

from taiji_jax.data.chat_bounds import (
  TooMuch,
  bits,
  check_bits,
  check_needle,
  formatted,
)
from taiji_jax.data.chat_budget import Budget
from taiji_jax.data.chat_syntax import Generation, Measured, check_name

_MOST_INDENT = 64
_MOST_DIGITS = 100
_MOST_DATE = 1000
# What makes a text or a list as long as a number says, or takes the square of
# a text's length.
_ENDLESS_FILTERS = (
  'batch', 'center', 'pprint', 'slice', 'striptags', 'sum', 'urlize',
  'wordcount', 'wordwrap', 'xmlattr',
)  # fmt: skip
_ENDLESS_METHODS = (
  'center', 'encode', 'expandtabs', 'format_map', 'ljust', 'maketrans',
  'rjust', 'striptags', 'translate', 'zfill',
)  # fmt: skip
# These take a text letter by letter.
_BY_LETTERS = (
  'dictsort', 'groupby', 'list', 'map', 'max', 'min', 'random', 'reject',
  'rejectattr', 'select', 'selectattr', 'sort', 'unique',
)  # fmt: skip
# Their time grows with the length of what they look for, too.
_BY_NEEDLE = (
  'lstrip', 'rfind', 'rindex', 'rpartition', 'rsplit', 'rstrip', 'strip',
)  # fmt: skip
_GLOBALS = ('cycler', 'joiner', 'lipsum')


class ChatEnvironment(Budget, ImmutableSandboxedEnvironment):
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
      'format': self._format,
      'indent': self._indent,
      'join': self._join,
      'replace': self._replace,
      'round': _round,
      'tojson': self._to_json,
      'trim': _trim,
    }
    for name in _ENDLESS_FILTERS:
      del self.filters[name]
    for name, own in self.filters.items():
      self.filters[name] = self._measuring(own, name in _BY_LETTERS)
    for name, own in self.tests.items():
      self.tests[name] = self._measuring(own)
    for name in _GLOBALS:
      del self.globals[name]
    self.globals |= {
      'dict': lambda *args, **values: dict(*args, **values),
      'namespace': _namespace,
      'raise_exception': _raise,
      'range': self._range,
      'strftime_now': _now,
    }

  def call(self, *args: Any, **values: Any) -> Any:
    return self.held(self.in_time(super().call(*args, **values)))

  def call_binop(
    self, context: Any, operator: str, left: Any, right: Any
  ) -> Any:
    if operator == '*':
      self.check_product(left, right)
    elif operator == '**':
      check_bits(bits(left) * max(1, abs(right)))
    elif operator == '%' and isinstance(left, str):
      given = right if isinstance(right, tuple) else (right,)
      self.check_length(formatted(left, given))
    elif isinstance(left, str) and isinstance(right, str):
      self.check_length(len(left) + len(right))
    made = super().call_binop(context, operator, left, right)
    return self.held(self.in_time(made))

  def getattr(self, obj: Any, attribute: str) -> Any:
    found = self.in_time(super().getattr(obj, attribute))
    return self._bounded(obj, attribute, found)

  def getitem(self, obj: Any, argument: Any) -> Any:
    found = self.in_time(super().getitem(obj, argument))
    return self._bounded(obj, argument, found)

  def _parse(self, source: str, name: str | None, filename: str | None):
    tree = Measured().visit(super()._parse(source, name, filename))
    return tree.set_environment(self)

  def _bounded(self, obj: Any, name: Any, found: Any) -> Any:
    """Returns what was found under a name, a measured one where it is not."""
    if isinstance(obj, int) and name == 'to_bytes':
      raise TooMuch('it calls to_bytes of a number, which is not known here')
    if not isinstance(obj, str) or not isinstance(name, str):
      return found
    if name in _ENDLESS_METHODS:
      raise TooMuch(f'it calls {name} of a text, which is not known here')
    if name == 'format':
      return functools.partial(self._formatted, obj, found)
    if name == 'join':
      return lambda items: self._join(items, obj)
    if name == 'replace':
      return functools.partial(self._replace, obj)
    if name in _BY_NEEDLE:
      return functools.partial(_looking, found)
    return found

  def _measuring(
    self, own: Callable[..., Any], by_letters: bool = False
  ) -> Callable[..., Any]:
    """Returns a filter or test that pays for what it reads and makes."""

    @functools.wraps(own)
    def measured(*args: Any, **values: Any) -> Any:
      for one in (*args, *values.values()):
        self.charge(one, by_letters)
      found = self.in_time(own(*args, **values))
      if isinstance(found, Iterator):
        return self.counted(found)
      return self.held(found)

    return measured

  def _formatted(
    self, text: str, own: Callable[..., str], *args: Any, **values: Any
  ) -> str:
    self.check_length(formatted(text, (*args, *values.values())))
    return own(*args, **values)

  def _format(self, text: Any, *args: Any, **values: Any) -> str:
    given = (*args, values) if values else args
    self.check_length(formatted(str(text), given))
    return filters.do_format(text, *args, **values)

  def _join(
    self, items: Iterable[Any], between: Any = '', attribute: Any = None
  ) -> str:
    if attribute is not None:
      items = [self.getitem(item, attribute) for item in items]
    parts: list[str] = []
    for item in items:
      parts += [str(between), str(item)] if parts else [str(item)]
      self.check_items(len(parts) // 2)
    return self.concat(parts)

  def _replace(
    self, text: Any, old: Any, new: Any, count: int | None = None
  ) -> str:
    text, old, new = str(text), str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    self.check_length(len(text) + times * len(new))
    return text.replace(old, new, -1 if count is None else count)

  def _indent(
    self, text: Any, width: int | str = 4, first: bool = False, *args: Any
  ) -> str:
    text = str(text)
    size = width if isinstance(width, int) else len(width)
    if size > _MOST_INDENT:
      raise TooMuch(f'it indents by more than {_MOST_INDENT}')
    self.check_length(len(text) + (text.count('\n') + 1) * size)
    return filters.do_indent(text, width, first, *args)

  def _to_json(
    self,
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Sequence[str] | None = None,
    sort_keys: bool = False,
  ) -> str:
    """Returns JSON as transformers has it, without escapes of HTML."""
    if not -math.inf < (indent or 0) <= _MOST_INDENT:
      raise TooMuch(f'it indents by more than {_MOST_INDENT}')
    made = json.JSONEncoder(
      ensure_ascii=ensure_ascii,
      indent=indent,
      separators=separators and tuple(separators),
      sort_keys=sort_keys,
    ).iterencode(self.held(value))
    return self.concat(map(self.in_time, made))

  def _range(self, *args: int) -> range:
    found = range(*args)
    self.check_items(len(found))
    return found


def _looking(own: Callable[..., Any], *args: Any, **values: Any) -> Any:
  check_needle((*args, *values.values()))
  return own(*args, **values)


def _trim(text: Any, chars: str | None = None) -> str:
  check_needle((chars,))
  return filters.do_trim(text, chars)


def _round(value: float, precision: int = 0, method: Any = 'common') -> float:
  if abs(precision) > _MOST_DIGITS:
    raise TooMuch(f'it rounds to more than {_MOST_DIGITS} digits')
  return filters.do_round(value, precision, method)


def _now(form: str) -> str:
  if len(form) > _MOST_DATE:
    raise TooMuch(f'it writes a date of more than {_MOST_DATE} letters')
  return datetime.datetime.now().strftime(form)


def _raise(message: str) -> None:
  raise jinja2.TemplateError(message)


def _namespace(*args: Any, **values: Any) -> utils.Namespace:
  found = dict(*args, **values)
  for name in found:
    check_name(name)
  return utils.Namespace(found)
