"""Codes that nobody uses, put back to where rows are."""

import jax
import jax.numpy as jnp

from taiji_jax.quantize import split_rows
from taiji_jax.quantize.split_rows import Axis


def farthest(
  center_kd: jax.Array,
  count_k: jax.Array,
  x_nd: jax.Array,
  square_n: jax.Array,
  axis: Axis = None,
) -> jax.Array:
  """Returns the centres, those without rows moved to the farthest rows.

  The first such centre takes the row that is farthest from its own centre, the
  second the next one. A centre that finds no row at a distance stays: there are
  fewer different rows than centres.

  Args:
    center_kd: float32.
    count_k: float32, the rows of each centre, over all devices.
    x_nd: float32, the rows of this device.
    square_n: float32, the squared distance of each row from its centre; below 0
      for padding.
    axis: mesh axes that the rows are split over, None for one device.
  """
  dead_k = count_k == 0

  def moved(center_kd: jax.Array) -> jax.Array:
    far_m, row_md = split_rows.largest(square_n, x_nd, len(center_kd), axis)
    place_k = jnp.cumsum(dead_k) - 1
    at_k = jnp.clip(place_k, 0, len(far_m) - 1)
    take_k = dead_k & (place_k < len(far_m)) & (far_m[at_k] > 0)
    return jnp.where(take_k[:, None], row_md[at_k], center_kd)

  return jax.lax.cond(jnp.any(dead_k), moved, lambda c: c, center_kd)


def at_random(
  key: jax.Array, codebook_kd: jax.Array, use_k: jax.Array, x_nd: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns a codebook without dead codes, and which were dead, bool `[k]`.

  A dead code is put on a row drawn at random, no row twice unless there are
  fewer rows than codes (as Jukebox does, arXiv:2005.00341, 3.1).

  Args:
    key: of the draws.
    codebook_kd: float32.
    use_k: how often each code was used of late; 0 is dead.
    x_nd: float32, rows that the codebook is to fit.
  """
  dead_k = use_k == 0
  order_n = jax.random.permutation(key, x_nd.shape[0])
  row_kd = x_nd[order_n[(jnp.cumsum(dead_k) - 1) % x_nd.shape[0]]]
  return jnp.where(dead_k[:, None], row_kd, codebook_kd), dead_k
