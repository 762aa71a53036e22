"""The likeliest items of each row, exactly, without scoring all of them.

Of the items that are no known pair of a row, those of one category come in the
order of their popularity. So the first few of the best few categories hold the
best of them, and what was not looked at has a bound: where the list lies above
it, it is exact; else more is looked at.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.retrieve import logit
from taiji_jax.retrieve.logit import Known, Scored


class Shelves(NamedTuple):
  """The items of each category, best first.

  Attributes:
    item_n: int32 `[N]`, items by category, the best base score first; ties by
      index.
    start_g, size_g: int32 `[G]`, where a category begins in it, and its items.
  """

  item_n: jax.Array
  start_g: jax.Array
  size_g: jax.Array

  @classmethod
  def of(cls, base_n: np.ndarray, leaf_n: np.ndarray, leaves: int) -> 'Shelves':
    """Returns the shelves of items with these scores and categories."""
    size_g = np.bincount(leaf_n, minlength=leaves)
    return cls(
      np.lexsort((-base_n, leaf_n)).astype(np.int32),
      (np.cumsum(size_g) - size_g).astype(np.int32),
      size_g.astype(np.int32),
    )


@functools.partial(jax.jit, static_argnames='count')
def best_of_all(
  known: Known, scored: Scored, count: int
) -> tuple[jax.Array, jax.Array]:
  """Returns items and scores of each list `[b, count]`; ties go by index.

  Every item is scored: for a catalogue of thousands that is the fastest.

  Args:
    known, scored: the rows.
    count: length of the lists, at most N.

  Returns:
    int32, -1 where fewer can come; float32, -inf there.
  """
  score_bc, item_bc = jax.lax.top_k(logit.scores(known, scored), count)
  item_bc = jnp.where(score_bc > -jnp.inf, item_bc, -1)
  return item_bc.astype(jnp.int32), score_bc


@functools.partial(jax.jit, static_argnames=('count', 'wide', 'deep'))
def best(
  known: Known,
  scored: Scored,
  shelves: Shelves,
  count: int,
  wide: int,
  deep: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns items and scores of each list `[b, count]`, and what is exact.

  Args:
    known, scored: the rows.
    shelves: of `scored.base_n`.
    count: length of the lists.
    wide: categories that are looked at, at most G.
    deep: items of each that are looked at.

  Returns:
    int32, -1 where fewer can come; float32, -inf there; bool `[b]`, whether the
    list is known to be exact. Ties go by index.
  """
  rows = scored.leaf_bg.shape[0]
  own = _of_pairs(known, scored.score_q, rows, count)
  others, bound_b = _others(known, scored, shelves, wide, deep)
  score_bm, item_bm = (
    jnp.concatenate([a, b], 1) for a, b in zip(own, others, strict=True)
  )
  item_bm = jnp.where(score_bm > -jnp.inf, item_bm, np.iinfo(np.int32).max)
  lack = max(count - score_bm.shape[1], 0)
  fill = ((0, 0), (0, lack))
  score_bm = jnp.pad(score_bm, fill, constant_values=-jnp.inf)
  item_bm = jnp.pad(item_bm, fill)
  minus_bm, item_bm = jax.lax.sort((-score_bm, item_bm), num_keys=2)
  score_bc, item_bc = -minus_bm[:, :count], item_bm[:, :count]
  item_bc = jnp.where(score_bc > -jnp.inf, item_bc, -1)
  exact_b = (score_bc[:, -1] > bound_b) | (bound_b == -jnp.inf)
  return item_bc, score_bc, exact_b


def _of_pairs(
  known: Known, score_q: jax.Array, rows: int, count: int
) -> tuple[jax.Array, jax.Array]:
  """Returns the best scores of known pairs `[b, count]`, and their items."""
  # Stable: of one row and score the lower item stays first.
  row_q, minus_q, item_q = jax.lax.sort(
    (known.row_q, -score_q, known.item_q), num_keys=2
  )
  start_b = jnp.searchsorted(row_q, jnp.arange(rows + 1))
  at_bc = start_b[:rows, None] + jnp.arange(count)
  there_bc = at_bc < start_b[1:, None]
  at_bc = jnp.minimum(at_bc, len(row_q) - 1)
  return jnp.where(there_bc, -minus_q[at_bc], -jnp.inf), item_q[at_bc]


def _others(
  known: Known, scored: Scored, shelves: Shelves, wide: int, deep: int
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
  """Returns scores and items `[b, wide * deep]`, and the bound of the rest."""
  rows, leaves = scored.leaf_bg.shape
  items = shelves.item_n.shape[0]
  first_g = scored.base_n[shelves.item_n[shelves.start_g]]
  head_bw, leaf_bw = jax.lax.top_k(
    scored.leaf_bg + first_g, min(wide + 1, leaves)
  )
  bound_b = jnp.full(rows, -jnp.inf)
  if wide < leaves:
    bound_b = head_bw[:, wide]
    leaf_bw = leaf_bw[:, :wide]
  place_d = jnp.arange(deep + 1)
  at_bwd = shelves.start_g[leaf_bw][..., None] + place_d
  there_bwd = place_d < shelves.size_g[leaf_bw][..., None]
  item_bwd = shelves.item_n[jnp.minimum(at_bwd, items - 1)]
  own_bw = jnp.take_along_axis(scored.leaf_bg, leaf_bw, 1)
  # The same sum as of the known pairs, so that rounding makes no order.
  score_bwd = scored.base_n[item_bwd] + own_bw[..., None]
  score_bwd = jnp.where(there_bwd, score_bwd, -jnp.inf)
  bound_b = jnp.maximum(bound_b, score_bwd[..., deep].max(1))
  score_bm = score_bwd[..., :deep].reshape(rows, -1)
  item_bm = item_bwd[..., :deep].reshape(rows, -1)
  key_q = known.row_q * items + known.item_q
  key_q = jnp.where(known.row_q < rows, key_q, np.iinfo(np.int32).max)
  key_bm = jnp.arange(rows)[:, None] * items + item_bm
  at_bm = jnp.minimum(jnp.searchsorted(key_q, key_bm), len(key_q) - 1)
  return (
    jnp.where(key_q[at_bm] == key_bm, -jnp.inf, score_bm),
    item_bm,
  ), bound_b
