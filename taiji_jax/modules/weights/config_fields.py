"""Fields of a `config.json`: read with their types checked, or refused."""

from collections.abc import Callable, Mapping
import reprlib
from typing import Any

from taiji_jax.errors import UserError

# No number in a config is larger, whatever it counts.
_MOST = 1e30
# Letters of a value that an error shows.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 60
# The most that a field of `DecoderConfig` may be: no model comes near.
_MOST_OF = {
  'vocab_size': 1 << 24,
  'num_layers': 1 << 12,
  'width': 1 << 20,
  'num_heads': 1 << 14,
  'num_kv_heads': 1 << 14,
  'head_width': 1 << 14,
  'mlp_width': 1 << 22,
}

REMEDY = 'take a Llama, Qwen2 or Qwen3 checkpoint in its own, full layout'


def reader(fields: Mapping[str, Any], where: str) -> Callable[..., Any]:
  """Returns a function `(name, type, default)` that gives one field.

  A field that is missing or null has the default; without one it is a
  UserError, as is a value of another type, or a number that is not finite.

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
    if (not number and type(value) is not kind) or not _finite(value):
      raise UserError(
        f"'{where}' says {name} {_SHOWN.repr(value)}, no {kind.__name__}: take"
        " the checkpoint's own config.json."
      )
    return float(value) if number else value

  return read


def refused(where: str, name: str, value: Any, remedy: str) -> UserError:
  """Returns the error for a field that the decoder cannot run."""
  return UserError(
    f"'{where}' says {name} {_SHOWN.repr(value)}, which this decoder cannot"
    f' run: {remedy}.'
  )


def check_sizes(where: str, sizes: Mapping[str, int]) -> None:
  """Raises UserError where a size is beyond all reason.

  Whoever lays out the parameters would else be busy for hours, or out of
  memory, before it compares them with the files.

  Args:
    where: what to call the file.
    sizes: of `DecoderConfig`, by the names of its fields.
  """
  for name, size in sizes.items():
    if size > _MOST_OF[name]:
      raise refused(where, name, size, f'at most {_MOST_OF[name]:,}')


def above(where: str, name: str, value: float, least: float) -> None:
  """Raises UserError where a number is not above another."""
  if not value > least:
    raise refused(where, name, value, f'it must be above {least:g}')


def _finite(value: Any) -> bool:
  return not isinstance(value, int | float) or -_MOST <= value <= _MOST
