"""The likeliest items of each row, exactly, without scoring all of them.

Of the items that are no known pair of a row, those that share as much of a
category path with its history come in the order of their popularity. So the
first few of every category of the history, and the first few of all items, hold
the best of them; and what was not looked at has a bound: where a list reaches
it, the list is exact, else more is looked at.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.retrieve import logit
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.logit import Known, Scored

_ROOT = 0


class Shelves(NamedTuple):
  """The items of each category of each level, and of all: best first.

  Shelf 0 has all items; behind it are the first levels, the second, the third.

  Attributes:
    item_i: int32 `[4 N]`, items shelf by shelf, the best base score first; ties
      by index.
    start_v, size_v: int32 `[V]`, where a shelf begins in it, and its items.
    level_v: int32 `[V]`, how many levels its items share, 0 to 3.
  """

  item_i: np.ndarray
  start_v: np.ndarray
  size_v: np.ndarray
  level_v: np.ndarray

  @classmethod
  def of(cls, base_n: np.ndarray, items: Items) -> 'Shelves':
    """Returns the shelves of items with these base scores."""
    every = np.argsort(-base_n, kind='stable')
    shelves, sizes, levels = [every], [[len(every)]], [[0]]
    for level, (code_n, count) in enumerate(
      zip(items.code_ln, items.codes, strict=True), 1
    ):
      # Stable: the order of `every` stays within a code.
      code = code_n[every]
      known = every[code >= 0]
      shelves.append(known[np.argsort(code_n[known], kind='stable')])
      sizes.append(np.bincount(code_n[known], minlength=count))
      levels.append(np.full(count, level))
    size_v = np.concatenate(sizes)
    return cls(
      np.concatenate(shelves).astype(np.int32),
      (np.cumsum(size_v) - size_v).astype(np.int32),
      size_v.astype(np.int32),
      np.concatenate(levels).astype(np.int32),
    )


def shelves_of(history_bs: np.ndarray, items: Items) -> np.ndarray:
  """Returns the shelves that a row's history is on, int32 `[b, W]`.

  Args:
    history_bs: int32, padded with -1.
    items: of the catalogue.

  Returns:
    Each shelf once, the first one always; padded with -1, W a power of two.
  """
  first = 1
  found = [np.zeros((len(history_bs), 1), np.int64)]
  for code_n, count in zip(items.code_ln, items.codes, strict=True):
    code_bs = np.where(history_bs >= 0, code_n[history_bs], -1)
    found.append(np.where(code_bs >= 0, first + code_bs, -1))
    first += count
  shelf_bk = -np.sort(-np.concatenate(found, 1), axis=1)
  again = np.zeros(shelf_bk.shape, bool)
  again[:, 1:] = shelf_bk[:, 1:] == shelf_bk[:, :-1]
  shelf_bk = -np.sort(-np.where(again, -1, shelf_bk), axis=1)
  most = max(int((shelf_bk >= 0).sum(1).max()), 1)
  width = 1 << (most - 1).bit_length()
  lack = max(width - shelf_bk.shape[1], 0)
  shelf_bk = np.pad(shelf_bk, ((0, 0), (0, lack)), constant_values=-1)
  return shelf_bk[:, :width].astype(np.int32)


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


@functools.partial(jax.jit, static_argnames=('codes', 'count', 'deep', 'width'))
def best(
  known: Known,
  scored: Scored,
  shelves: Shelves,
  shelf_bw: jax.Array,
  codes: tuple[int, ...],
  count: int,
  deep: int,
  width: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns items and scores of each list `[b, count]`, and what is exact.

  Args:
    known, scored: the rows.
    shelves: of `scored.base_n`.
    shelf_bw: of `shelves_of`.
    codes: of `Items`.
    count: length of the lists.
    deep: items of each shelf that are looked at.
    width: at least the known pairs of any row.

  Returns:
    int32, -1 where fewer can come; float32, -inf there; bool `[b]`, whether the
    list is known to be exact: only items that score no more than its last are
    left out.
  """
  rows = scored.leaf_bg.shape[0]
  own = _of_pairs(known, scored.score_q, rows, count, width)
  others, bound_b = _others(known, scored, shelves, shelf_bw, codes, deep)
  score_bm, item_bm = (
    jnp.concatenate([a, b], 1) for a, b in zip(own, others, strict=True)
  )
  score_bc, at_bc = jax.lax.top_k(score_bm, count)
  item_bc = jnp.take_along_axis(item_bm, at_bc, 1)
  item_bc = jnp.where(score_bc > -jnp.inf, item_bc, np.iinfo(np.int32).max)
  minus_bc, item_bc = jax.lax.sort((-score_bc, item_bc), num_keys=2)
  exact_b = score_bc[:, -1] >= bound_b
  return jnp.where(minus_bc < jnp.inf, item_bc, -1), -minus_bc, exact_b


