"""A section of a recipe as a dataclass: names and types are checked here."""

from collections.abc import Mapping
import dataclasses
import difflib
import typing
from typing import Any, TypeVar

from taiji_jax.errors import UserError

T = TypeVar('T')


def build(cls: type[T], section: str, values: Mapping[str, Any]) -> T:
  """Returns `cls(**values)` after checking names and types.

  Args:
    cls: a dataclass.
    section: where in the recipe, for errors.
    values: its fields; whole numbers will do for floats, lists for tuples.

  Raises:
    UserError: a field is unknown, missing or of another type, or the class
      refuses its value.
  """
  values = dict(values)
  hints = typing.get_type_hints(cls)
  fields = {f.name: f for f in dataclasses.fields(cls)}
  for name, value in values.items():
    if name not in fields:
      close = difflib.get_close_matches(name, fields, 1)
      hint = f'; did you mean {section}.{close[0]}?' if close else '.'
      raise UserError(
        f'unknown field {section}.{name}{hint} It has {", ".join(fields)}.'
      )
    hint = hints[name]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
      values[name] = value = float(value)
    plain = hint in (int, float, str, bool)
    if plain and (
      not isinstance(value, hint) or (hint is int and isinstance(value, bool))
    ):
      raise UserError(
        f'{section}.{name} is {value!r}; it must be a {hint.__name__}.'
      )
    if typing.get_origin(hint) is tuple:
      values[name] = _tuple(value, typing.get_args(hint)[0], section, name)
  missing = [
    f.name
    for f in fields.values()
    if f.default is dataclasses.MISSING
    and f.default_factory is dataclasses.MISSING
    and f.name not in values
  ]
  if missing:
    raise UserError(f'{section}.{missing[0]} is not set; give it a value.')
  return cls(**values)


def _tuple(value: Any, kind: type, section: str, name: str) -> tuple[Any, ...]:
  """Returns `value` as a tuple after checking its elements' type."""
  allowed = (int, float) if kind is float else (kind,)
  if not isinstance(value, tuple | list) or not all(
    type(v) in allowed for v in value
  ):
    raise UserError(
      f'{section}.{name} is {value!r}; it must be a tuple of {kind.__name__}.'
    )
  return tuple(value)
