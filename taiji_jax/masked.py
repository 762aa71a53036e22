"""Reductions over padded axes: the only place where a mask meets a sum."""

import jax
import jax.numpy as jnp


def total(x: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns (sum, count) of `x` where `mask`, both float32 scalars.

  Divide once, after sums and counts of all micro-batches and devices are added,
  so that gradient accumulation is exact.

  Args:
    x: `[...]`; values outside the mask may be anything, also NaN.
    mask: bool `[...]`.
  """
  x = jnp.where(mask, x.astype(jnp.float32), 0.0)
  return x.sum(), mask.sum(dtype=jnp.float32)


def mean(
  x: jax.Array, mask: jax.Array, axis: int | tuple[int, ...] | None = None
) -> jax.Array:
  """Returns the float32 mean of `x` where `mask`; 0 where nothing is left.

  Args:
    x: `[...]`; values outside the mask may be anything, also NaN.
    mask: bool `[...]`.
    axis: the reduced axes; all where None.
  """
  x = jnp.where(mask, x.astype(jnp.float32), 0.0)
  count = mask.sum(axis=axis, dtype=jnp.float32)
  return x.sum(axis=axis) / jnp.maximum(count, 1.0)
