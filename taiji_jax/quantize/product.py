"""Product quantisation: a vector cut into parts, a code for each part."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.quantize import chunks, kmeans
from taiji_jax.quantize.kmeans import Clusters


def fit(
  key: jax.Array,
  x_nd: jax.Array,
  parts: int,
  cluster: Callable[[jax.Array, jax.Array], Clusters],
) -> tuple[jax.Array, jax.Array]:
  """Returns the codebooks and the codes of the rows: `[m, k, d / m]`, `[n, m]`.

  Each part of the vectors is clustered by itself (Jegou et al., 2011,
  doi:10.1109/TPAMI.2010.57). One part is in work at a time.

  Args:
    key: of the draws.
    x_nd: float32.
    parts: M, which divides the width.
    cluster: (key, rows) -> `Clusters`, as `kmeans.fit` with its options.

  Raises:
    UserError: the width does not divide by `parts`.
  """
  part_mnd = _cut(x_nd, parts)
  found = jax.lax.map(
    lambda each: cluster(*each), (jax.random.split(key, parts), part_mnd)
  )
  return found.center_kd, found.code_n.T


def encode(
  x_nd: jax.Array, codebook_mkd: jax.Array, *, chunk: int = chunks.CHUNK
) -> jax.Array:
  """Returns the nearest code of each part, int32 `[n, m]`.

  Args:
    x_nd: float32.
    codebook_mkd: float32, of the parts.
    chunk: rows whose K distances are held at once.

  Raises:
    UserError: the width is not that of the codebooks.
  """
  parts, _, width = codebook_mkd.shape
  if x_nd.shape[-1] != parts * width:
    raise UserError(
      f'the vectors have width {x_nd.shape[-1]}, the codebooks {parts} parts of'
      f' {width}; encode vectors of width {parts * width}.'
    )
  part_mnd = _cut(x_nd, parts)
  code_mn = jax.lax.map(
    lambda each: kmeans.nearest(*each, chunk=chunk)[0], (part_mnd, codebook_mkd)
  )
  return code_mn.T


def decode(code_nm: jax.Array, codebook_mkd: jax.Array) -> jax.Array:
  """Returns the parts' codes side by side, float32 `[n, d]`.

  Args:
    code_nm: int32 in [0, K).
    codebook_mkd: float32, of the parts.
  """
  part = jnp.arange(codebook_mkd.shape[0])
  return codebook_mkd[part, code_nm].reshape(code_nm.shape[0], -1)


def _cut(x_nd: jax.Array, parts: int) -> jax.Array:
  """Returns the parts of the vectors, `[m, n, d / m]`."""
  rows, width = x_nd.shape
  if parts < 1 or width % parts:
    raise UserError(
      f'parts is {parts}, the vectors have width {width}; give a number that'
      ' divides the width.'
    )
  return jnp.swapaxes(x_nd.reshape(rows, parts, width // parts), 0, 1)
