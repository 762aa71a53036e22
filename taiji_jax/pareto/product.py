"""Products of whole float32, whatever the device's default precision."""

import functools

import jax
import jax.numpy as jnp

# Where it is not asked for, a TPU multiplies in bfloat16, a GPU in TF32.
HIGHEST = jax.lax.Precision.HIGHEST

product = functools.partial(jnp.matmul, precision=HIGHEST)


def square(matrix_kk: jax.Array, vector_k: jax.Array) -> jax.Array:
  """Returns v.M v, a scalar.

  >>> float(square(jnp.array([[2.0, 1.0], [1.0, 1.0]]), jnp.array([1.0, -1.0])))
  1.0
  """
  return product(vector_k, product(matrix_kk, vector_k))
