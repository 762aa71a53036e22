"""Parameters made of stored tensors, each shard read where it will live."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flax import traverse_util
import jax
from jax.sharding import Mesh, NamedSharding, Sharding, SingleDeviceSharding
import numpy as np

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder_config
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import key_map
from taiji_jax.modules.weights.key_map import Entry

Index = tuple[slice, ...]
# Rows turned at a time: few enough for the processor's cache.
_ROWS = 64


class Stored(Protocol):
  """A tensor in a file."""

  shape: tuple[int, ...]

  def read(self, index: Index) -> np.ndarray:
    """Returns a part of it; no more of the file is read than that needs."""
    ...


def assemble(
  config: DecoderConfig,
  stored: Mapping[str, Stored],
  where: str,
  mesh: Mesh | None = None,
  dtype: str = 'float32',
) -> dict[str, Any]:
  """Returns the variables `{'params': ...}` of a decoder.

  Everything is checked first. Then one parameter follows the other, and each
  device's part of it is read alone, so that a host never holds more than its
  own devices' parts and one parameter's on the way.

  Args:
    config: the decoder.
    stored: name in a causal model -> tensor.
    where: what to call the checkpoint in errors.
    mesh: where the parameters go; one device where None.
    dtype: of the parameters.

  Raises:
    UserError: a tensor is missing, unknown or misshapen, the mesh does not fit,
      or there is no such dtype.
  """
  if dtype not in decoder_config.DTYPES:
    raise UserError(
      f'the parameters cannot be {dtype!r}; choose one of'
      f' {", ".join(decoder_config.DTYPES)}.'
    )
  key_map.check(config, {n: t.shape for n, t in stored.items()}, where)
  placed = [(e, _sharding(e, mesh)) for e in key_map.entries(config)]
  flat = {
    entry.path: jax.block_until_ready(
      jax.make_array_from_callback(
        entry.our_shape, place, _reader(entry, stored, jax.numpy.dtype(dtype))
      )
    )
    for entry, place in placed
  }
  return {'params': traverse_util.unflatten_dict(flat, sep='/')}


def _sharding(entry: Entry, mesh: Mesh | None) -> Sharding:
  if mesh is None:
    return SingleDeviceSharding(jax.local_devices()[0])
  spec = sharding.spec_of(entry.path, entry.our_shape, mesh)
  return NamedSharding(mesh, spec)


def _reader(
  entry: Entry, stored: Mapping[str, Stored], dtype: np.dtype
) -> Callable[[Index], np.ndarray]:
  """Returns a function from a part of our parameter to its values."""
  known: dict[tuple, np.ndarray] = {}

  def read(index: Index) -> np.ndarray:
    bounds = tuple(
      s.indices(size)[:2]
      for s, size in zip(index, entry.our_shape, strict=True)
    )
    if bounds not in known:  # Copies on several devices are read once.
      known[bounds] = _part(entry, stored, dtype, bounds)
    return known[bounds]

  return read


def _part(
  entry: Entry,
  stored: Mapping[str, Stored],
  dtype: np.dtype,
  bounds: tuple[tuple[int, int], ...],
) -> np.ndarray:
  names, inner = entry.names, bounds
  if entry.stacked:
    names, inner = names[slice(*bounds[0])], bounds[1:]
  turned = inner[::-1] if entry.transposed else inner
  index = tuple(slice(*b) for b in turned)
  part = np.empty((len(names), *(stop - start for start, stop in inner)), dtype)
  for own, name in zip(part, names, strict=True):
    array = stored[name].read(index)
    if entry.transposed:
      _copy_turned(own, array)
    else:
      own[...] = array
  return part if entry.stacked else part[0]


def _copy_turned(out_io: np.ndarray, array_oi: np.ndarray) -> None:
  """Copies the transpose some rows at a time, several times as fast."""
  for start in range(0, len(array_oi), _ROWS):
    rows = slice(start, start + _ROWS)
    out_io[:, rows] = array_oi[rows].T
