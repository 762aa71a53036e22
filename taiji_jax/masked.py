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


def differences(x: jax.Array, mask: jax.Array, axis: int) -> jax.Array:
  """Returns `x` less its first value of the mask, float32; 0 outside the mask.

  Of equal values all differences are exactly 0. x - mean(x) is not: the mean is
  rounded.

  Args:
    x: `[...]`; values outside the mask may be anything, also NaN.
    mask: bool, of the shape of `x`.
    axis: along which the first is looked for.
  """
  x = x.astype(jnp.float32)
  first = jnp.argmax(mask, axis, keepdims=True)
  return jnp.where(mask, x - jnp.take_along_axis(x, first, axis), 0.0)
