"""Vectors to codes and back: a record of plain arrays."""

from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules.rq_vae import RqVae, RqVaeConfig
from taiji_jax.quantize import residual
from taiji_jax.semantic_ids import keys, vectors


@dataclasses.dataclass(frozen=True, eq=False)
class Quantiser:
  """A trained quantiser; it does not change, so that IDs given stay given.

  Quantisers are equal where they are one object.

  Attributes:
    method: of `SemanticIdConfig`.
    shift_d: float32, what is taken from a vector first.
    scale: and what the rest is multiplied by.
    codebook_lkd: float32; of 'random' a grid on [0, 1], one wide.
    price_lk: float32, of `quantize.kmeans.Clusters`.
    params: of `RqVae`; {} of the other methods.
    salt_ld: uint32, of 'random'; `[0, 0]` of the others.
  """

  method: str
  shift_d: np.ndarray
  scale: float
  codebook_lkd: np.ndarray
  price_lk: np.ndarray
  params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  salt_ld: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros((0, 0), np.uint32)
  )

  @property
  def width(self) -> int:
    """Returns how wide a vector is."""
    return len(self.shift_d)

  @property
  def levels(self) -> int:
    """Returns how many codes an ID has, L."""
    return self.codebook_lkd.shape[0]

  @property
  def codes(self) -> int:
    """Returns how many codes a level has, K."""
    return self.codebook_lkd.shape[1]

  @property
  def network(self) -> RqVaeConfig | None:
    """Returns the sizes of the autoencoder, None where there is none."""
    if not self.params:
      return None
    encoder = sorted(n for n in self.params if n.startswith('encoder_'))
    widths = [
      self.params[f'encoder_{i}']['kernel'].shape[1]
      for i in range(len(encoder))
    ]
    return RqVaeConfig(self.width, tuple(widths[:-1]), widths[-1])

  def encode(
    self,
    vector_nd: np.ndarray,
    *,
    mesh: jax.sharding.Mesh | None = None,
    rows: int = 1 << 16,
    chunk: int = 4096,
  ) -> np.ndarray:
    """Returns the codes of vectors, int32 `[n, l]`.

    A vector's codes depend on nothing else. Vectors are read and sent a part at
    a time, so that they may lie in a file (`np.memmap`).

    Args:
      vector_nd: float, finite.
      mesh: where it is computed, each device a part of the rows; None for one
        device.
      rows: vectors that are sent at once.
      chunk: rows whose K distances are held at once, on each device.

    Raises:
      UserError: the vectors are of another width, or not finite.
    """
    return self._stream('codes', vector_nd, mesh, rows, chunk)

  def latent(
    self,
    vector_nd: np.ndarray,
    *,
    mesh: jax.sharding.Mesh | None = None,
    rows: int = 1 << 16,
  ) -> np.ndarray:
    """Returns what the codebooks quantise, float32.

    Args:
      vector_nd, mesh, rows: see `encode`.

    Returns:
      `[n, width of the codebooks]`; of 'random' `[n, l]`, in [0, 1).
    """
    return self._stream('latent', vector_nd, mesh, rows, 4096)

  def rest(
    self, latent_nd: np.ndarray, code_nl: np.ndarray, level: int
  ) -> np.ndarray:
    """Returns what a level has to quantise, float32 `[n, width of a codebook]`.

    Args:
      latent_nd: float32, of `latent`.
      code_nl: int in [0, K), of which those before the level are read.
      level: from 0; -1 is the last.
    """
    level %= self.levels
    if self.method == 'random':
      return latent_nd[:, level, None]
    return latent_nd - self._sum(code_nl[:, :level])

  def decode(self, code_nl: np.ndarray) -> np.ndarray:
    """Returns the vectors that codes stand for, float32 `[n, d]`.

    Args:
      code_nl: int in [0, K). Of 'random' they stand for the mean vector.

    Raises:
      UserError: a code is out of range.
    """
    code_nl = keys.check(code_nl, self.codes, 'the codes')
    if self.method == 'random':
      return np.broadcast_to(self.shift_d, (len(code_nl), self.width))
    x_nd = self._sum(code_nl)
    if self.network is not None:
      decoded_nd = RqVae(self.network).apply(
        {'params': self.params}, x_nd, method='decode'
      )
      x_nd = np.asarray(decoded_nd)
    return x_nd / np.float32(self.scale) + self.shift_d

  def _sum(self, code_nl: np.ndarray) -> np.ndarray:
    """Returns the sums of the first levels' codes, float32."""
    shape = (len(code_nl), self.codebook_lkd.shape[-1])
    total_nd = np.zeros(shape, np.float32)
    for level, code_n in enumerate(code_nl.T):
      total_nd += self.codebook_lkd[level][code_n]
    return total_nd

  def _stream(
    self,
    what: str,
    vector_nd: np.ndarray,
    mesh: jax.sharding.Mesh | None,
    rows: int,
    chunk: int,
  ) -> np.ndarray:
    """Returns the results of parts of the vectors, one after the other."""
    vectors.check(vector_nd)
    if vector_nd.shape[1] != self.width:
      raise UserError(
        f'the vectors are {vector_nd.shape[1]} wide, the quantiser was fitted'
        f' on {self.width}; give vectors of the same kind.'
      )
    mesh = sharding.MeshConfig().make() if mesh is None else mesh
    parts = mesh.shape['data'] * mesh.shape['fsdp']
    # A power of two, so that few sizes are compiled.
    rows = min(rows, 1 << (len(vector_nd) - 1).bit_length())
    rows = -(-rows // parts) * parts
    function = _compiled(what, self.method, self.network, chunk, mesh)
    arrays = jax.device_put(self._arrays(), jax.NamedSharding(mesh, jax.P()))
    found, waiting = [], None
    for start in range(0, len(vector_nd), rows):
      part_nd = finite(vector_nd[start : start + rows], start)
      here = len(part_nd)
      part_nd = np.pad(part_nd, ((0, rows - here), (0, 0)))
      # The devices work on one part while the host reads the next one.
      before, waiting = waiting, (
        function(arrays, sharding.place_batch(part_nd, mesh)), here,
      )  # fmt: skip
      if before is not None:
        found.append(np.asarray(before[0])[: before[1]])
    found.append(np.asarray(waiting[0])[: waiting[1]])
    return np.concatenate(found)

  def _arrays(self) -> dict[str, Any]:
    return {
      'shift_d': self.shift_d,
      'scale': np.float32(self.scale),
      'codebook_lkd': self.codebook_lkd,
      'price_lk': self.price_lk,
      'params': dict(self.params),
      'salt_ld': self.salt_ld,
    }


def finite(vector_nd: np.ndarray, first: int = 0) -> np.ndarray:
  """Returns the vectors as float32.

  Args:
    vector_nd: float.
    first: the number of the first row, for the error.

  Raises:
    UserError: a number is NaN or infinite.
  """
  vector_nd = np.asarray(vector_nd, np.float32)
  bad_n = ~np.isfinite(vector_nd).all(1)
  if bad_n.any():
    raise UserError(
      f'the vector of item {first + int(bad_n.argmax())} holds NaN or an'
      ' infinite number; leave the item out, or embed it anew.'
    )
  return vector_nd


@functools.lru_cache(maxsize=16)
def _compiled(
  what: str,
  method: str,
  network: RqVaeConfig | None,
  chunk: int,
  mesh: jax.sharding.Mesh,
):
  """Returns (arrays, vectors) -> codes or latents, each device its own rows."""

  def latent(arrays: Mapping[str, Any], x_nd: jax.Array) -> jax.Array:
    if method == 'random':
      return uniform(x_nd, arrays['salt_ld'])
    x_nd = (x_nd - arrays['shift_d']) * arrays['scale']
    if network is None:
      return x_nd
    return RqVae(network).apply(
      {'params': arrays['params']}, x_nd, method='encode'
    )

  def codes(arrays: Mapping[str, Any], x_nd: jax.Array) -> jax.Array:
    found_nd = latent(arrays, x_nd)
    if method == 'random':
      size = arrays['codebook_lkd'].shape[1]
      return jnp.minimum((found_nd * size).astype(jnp.int32), size - 1)
    return residual.encode(
      found_nd, arrays['codebook_lkd'], arrays['price_lk'], chunk=chunk
    )

  return jax.jit(
    jax.shard_map(
      {'codes': codes, 'latent': latent}[what],
      mesh=mesh,
      in_specs=(jax.P(), sharding.BATCH),
      out_specs=sharding.BATCH,
      check_vma=False,
    )
  )


def uniform(x_nd: jax.Array, salt_ld: jax.Array) -> jax.Array:
  """Returns numbers that look random, float32 `[n, l]` in [0, 1).

  Multiply-add hashing of a vector's bits, then a mix of the result's: equal
  vectors have equal numbers, the slightest difference makes other ones.

  Args:
    x_nd: float32.
    salt_ld: uint32, odd: the same vector has other numbers for other salts.
  """
  # 0 and -0 are equal and have other bits.
  x_nd = jnp.where(x_nd == 0, 0.0, x_nd)
  bit_nd = jax.lax.bitcast_convert_type(x_nd, jnp.uint32)
  found = []
  for salt_d in salt_ld:
    hash_n = jnp.sum((bit_nd ^ (bit_nd >> 15)) * salt_d, -1, dtype=jnp.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
      hash_n = (hash_n ^ (hash_n >> shift)) * jnp.uint32(factor)
    hash_n = hash_n ^ (hash_n >> 16)
    found.append((hash_n >> 8).astype(jnp.float32) / (1 << 24))
  return jnp.stack(found, -1)
