"""Which items have the nearest titles."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

_DECIMALS = 6
_CELLS = 1 << 23


@dataclasses.dataclass(frozen=True)
class Neighbours:
  """The K nearest items of each item, by the cosine of their vectors.

  Attributes:
    item_nk: int32 `[N, K]`, nearest first. The item itself counts as one; ties,
      at six decimals, go by index, so that of more than K equal vectors an item
      may not find itself.
    cosine_nk: float32 `[N, K]` in [-1, 1].
  """

  item_nk: np.ndarray
  cosine_nk: np.ndarray


def none(items: int) -> Neighbours:
  """Returns what stands for a log without texts: each item is near itself."""
  own_nk = np.arange(items, dtype=np.int32)[:, None]
  return Neighbours(own_nk, np.ones((items, 1), np.float32))


def nearest(vector_nd: np.ndarray, count: int) -> Neighbours:
  """Returns the nearest items; no N x N table is ever held.

  Args:
    vector_nd: float, one vector an item, of any norm.
    count: K; N where there are fewer items.
  """
  items = len(vector_nd)
  norm_n1 = np.linalg.norm(vector_nd, axis=-1, keepdims=True)
  unit_nd = (vector_nd / np.maximum(norm_n1, 1e-12)).astype(np.float32)
  count = min(count, items)
  chunk = max(1, min(items, _CELLS // items))
  parts = []
  for start in range(0, items, chunk):
    # The last chunk is filled up with repeats, so that there is one trace.
    index = np.arange(start, start + chunk) % items
    found = _nearest(unit_nd[index], unit_nd, count)
    parts.append([np.asarray(x)[: items - start] for x in found])
  cosine_nk, item_nk = (np.concatenate(p) for p in zip(*parts, strict=True))
  return Neighbours(item_nk.astype(np.int32), cosine_nk)


@functools.partial(jax.jit, static_argnums=2)
def _nearest(query_bd: jax.Array, pool_nd: jax.Array, count: int) -> tuple:
  cosine_bn = jnp.matmul(query_bd, pool_nd.T, precision='highest')
  return jax.lax.top_k(jnp.round(cosine_bn, _DECIMALS), count)