def _of_pairs(
  known: Known, score_q: jax.Array, rows: int, count: int, width: int
) -> tuple[jax.Array, jax.Array]:
  """Returns the best scores of known pairs `[b, count]`, and their items."""
  start_b = jnp.searchsorted(known.row_q, jnp.arange(rows + 1))
  at_bw = start_b[:rows, None] + jnp.arange(max(width, count))
  there_bw = at_bw < start_b[1:, None]
  at_bw = jnp.minimum(at_bw, len(score_q) - 1)
  # Ties go to the earlier pair, which is that of the lower item.
  score_bc, at_bc = jax.lax.top_k(
    jnp.where(there_bw, score_q[at_bw], -jnp.inf), count
  )
  return score_bc, known.item_q[jnp.take_along_axis(at_bw, at_bc, 1)]


def _others(
  known: Known,
  scored: Scored,
  shelves: Shelves,
  shelf_bw: jax.Array,
  codes: tuple[int, ...],
  deep: int,
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
  """Returns scores and items `[b, W * deep]`, and the bound of the rest."""
  rows, items = scored.leaf_bg.shape[0], known.leaf_n.shape[0]
  there_bw = shelf_bw >= 0
  shelf_bw = jnp.maximum(shelf_bw, _ROOT)
  level_bw = shelves.level_v[shelf_bw]
  place_d = jnp.arange(deep + 1)
  at_bwd = shelves.start_v[shelf_bw][..., None] + place_d
  there_bwd = place_d < shelves.size_v[shelf_bw][..., None]
  there_bwd &= there_bw[..., None]
  at_bwd = jnp.minimum(at_bwd, len(shelves.item_i) - 1)
  item_bwd = shelves.item_i[at_bwd]
  leaf_bwd = known.leaf_n[item_bwd]
  b = jnp.arange(rows)[:, None, None]
  # The same sum as of the known pairs, so that rounding makes no order.
  score_bwd = scored.base_n[item_bwd] + scored.leaf_bg[b, leaf_bwd]

  # An item counts on the shelf of all the levels that it shares with the row.
  levels = scored.x_fbg.shape[0] // 2
  shared_bg = jnp.sum(scored.x_fbg[levels:] > 0, 0)
  own_bwd = there_bwd & (shared_bg[b, leaf_bwd] == level_bw[..., None])
  key_q = known.row_q * items + known.item_q
  key_q = jnp.where(known.row_q < rows, key_q, np.iinfo(np.int32).max)
  key_bwd = b * items + item_bwd
  at_bwd = jnp.minimum(jnp.searchsorted(key_q, key_bwd), len(key_q) - 1)
  own_bwd &= key_q[at_bwd] != key_bwd
  listed_bwd = jnp.where(own_bwd, score_bwd, -jnp.inf)[..., :deep]

  # What is deeper shares just as much, and is no more popular than the first
  # that was not looked at; a shelf without an item that counts has no bound.
  offset_bv = _offsets(scored, known, shared_bg, codes)
  offset_bw = jnp.take_along_axis(offset_bv, shelf_bw, 1)
  bound_bw = scored.base_n[item_bwd[..., deep]] + offset_bw
  bound_b = jnp.where(there_bwd[..., deep], bound_bw, -jnp.inf).max(1)
  return (
    listed_bwd.reshape(rows, -1),
    item_bwd[..., :deep].reshape(rows, -1),
  ), bound_b


def _offsets(
  scored: Scored, known: Known, shared_bg: jax.Array, codes: tuple[int, ...]
) -> jax.Array:
  """Returns what the items that count on each shelf score for their category.

  It is the same for all of them; -inf where there is none, float32 `[b, v]`.
  """
  root_b1 = jnp.where(shared_bg == 0, scored.leaf_bg, -jnp.inf)
  found = [root_b1.max(1, keepdims=True)]
  for level, (code_g, size) in enumerate(
    zip(known.leaf_lg, codes, strict=True), 1
  ):
    own_bg = jnp.where(shared_bg == level, scored.leaf_bg, -jnp.inf)
    most_cb = jax.ops.segment_max(
      own_bg.T, jnp.where(code_g >= 0, code_g, size), size + 1
    )
    found.append(most_cb[:size].T)
  return jnp.concatenate(found, 1)
