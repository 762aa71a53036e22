"""Beam search over a trie: the likeliest sequences that are items, exactly."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from taiji_jax.decode import item_filter
from taiji_jax.decode.children import children
from taiji_jax.decode.item_filter import ItemFilter
from taiji_jax.decode.trie import Trie

Step = Callable[[Any, int, jax.Array, jax.Array], tuple[jax.Array, Any]]
"""(cache, level, parent_bm, code_bm) -> (logits_bmv of that level, cache).

`level` is a Python int from 1; beam j of a row goes on from what the cache
holds of its beam `parent_bm[:, j]` (at level 1 of the row itself, 0) with the
code `code_bm[:, j]` of the level before. m may differ from level to level."""


@chex.dataclass(frozen=True)
class Beams:
  """The likeliest sequences of each row, the likeliest first.

  Attributes:
    leaf_bm: int32, nodes of the last depth, all of a row different.
    logp_bm: float32, log-probabilities, -inf where there is no sequence.
    code_bml: int32, their codes.
    there_bm: bool, whether there is a sequence. Fewer items than beams leave
      the last ones empty.
  """

  leaf_bm: jax.Array
  logp_bm: jax.Array
  code_bml: jax.Array
  there_bm: jax.Array


def beams(
  logits_bv: jax.Array,
  cache: Any,
  step: Step,
  trie: Trie,
  width: int,
  normalize: str = 'children',
  only: ItemFilter | None = None,
) -> Beams:
  """Returns the sequences that beam search finds, every one of them an item.

  At each level every child of every beam is a candidate and the `width` best by
  the sum of log-probabilities go on: nothing is cut before. Of equal ones the
  child of the better beam and the lower code goes first.

  Args:
    logits_bv: float32, of the codes of level 0 behind each prompt.
    cache: what `step` needs of the prompts.
    step: the model; see `Step`.
    trie: of the catalogue.
    width: beams a row, at least 1.
    normalize, only: see `children.children`.

  Raises:
    ValueError: `width` below 1.
  """
  if width < 1:
    raise ValueError(f'width is {width}; give at least one beam.')
  b = len(logits_bv)
  node_bm = jnp.zeros((b, 1), jnp.int32)
  logp_bm = jnp.zeros((b, 1), jnp.float32)
  code_bml = jnp.zeros((b, 1, 0), jnp.int32)
  logits_bmv = logits_bv[:, None]
  for level in range(trie.levels):
    alive_bm = logp_bm > -jnp.inf
    found = children(
      trie, level, node_bm, alive_bm, logits_bmv, normalize, only
    )
    sum_be = found.plus(logp_bm)
    most = min(width, sum_be.shape[1])
    logp_bm, at_bm = jax.lax.top_k(sum_be, most)
    parent_bm, node_bm, code_bm = found.take(at_bm)
    before_bml = jnp.take_along_axis(code_bml, parent_bm[..., None], 1)
    code_bml = jnp.concatenate([before_bml, code_bm[..., None]], -1)
    if level + 1 < trie.levels:
      logits_bmv, cache = step(cache, level + 1, parent_bm, code_bm)
  return _filled(node_bm, logp_bm, code_bml, width)


def _filled(
  node_bm: jax.Array, logp_bm: jax.Array, code_bml: jax.Array, width: int
) -> Beams:
  """Returns the beams, empty ones added where there are fewer."""
  lack = ((0, 0), (0, width - node_bm.shape[1]))
  logp_bm = jnp.pad(logp_bm, lack, constant_values=-jnp.inf)
  there_bm = logp_bm > -jnp.inf
  return Beams(
    leaf_bm=jnp.where(there_bm, jnp.pad(node_bm, lack), 0),
    logp_bm=logp_bm,
    code_bml=jnp.where(
      there_bm[..., None], jnp.pad(code_bml, (*lack, (0, 0))), 0
    ),
    there_bm=there_bm,
  )


@chex.dataclass(frozen=True)
class Items:
  """The items of some beams, the best first.

  Attributes:
    item_bk: int32 numbers of items, -1 where there is none.
    logp_bk: float32, of the sequence of each, -inf where there is none.
    beam_bk: int32, which beam each comes from.
    there_bk: bool, whether there is an item.
  """

  item_bk: jax.Array
  logp_bk: jax.Array
  beam_bk: jax.Array
  there_bk: jax.Array


def items(
  found: Beams, trie: Trie, count: int, only: ItemFilter | None = None
) -> Items:
  """Returns the items of beams; each takes a rank.

  Of items that share a sequence the most frequent in training goes first, then
  the lowest number.

  Args:
    found: what `beams` returned.
    trie: the same.
    count: k, the most items a row.
    only: the same filter: a sequence may have items that may not be returned.
  """
  b, m = found.leaf_bm.shape
  same = trie.capacity.same_code
  first_bm = trie.slot[-1][found.leaf_bm]
  last_bm = trie.slot[-1][found.leaf_bm + 1]
  slot_bms = first_bm[..., None] + jnp.arange(same, dtype=jnp.int32)
  there_bms = (slot_bms < last_bm[..., None]) & found.there_bm[..., None]
  slot_bj = jnp.minimum(slot_bms, len(trie.item_s) - 1).reshape(b, -1)
  there_bj = there_bms.reshape(b, -1)
  if only is not None:
    there_bj &= only.open_slot(slot_bj)
  order_bj = jnp.argsort(~there_bj, axis=1, stable=True)[:, :count]
  there_bk = jnp.take_along_axis(there_bj, order_bj, 1)
  slot_bk = jnp.take_along_axis(slot_bj, order_bj, 1)
  beam_bk = order_bj // same
  logp_bk = jnp.take_along_axis(found.logp_bm, beam_bk, 1)
  lack = ((0, 0), (0, count - order_bj.shape[1]))
  there_bk = jnp.pad(there_bk, lack)
  return Items(
    item_bk=jnp.where(there_bk, jnp.pad(trie.item_s[slot_bk], lack), -1),
    logp_bk=jnp.where(there_bk, jnp.pad(logp_bk, lack), -jnp.inf),
    beam_bk=jnp.pad(beam_bk, lack),
    there_bk=there_bk,
  )


def search(
  logits_bv: jax.Array,
  cache: Any,
  step: Step,
  trie: Trie,
  width: int,
  count: int = 0,
  normalize: str = 'children',
  excluded_bx: jax.Array | None = None,
  allowed_bn: jax.Array | None = None,
) -> Items:
  """Returns the best items of each row: `beams`, then `items`.

  Args:
    logits_bv, cache, step, trie, width, normalize: see `beams`.
    count: the most items a row; `width` where 0.
    excluded_bx, allowed_bn: see `item_filter.of`.
  """
  only = item_filter.of(trie, len(logits_bv), excluded_bx, allowed_bn)
  found = beams(logits_bv, cache, step, trie, width, normalize, only)
  return items(found, trie, count or width, only)
