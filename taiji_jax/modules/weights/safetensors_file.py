"""safetensors files, tensor by tensor: headers checked, parts read, written."""

from collections.abc import Callable, Mapping
import dataclasses
import json
import math
import os
import pathlib
import struct
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

from taiji_jax import files
from taiji_jax.errors import UserError

DTYPES = {
  'F32': np.dtype(np.float32),
  'F16': np.dtype(np.float16),
  'BF16': np.dtype(jnp.bfloat16),
}
_MOST_HEADER = 100_000_000  # The format's own limit.
_MOST_AXES = 8


@dataclasses.dataclass(frozen=True)
class StoredTensor:
  """A tensor of a safetensors file, not read yet.

  Attributes:
    path: the file.
    name: in it.
    dtype: as the format calls it.
    shape: of the tensor.
    offset: its first byte, counted from the file's.
  """

  path: pathlib.Path
  name: str
  dtype: str
  shape: tuple[int, ...]
  offset: int

  def read(self, index: tuple[slice, ...] = ()) -> np.ndarray:
    """Returns a part of it; only that is read from the disk."""
    whole = np.memmap(
      self.path, DTYPES[self.dtype], 'r', self.offset, self.shape
    )
    return np.array(whole[index])


def read_header(
  path: pathlib.Path,
) -> tuple[dict[str, StoredTensor], dict[str, str]]:
  """Returns the tensors of a file by name, and its metadata; reads no tensor.

  Raises:
    UserError: the file is missing, cut off or damaged, or a tensor's dtype is
      none of `DTYPES`.
  """
  try:
    size = path.stat().st_size
    with path.open('rb') as file:
      header, start = _header(file, size)
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be read ({error.strerror}): name a directory that holds"
      ' all files of the checkpoint.'
    ) from error
  except (ValueError, struct.error) as error:
    raise UserError(
      f"'{path}' is no safetensors file ({error}): download it anew."
    ) from error
  metadata = header.pop('__metadata__', None)
  if not isinstance(metadata, dict):
    metadata = {}
  tensors, end = {}, start
  for name, entry in header.items():
    tensor, last = _tensor(path, name, entry, start)
    tensors[name], end = tensor, max(end, last)
  if end > size:
    raise UserError(
      f"'{path}' is cut off: it has {size} bytes, its header speaks of {end};"
      ' download it anew.'
    )
  return tensors, metadata


def _header(file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
  """Returns the header and where the tensors begin."""
  (length,) = struct.unpack('<Q', file.read(8))
  if length > min(_MOST_HEADER, size - 8):
    raise ValueError(f'a header of {length} bytes in a file of {size}')
  header = files.parse_json(file.read(length))
  if not isinstance(header, dict):
    raise ValueError('its header is no table')
  return header, 8 + length


def _tensor(
  path: pathlib.Path, name: str, entry: Any, start: int
) -> tuple[StoredTensor, int]:
  """Returns one tensor of the header, and where it ends in the file."""
  try:
    dtype, shape = entry['dtype'], tuple(entry['shape'])
    first, last = entry['data_offsets']
    numbers = all(type(n) is int and n >= 0 for n in (*shape, first, last))
    numbers &= isinstance(dtype, str) and len(shape) <= _MOST_AXES
  except (TypeError, KeyError, ValueError) as error:
    raise _damaged(path, name) from error
  if not numbers:
    raise _damaged(path, name)
  if dtype not in DTYPES:
    raise UserError(
      f"'{name}' in '{path}' has the dtype {dtype:.20}; only"
      f' {", ".join(DTYPES)} are read: take the checkpoint that is not'
      ' quantised.'
    )
  if last - first != math.prod(shape) * DTYPES[dtype].itemsize:
    raise _damaged(path, name)
  return StoredTensor(path, name, dtype, shape, start + first), start + last


def _damaged(path: pathlib.Path, name: str) -> UserError:
  return UserError(
    f"'{path}' has a damaged header at '{name}': download it anew."
  )


def write(
  path: pathlib.Path,
  shapes: Mapping[str, tuple[int, ...]],
  dtype: str,
  read: Callable[[str], np.ndarray],
  metadata: Mapping[str, str],
) -> None:
  """Writes a file, one tensor after the other.

  Args:
    path: of the file.
    shapes: name -> shape, in the order of the file.
    dtype: of all of them, one of `DTYPES`.
    read: gives a tensor by name; one is held at a time.
    metadata: of the file.

  Raises:
    OSError: it can't be written.
  """
  header: dict[str, Any] = {'__metadata__': dict(metadata)}
  end = 0
  for name, shape in shapes.items():
    start, end = end, end + math.prod(shape) * DTYPES[dtype].itemsize
    header[name] = {
      'dtype': dtype,
      'shape': list(shape),
      'data_offsets': [start, end],
    }
  text = json.dumps(header, separators=(',', ':')).encode()
  text += b' ' * (-len(text) % 8)
  with path.open('wb') as file:
    file.write(struct.pack('<Q', len(text)) + text)
    for name, shape in shapes.items():
      array = np.ascontiguousarray(read(name), DTYPES[dtype])
      if array.shape != tuple(shape):
        raise ValueError(f'{name} is {array.shape}, announced as {shape}')
      file.write(array.view(np.uint8).data)
    file.flush()
    os.fsync(file.fileno())
