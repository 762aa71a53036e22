"""Fields of a `config.json`: read with their types checked, or refused."""

from collections.abc import Callable, Mapping
from typing import Any

from taiji_jax.errors import UserError

REMEDY = 'take a Llama, Qwen2 or Qwen3 checkpoint in its own, full layout'


def reader(fields: Mapping[str, Any], where: str) -> Callable[..., Any]:
  """Returns a function `(name, type, default)` that gives one field.

  A field that is missing or null has the default; without one it is a
  UserError, as is a value of another type.

  Args:
    fields: the file's contents, or a table in them.
    where: what to call the file.
  """

  def read(name: str, kind: type, default: Any = None) -> Any:
    value = fields.get(name)
    value = default if value is None else value
    if value is None:
      raise UserError(
        f"'{where}' lacks {name}: take the checkpoint's own config.json."
      )
    number = kind is float and type(value) is int
    if not number and type(value) is not kind:
      raise UserError(
        f"'{where}' says {name} {value!r}, no {kind.__name__}: take the"
        " checkpoint's own config.json."
      )
    return float(value) if number else value

  return read


def refused(where: str, name: str, value: Any, remedy: str) -> UserError:
  """Returns the error for a field that the decoder cannot run."""
  return UserError(
    f"'{where}' says {name} {value!r}, which this decoder cannot run: {remedy}."
  )
