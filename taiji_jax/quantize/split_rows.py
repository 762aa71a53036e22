"""Rows that are split over the axes of a mesh, seen as one set.

Within `jax.shard_map` each device has as many rows, the first device the first
ones. `axis` names the mesh axes; None is one device with all rows.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Axis = str | tuple[str, ...] | None


def total(tree: Any, axis: Axis) -> Any:
  """Returns the sums over the devices."""
  return tree if axis is None else jax.lax.psum(tree, axis)


def real(here: int, rows: int | None, axis: Axis) -> jax.Array:
  """Returns 1 for each row and 0 for padding, float32 `[n]`.

  Args:
    here: rows that this device has, padding counted.
    rows: of all devices without the padding, which comes last; None where
      there is no padding.
    axis: see above.
  """
  if rows is None:
    return jnp.ones(here, jnp.float32)
  return (_first(here, axis) + jnp.arange(here) < rows).astype(jnp.float32)


def at(x_nd: jax.Array, index_m: jax.Array, axis: Axis) -> jax.Array:
  """Returns the rows at some places of the whole set, `[m, d]`.

  Args:
    x_nd: the rows of this device.
    index_m: int32, places among the rows of all devices.
    axis: see above.
  """
  if axis is None:
    return jnp.asarray(x_nd)[index_m]
  here = x_nd.shape[0]
  own_m = index_m - _first(here, axis)
  mine_m = (own_m >= 0) & (own_m < here)
  row_md = x_nd[jnp.clip(own_m, 0, here - 1)]
  return jax.lax.psum(jnp.where(mine_m[:, None], row_md, 0), axis)


def largest(
  value_n: jax.Array, x_nd: jax.Array, many: int, axis: Axis
) -> tuple[jax.Array, jax.Array]:
  """Returns the largest values, falling, and their rows: `[m]`, `[m, d]`.

  Ties go to the earlier row.

  Args:
    value_n: float32.
    x_nd: the rows of this device.
    many: how many; fewer come where there are fewer rows.
    axis: see above.
  """
  value_m, at_m = jax.lax.top_k(value_n, min(many, value_n.shape[0]))
  row_md = jnp.asarray(x_nd)[at_m]
  if axis is None:
    return value_m, row_md
  value_m, row_md = jax.lax.all_gather((value_m, row_md), axis, tiled=True)
  value_m, at_m = jax.lax.top_k(value_m, min(many, value_m.shape[0]))
  return value_m, row_md[at_m]


def sample(key: jax.Array, rows: int, many: int) -> jax.Array:
  """Returns places of rows, int32 `[many]`: one of each of equal stretches.

  No row comes twice, unless there are fewer than are wanted: then all come, the
  first ones again.

  Args:
    key: of the draw.
    rows: how many there are, at least 1.
    many: how many are wanted.
  """
  if rows <= many:
    return jnp.arange(many, dtype=jnp.int32) % rows
  edge = np.arange(many + 1, dtype=np.int64) * rows // many
  size = np.diff(edge).astype(np.int32)
  drawn = jnp.floor(jax.random.uniform(key, (many,)) * size).astype(jnp.int32)
  return edge[:-1].astype(np.int32) + jnp.minimum(drawn, size - 1)


def _first(here: int, axis: Axis) -> jax.Array:
  """Returns the place of this device's first row."""
  return jnp.int32(0) if axis is None else jax.lax.axis_index(axis) * here
