"""A `CotRecord` as one line of JSON, and back, with the schema checked."""

import dataclasses
import json
import math
import types
from typing import Any, get_args, get_type_hints

from taiji_jax.cot.record import CotRecord

VERSION = 1


def _types(hint: Any) -> tuple[type, ...]:
  return get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


_HINTS = get_type_hints(CotRecord)
_FIELDS = {
  field.name: _types(_HINTS[field.name])
  for field in dataclasses.fields(CotRecord)
}


def schema() -> dict[str, Any]:
  """Returns the version and each field's types, as JSON."""
  names = {
    name: ' | '.join('null' if t is types.NoneType else t.__name__ for t in ts)
    for name, ts in _FIELDS.items()
  }
  return {'version': VERSION, 'fields': names}


def encode(record: CotRecord) -> bytes:
  """Returns the record as ASCII JSON, fields in the order of the class.

  Raises:
    ValueError: a field is not of the schema's type, or not finite.
  """
  values = {name: getattr(record, name) for name in _FIELDS}
  _check(values)
  return json.dumps(values, allow_nan=False, separators=(',', ':')).encode()


def decode(text: bytes) -> CotRecord:
  """Returns the record that `encode` wrote.

  Raises:
    ValueError: it is no JSON object of exactly the schema's fields and types.
  """
  values = json.loads(text)
  if not isinstance(values, dict):
    raise ValueError(f'it holds a {type(values).__name__} and no object')
  if values.keys() != _FIELDS.keys():
    odd = sorted(values.keys() ^ _FIELDS.keys())
    raise ValueError(f'its fields differ from the schema in {", ".join(odd)}')
  _check(values)
  return CotRecord(**values)


def _check(values: dict[str, Any]) -> None:
  for name, value in values.items():
    known = _FIELDS[name]
    # A bool is an int to Python, but not to the schema.
    fits = isinstance(value, known) and (
      not isinstance(value, bool) or bool in known
    )
    if not fits:
      raise ValueError(f'{name} is a {type(value).__name__}')
    if isinstance(value, float) and not math.isfinite(value):
      raise ValueError(f'{name} is {value}')
