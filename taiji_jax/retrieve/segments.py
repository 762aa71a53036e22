"""Sums by code within each row."""

import jax
import jax.numpy as jnp


def by_code(code_bm: jax.Array, value_bm: jax.Array, size: int) -> jax.Array:
  """Returns the sum of the values of each code, float32 `[b, size + 1]`.

  Args:
    code_bm: int32 below `size`; -1 is no code.
    value_bm: float32.
    size: how many codes there are; the last column, beyond them, is 0, so that
      what has no code can read it.
  """
  rows = code_bm.shape[0]
  row_b1 = jnp.arange(rows)[:, None] * (size + 1)
  known_bm = code_bm >= 0
  place_bm = row_b1 + jnp.where(known_bm, code_bm, size)
  added = jax.ops.segment_sum(
    jnp.where(known_bm, value_bm, 0.0).ravel(),
    place_bm.ravel(),
    rows * (size + 1),
  )
  return added.reshape(rows, size + 1)
