"""A checkpoint's chat template, rendered within bounds.

A template is a program that came with the checkpoint. Its sandbox is jinja's;
here each operation that can make a text or a list longer is measured, and so
are the turns of its loops and what it writes.
"""

from collections.abc import Iterable, Mapping, Sequence
import datetime
import json
import re
import threading
import time
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes, visitor
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_SOURCE = 1 << 18
"""Letters of a template."""
MOST_TEXT = 1 << 20
"""Letters of what it writes, and of any text within, beside the messages'."""
MOST_STEPS = 100_000
"""Turns of all its loops, and calls of its macros."""
MOST_SECONDS = 10.0

_MOST_ITEMS = 10_000
_MOST_BITS = 256
_MOST_INDENT = 64
# Filters and methods of a text that make it as long as a number says.
_ENDLESS_FILTERS = (
  'batch', 'center', 'filesizeformat', 'pprint', 'slice', 'urlize', 'wordwrap',
  'xmlattr',
)  # fmt: skip
_ENDLESS_METHODS = (
  'center', 'encode', 'expandtabs', 'format_map', 'ljust', 'maketrans',
  'rjust', 'translate', 'zfill',
)  # fmt: skip
# A width of a format; a width that is an argument.
_WIDE = re.compile(r'\d{4}|\*|\{[^{}]*\{')


class TooMuch(jinja2.TemplateError):
  """The template goes on, or writes, beyond the bounds."""


class ChatTemplate:
  """A conversation to the text that the model was trained on."""

  def __init__(self, source: str):
    """Compiles the template.

    Raises:
      TemplateError: it is none, or too long.
    """
    if len(source) > MOST_SOURCE:
      raise TooMuch(f'it is longer than {MOST_SOURCE} letters')
    self._environment = _environment()
    self._template = self._environment.from_string(source)
    self._alone = threading.Lock()

  def render(
    self, messages: Sequence[Mapping[str, Any]], names: Mapping[str, Any]
  ) -> str:
    """Returns the text, up to where the model answers.

    Args:
      messages: role and content each.
      names: what else the template may name: the special tokens.

    Raises:
      TooMuch: it goes on or writes beyond the bounds.
      Exception: whatever the template raises.
    """
    given = [dict(one) for one in messages]
    with self._alone:
      self._environment.begin(len(json.dumps(given)))
      parts = self._template.generate(
        messages=given,
        tools=None,
        documents=None,
        add_generation_prompt=True,
        **names,
      )
      return self._environment.whole(parts)


class _Environment(ImmutableSandboxedEnvironment):
  """Measures what grows and what goes on."""

  intercepted_binops = frozenset(('*', '**', '%', '+'))

  def begin(self, given: int) -> None:
    """Starts to measure; a template may write what it was given four times."""
    self._left = MOST_STEPS
    self._until = time.monotonic() + MOST_SECONDS
    self._most = MOST_TEXT + 4 * given

  def step(self) -> None:
    self._left -= 1
    if self._left < 0 or time.monotonic() > self._until:
      raise TooMuch(f'more than {MOST_STEPS} steps or {MOST_SECONDS:g} seconds')

  def whole(self, parts: Iterable[str]) -> str:
    """Returns the parts as one text."""
    found, length = [], 0
    for part in parts:
      length += len(part)
      self._bound(length)
      found.append(part)
    return ''.join(found)

  def joined(self, *parts: Any) -> str:
    """Returns what `a ~ b` is."""
    return self.whole(str(part) for part in parts)

  def held(self, value: Any) -> Any:
    """Returns a container that was made, once it is counted."""
    left, todo = _MOST_ITEMS, [value]
    while todo:
      one = todo.pop()
      if isinstance(one, Mapping):
        todo.extend(one.values())
        left -= len(one)
      elif isinstance(one, list | tuple | set | frozenset):
        todo.extend(one)
        left -= len(one)
      if left < 0:
        raise TooMuch(f'more than {_MOST_ITEMS} items')
    return value

  def listed(self, *items: Any) -> list[Any]:
    """Returns what `[a, b]` is."""
    return self.held(list(items))

  def call(self, __context: Any, __callee: Any, *args: Any, **values: Any):
    return self.held(super().call(__context, __callee, *args, **values))

  def call_binop(
    self, context: Any, operator: str, left: Any, right: Any
  ) -> Any:
    if operator == '*':
      self._check_product(left, right)
    elif operator == '**':
      _check_power(left, right)
    elif operator == '%' and isinstance(left, str):
      _check_format(left)
    elif operator == '+' and isinstance(left, str) and isinstance(right, str):
      self._bound(len(left) + len(right))
    return self.held(super().call_binop(context, operator, left, right))

  def getattr(self, obj: Any, attribute: str) -> Any:
    return self._of_text(obj, attribute) or super().getattr(obj, attribute)

  def getitem(self, obj: Any, argument: Any) -> Any:
    return self._of_text(obj, argument) or super().getitem(obj, argument)

  def _of_text(self, obj: Any, name: Any) -> Any:
    """Returns the measured method of a text, None where it is harmless."""
    if not isinstance(obj, str):
      return None
    if name in _ENDLESS_METHODS:
      raise TooMuch(f'{name} of a text is not known here')
    if name == 'format':
      _check_format(obj)
    if name == 'join':
      return lambda items: self.join(items, obj)
    if name == 'replace':
      return lambda *args: self.replace(obj, *args)
    return None

  def join(
    self, items: Iterable[Any], between: str = '', attribute: Any = None
  ) -> str:
    if attribute is not None:
      items = [self.getitem(item, attribute) for item in items]
    parts, first = [], True
    for item in items:
      parts += [str(item)] if first else [between, str(item)]
      first = False
    return self.whole(parts)

  def replace(self, text: str, old: str, new: str, count: int = -1) -> str:
    text, old, new = str(text), str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    self._bound(len(text) + times * len(new))
    return text.replace(old, new, -1 if count is None else count)

  def indented(self, text: str, width: int | str = 4, *args: Any, **values: Any):
    size = width if isinstance(width, int) else len(width)
    self._bound(len(text) + (text.count('\n') + 1) * size)
    return jinja2.filters.do_indent(text, width, *args, **values)

  def _bound(self, length: int) -> None:
    if length > self._most:
      raise TooMuch(f'a text of more than {self._most} letters')

  def _check_product(self, left: Any, right: Any) -> None:
    for a, b in ((left, right), (right, left)):
      if isinstance(a, str) and isinstance(b, int):
        self._bound(len(a) * b)
      elif isinstance(a, list | tuple) and isinstance(b, int):
        if len(a) * b > _MOST_ITEMS:
          raise TooMuch(f'more than {_MOST_ITEMS} items')
    if isinstance(left, int) and isinstance(right, int):
      _check_bits(left.bit_length() + right.bit_length())


class _Measured(visitor.NodeTransformer):
  """Puts a step into each loop and macro, and measures what is put together."""

  def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
    return _call('joined', self.generic_visit(node).nodes)


def _call(name: str, args: list[nodes.Node]) -> nodes.Call:
  return nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None)
