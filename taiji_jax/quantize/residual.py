"""Residual quantisation: a vector as the sum of one code a level."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.quantize import chunks, kmeans
from taiji_jax.quantize.kmeans import Clusters


class Residual(NamedTuple):
  """Codebooks, and the codes of the rows that they were fitted on.

  Attributes:
    codebook_lkd: float32.
    code_nl: int32 in [0, K).
    price_lk: float32, of `Clusters`.
  """

  codebook_lkd: jax.Array
  code_nl: jax.Array
  price_lk: jax.Array


def fit(
  key: jax.Array,
  x_nd: jax.Array,
  levels: int,
  cluster: Callable[[jax.Array, jax.Array], Clusters],
) -> Residual:
  """Returns codebooks, fitted level by level.

  A level's centres are clusters of what the levels before leave:
  r_1 = x, c_l = cluster of r_l, r_{l+1} = r_l - e_{c_l}.

  Args:
    key: of the draws.
    x_nd: float32.
    levels: L, at least 1.
    cluster: (key, rows) -> `Clusters`, as `kmeans.fit` or `balanced.fit` with
      their options.
  """

  def level(rest_nd: jax.Array, key: jax.Array) -> tuple[jax.Array, Clusters]:
    found = cluster(key, rest_nd)
    return rest_nd - found.center_kd[found.code_n], found

  _, found = jax.lax.scan(level, x_nd, jax.random.split(key, levels))
  return Residual(found.center_kd, found.code_n.T, found.price_k)


def encode(
  x_nd: jax.Array,
  codebook_lkd: jax.Array,
  price_lk: jax.Array | None = None,
  *,
  chunk: int = chunks.CHUNK,
) -> jax.Array:
  """Returns the codes, int32 `[n, l]`: the nearest one of each level in turn.

  c_l = argmin_k |r_l - e_k|^2 + price_k, r_{l+1} = r_l - e_{c_l}.

  Args:
    x_nd: float32.
    codebook_lkd: float32.
    price_lk: float32, of balanced codebooks; None for no prices.
    chunk: rows whose K distances are held at once.
  """

  codebook_lkd = jnp.asarray(codebook_lkd)

  def of(carry: None, rest_cd: jax.Array) -> tuple[None, jax.Array]:
    code_lc = []
    for level, codebook_kd in enumerate(codebook_lkd):
      price_k = None if price_lk is None else price_lk[level]
      code_c, _ = kmeans.nearest(rest_cd, codebook_kd, price_k, chunk=chunk)
      rest_cd = rest_cd - codebook_kd[code_c]
      code_lc.append(code_c)
    return carry, jnp.stack(code_lc, -1)

  return chunks.over(of, None, chunk, x_nd)[1]


def decode(code_nl: jax.Array, codebook_lkd: jax.Array) -> jax.Array:
  """Returns the sums of the codes, float32 `[n, d]`.

  Args:
    code_nl: int32 in [0, K); of fewer levels than the codebook has, those are
      summed.
    codebook_lkd: float32.
  """
  total_nd = jnp.zeros((code_nl.shape[0], codebook_lkd.shape[-1]), jnp.float32)
  for level in range(code_nl.shape[1]):
    total_nd = total_nd + codebook_lkd[level][code_nl[:, level]]
  return total_nd
