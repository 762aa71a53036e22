"""A mapping as nested frozen dataclasses, and what of it belongs into a key.

`build` checks names and types all the way down, so that every section of a
recipe is refused at the start, by its full path. `deviations` is what a key is
made of: a field that has its default is left out, so that a new field changes
no key.
"""

from collections.abc import Mapping
import dataclasses
import difflib
import json
import types
import typing
from typing import Any, TypeVar

from taiji_jax.errors import UserError

T = TypeVar('T')

_PLAIN = (int, float, str, bool)
_WORDS = {
  int: 'a whole number (int)',
  float: 'a number (float)',
  str: 'a text (str)',
  bool: 'True or False (bool)',
}


def build(cls: type[T], path: str, values: Mapping[str, Any]) -> T:
  """Returns `cls(**values)`, sections below it built as well.

  Args:
    cls: a dataclass; a field whose type is a dataclass (or one `| None`) is a
      section of its own.
    path: where in the recipe, '' for the whole of it.
    values: any mapping of the fields; whole numbers will do for floats, lists
      for tuples. A section that is built already stays as it is.

  Raises:
    UserError: a field is unknown, missing or of another type, or the class
      refuses its value. The error begins with the field's full path.
  """
  fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
  hints = typing.get_type_hints(cls)
  found = {}
  for name, value in values.items():
    if not isinstance(name, str):
      raise UserError(f'{_at(path, repr(name))} is no name of a field.')
    if name not in fields:
      close = difflib.get_close_matches(name, fields, 1)
      hint = f'; did you mean {_at(path, close[0])}?' if close else '.'
      raise UserError(
        f'unknown field {_at(path, name)}{hint} It has {", ".join(fields)}.'
      )
    found[name] = _value(hints[name], _at(path, name), value)
  missing = [
    name
    for name, field in fields.items()
    if field.default is dataclasses.MISSING
    and field.default_factory is dataclasses.MISSING
    and name not in found
  ]
  if missing:
    raise UserError(f'{_at(path, missing[0])} is not set; give it a value.')
  try:
    return cls(**found)
  except UserError as error:
    raise UserError(_with_path(str(error), path, fields)) from error


def section(cls: type[T], path: str, value: Any) -> T:
  """Returns a section by its mapping; one that is built stays as it is.

  Raises:
    UserError: it is no mapping, or as `build` says.
  """
  if isinstance(value, cls):
    return value
  if not isinstance(value, Mapping) and not hasattr(value, 'items'):
    raise UserError(
      f'{path} is {value!r}; it must be a section, a mapping of fields.'
    )
  return build(cls, path, dict(value.items()))


def to_json(value: Any) -> Any:
  """Returns a dataclass (or a tuple of them) as plain JSON, every field."""
  if isinstance(value, tuple | list):
    return [to_json(v) for v in value]
  return json.loads(json.dumps(dataclasses.asdict(value), default=dict))


def deviations(value: Any) -> Any:
  """Returns plain JSON of the fields that differ from their defaults.

  What a product's or a cell's key is made of. A changed default changes what is
  computed and not the key: raise the stage's revision with it.

  Args:
    value: a dataclass; of a section, its own deviations, left out where it has
      none and none of its fields is obligatory.
  """
  found = {}
  for field in dataclasses.fields(value):
    own = getattr(value, field.name)
    if own == _default(field):
      continue
    found[field.name] = _plain(own)
  return found


def _plain(value: Any) -> Any:
  if dataclasses.is_dataclass(value):
    return deviations(value)
  if isinstance(value, tuple | list):
    return [_plain(v) for v in value]
  if isinstance(value, Mapping):
    return {k: _plain(v) for k, v in value.items()}
  return value


def _default(field: dataclasses.Field) -> Any:
  if field.default_factory is not dataclasses.MISSING:
    return field.default_factory()
  return field.default


def _at(path: str, name: str) -> str:
  return f'{path}.{name}' if path else name


def _with_path(text: str, path: str, fields: Mapping[str, Any]) -> str:
  """Returns an error of a class, which knows its own field's name alone."""
  first = text.split(maxsplit=1)[0] if text else ''
  return f'{path}.{text}' if path and first in fields else text


def _value(hint: Any, path: str, value: Any) -> Any:
  """Returns the value as the field wants it, or raises UserError."""
  if typing.get_origin(hint) in (types.UnionType, typing.Union):
    if value is None:
      return None
    (hint,) = [h for h in typing.get_args(hint) if h is not type(None)]
  if dataclasses.is_dataclass(hint):
    return section(hint, path, value)
  if hint in _PLAIN:
    return _number_or_text(hint, path, value)
  if typing.get_origin(hint) is tuple:
    return _tuple(typing.get_args(hint)[0], path, value)
  if hint is dict or typing.get_origin(hint) in (dict, Mapping):
    return _mapping(path, value)
  return value


def _number_or_text(kind: type, path: str, value: Any) -> Any:
  whole = isinstance(value, int) and not isinstance(value, bool)
  if kind is float and whole:
    return float(value)
  fits = whole if kind is int else isinstance(value, kind)
  if not fits:
    raise UserError(f'{path} is {value!r}; it must be {_WORDS[kind]}.')
  return value


def _tuple(kind: type, path: str, value: Any) -> tuple[Any, ...]:
  """Returns `value` as a tuple after checking its elements' type."""
  allowed = (int, float) if kind is float else (kind,)
  if not isinstance(value, tuple | list) or not all(
    type(v) in allowed for v in value
  ):
    raise UserError(
      f'{path} is {value!r}; it must be a tuple of {kind.__name__}.'
    )
  return tuple(map(kind, value))


def _mapping(path: str, value: Any) -> dict[str, Any]:
  if not hasattr(value, 'items'):
    raise UserError(f'{path} is {value!r}; it must be a mapping.')
  return dict(value.items())
