"""The header of a GGUF file: its metadata, and where its tensors lie."""

from collections.abc import Callable
import dataclasses
import math
import mmap
import pathlib
import struct
from typing import Any

from taiji_jax.errors import UserError

_VERSIONS = (2, 3)
_ALIGNMENT = 32
_MOST_AXES = 4
# Of one array, and of fields and tensors; a vocabulary has a million at most.
_MOST_ENTRIES = 1 << 24
# Number of a type in the file -> how struct calls it.
_SCALARS = {
  0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q',
  11: 'q', 12: 'd',
}  # fmt: skip
_STRING, _ARRAY = 8, 9


@dataclasses.dataclass(frozen=True)
class GgufTensor:
  """Where a tensor lies.

  Attributes:
    kind: number of its quantisation.
    shape: of its numbers, rows first.
    offset: its first byte, counted from the file's.
  """

  kind: int
  shape: tuple[int, ...]
  offset: int


@dataclasses.dataclass(frozen=True)
class GgufHeader:
  """What a file says before its tensors.

  Attributes:
    path: the file.
    size: its bytes.
    fields: name -> number, bool, text or list of them.
    tensors: name -> where it lies.
  """

  path: pathlib.Path
  size: int
  fields: dict[str, Any]
  tensors: dict[str, GgufTensor]

  def value(self, name: str, kind: type, default: Any = None) -> Any:
    """Returns one of the metadata.

    Args:
      name: of it.
      kind: what it has to be.
      default: what is returned where it is missing, unless None.

    Raises:
      UserError: it is missing or of another kind.
    """
    value = self.fields.get(name, default)
    if value is None:
      raise UserError(
        f"'{self.path}' lacks {name}: take another file of the model."
      )
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
      raise UserError(
        f"'{self.path}' says {name} {value!r:.60}, no {kind.__name__}: take"
        ' another file of the model.'
      )
    return value


def read(path: pathlib.Path) -> GgufHeader:
  """Returns the header of a file; no tensor is read.

  Raises:
    UserError: the file is missing, cut off or damaged.
  """
  try:
    with (
      path.open('rb') as file,
      mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
      return _header(_Cursor(data), path)
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be read ({error.strerror}): name a GGUF file."
    ) from error
  except (ValueError, RecursionError) as error:
    raise UserError(
      f"'{path}' is no whole GGUF file ({error}): download it anew."
    ) from error


class _Cursor:
  """Reads a file from its start, never beyond its end."""

  def __init__(self, data: mmap.mmap):
    self._data = data
    self.place, self.end = 0, len(data)

  def take(self, size: int) -> bytes:
    start, self.place = self.place, self.place + size
    if self.place > self.end:
      raise ValueError(f'it ends at byte {self.end}')
    return self._data[start : self.place]

  def number(self, kind: str) -> Any:
    return struct.unpack(f'<{kind}', self.take(struct.calcsize(f'<{kind}')))[0]

  def text(self) -> str:
    return self.take(self.number('Q')).decode('utf-8')

  def count(self) -> int:
    """Returns a number of things, each of which takes a byte at least."""
    found = self.number('Q')
    if found > min(self.end, _MOST_ENTRIES):
      raise ValueError(f'it has {found} entries in {self.end} bytes')
    return found

  def value(self, kind: int) -> Any:
    if kind in _SCALARS:
      return self.number(_SCALARS[kind])
    if kind == _STRING:
      return self.text()
    if kind != _ARRAY:
      raise ValueError(f'there is no type {kind}')
    inner, count = self.number('I'), self.count()
    if inner not in _SCALARS:
      return [self.value(inner) for _ in range(count)]
    format_ = f'<{count}{_SCALARS[inner]}'
    return list(struct.unpack(format_, self.take(struct.calcsize(format_))))


def _header(cursor: _Cursor, path: pathlib.Path) -> GgufHeader:
  if cursor.take(4) != b'GGUF':
    raise ValueError('it does not begin with GGUF')
  version = cursor.number('I')
  if version not in _VERSIONS:
    raise ValueError(f'its version is {version}')
  count, num_fields = cursor.count(), cursor.count()
  fields = _named(cursor, num_fields, lambda: cursor.value(cursor.number('I')))
  found = _named(cursor, count, lambda: _tensor(cursor))
  alignment = fields.get('general.alignment', _ALIGNMENT)
  if type(alignment) is not int or alignment < 1:
    raise ValueError(f'its alignment is {alignment}')
  start = -(-cursor.place // alignment) * alignment
  tensors = {
    name: dataclasses.replace(t, offset=start + t.offset)
    for name, t in found.items()
  }
  return GgufHeader(path, cursor.end, fields, tensors)


def _named(
  cursor: _Cursor, count: int, read_one: Callable[[], Any]
) -> dict[str, Any]:
  found = {}
  for _ in range(count):
    name = cursor.text()
    if name in found:
      raise ValueError(f"it holds '{name}' twice")
    found[name] = read_one()
  return found


def _tensor(cursor: _Cursor) -> GgufTensor:
  axes = cursor.number('I')
  if axes > _MOST_AXES:
    raise ValueError(f'a tensor has {axes} axes')
  sizes = [cursor.number('Q') for _ in range(axes)]
  kind = cursor.number('I')
  return GgufTensor(kind, tuple(sizes[::-1]), cursor.number('Q'))
