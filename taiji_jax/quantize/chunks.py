"""Rows taken a chunk at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

CHUNK = 4096


def over(
  function: Callable[..., tuple[Any, Any]],
  carry: Any,
  chunk: int,
  *arrays: jax.Array,
) -> tuple[Any, Any]:
  """Returns the last carry, and the outputs of all rows in their order.

  One chunk is in work at a time; the rows that fill none are the last one.

  Args:
    function: (carry, *parts) -> (carry, outputs): `parts` are the same rows of
      each array, `outputs` a pytree of arrays with a row for each.
    carry: what the first chunk is given.
    chunk: rows of a chunk, at least 1.
    *arrays: `[N, ...]` each, N at least 1.
  """
  rows = arrays[0].shape[0]
  if rows <= chunk:
    return function(carry, *arrays)
  whole = rows - rows % chunk
  parts = tuple(x[:whole].reshape(-1, chunk, *x.shape[1:]) for x in arrays)
  carry, found = jax.lax.scan(lambda c, p: function(c, *p), carry, parts)
  found = jax.tree.map(lambda y: y.reshape(whole, *y.shape[2:]), found)
  if whole == rows:
    return carry, found
  carry, last = function(carry, *(x[whole:] for x in arrays))
  return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), found, last)
