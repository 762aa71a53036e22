"""Records of one dataclass as lines of JSON, and back, the schema checked."""

from collections.abc import Mapping
import dataclasses
import functools
import json
import math
import types
from typing import (
  Any,
  Generic,
  TypeVar,
  Union,
  get_args,
  get_origin,
  get_type_hints,
)

from taiji_jax import files

Record = TypeVar('Record')
_KNOWN = (str, int, float, bool, types.NoneType)


@dataclasses.dataclass(frozen=True)
class Codec(Generic[Record]):
  """How the records of a frozen dataclass stand in a file.

  Attributes:
    cls: the dataclass; its fields are str, int, float, bool, or one of these
      and None.
    version: of what the fields mean, at least 1: a data set of another version
      or of other fields is refused.
  """

  cls: type[Record]
  version: int = 1

  def __post_init__(self):
    params = getattr(self.cls, '__dataclass_params__', None)
    if params is None or not params.frozen:
      raise ValueError(f'{self.cls.__name__} is no frozen dataclass.')
    for name, known in self._fields.items():
      if odd := [t for t in known if t not in _KNOWN]:
        raise ValueError(
          f'{self.cls.__name__}.{name} may be {odd[0]}; a field of a record is'
          ' str, int, float, bool, or one of these and None.'
        )

  def schema(self) -> dict[str, Any]:
    """Returns the version and each field's types, as JSON."""
    names = {
      name: ' | '.join(
        'null' if t is types.NoneType else t.__name__ for t in known
      )
      for name, known in self._fields.items()
    }
    return {'version': self.version, 'fields': names}

  def encode(self, record: Record) -> bytes:
    """Returns the record as ASCII JSON, fields in the order of the class.

    Raises:
      ValueError: a field is not of the schema's type, or not finite.
    """
    values = {name: getattr(record, name) for name in self._fields}
    self._check(values)
    text = json.dumps(values, allow_nan=False, separators=(',', ':'))
    return text.encode()

  def decode(self, text: bytes) -> Record:
    """Returns the record that `encode` wrote.

    Raises:
      ValueError: it is no JSON object of exactly the schema's fields and types.
    """
    values = files.parse_json(text)
    if not isinstance(values, dict):
      raise ValueError(f'it holds a {type(values).__name__} and no object')
    if values.keys() != self._fields.keys():
      odd = sorted(values.keys() ^ self._fields.keys())
      raise ValueError(f'its fields differ from the schema in {", ".join(odd)}')
    self._check(values)
    return self.cls(**values)

  @functools.cached_property
  def _fields(self) -> Mapping[str, tuple[Any, ...]]:
    """Returns the types that each field may have, by its name."""
    hints = get_type_hints(self.cls)
    return {
      field.name: _members(hints[field.name])
      for field in dataclasses.fields(self.cls)
    }

  def _check(self, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
      known = self._fields[name]
      # A bool is an int to Python, but not to the schema.
      fits = isinstance(value, known) and (
        not isinstance(value, bool) or bool in known
      )
      if not fits:
        raise ValueError(f'{name} is a {type(value).__name__}')
      if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'{name} is {value}')


def _members(hint: Any) -> tuple[Any, ...]:
  union = isinstance(hint, types.UnionType) or get_origin(hint) is Union
  return get_args(hint) if union else (hint,)
