"""The children of some nodes of a trie, and their scores."""

import dataclasses

import jax
import jax.numpy as jnp

from taiji_jax.decode.item_filter import ItemFilter
from taiji_jax.decode.trie import Trie

NORMALIZE = ('children', 'vocabulary')
# A dense level scores every code of every beam; below this many entries for one
# of the packed form it is the faster of the two.
_DENSE_PER_PACKED = 4


@dataclasses.dataclass(frozen=True)
class Children:
  """The children of m nodes of each row, one entry each.

  Attributes:
    logp_be: float32, log-probability of each behind its node, -inf where the
      entry is none.
    beam_be, node_be, code_be: int32 of each entry: which of the m nodes it
      follows, its own number, its code. None where the level is dense.
    table: the dense table of the level, None where it is packed.
    parent_bm: int32, the m nodes.
  """

  logp_be: jax.Array
  beam_be: jax.Array | None
  node_be: jax.Array | None
  code_be: jax.Array | None
  table: jax.Array | None
  parent_bm: jax.Array

  def plus(self, logp_bm: jax.Array) -> jax.Array:
    """Returns what the m nodes have and the entries add, `[b, e]`.

    Args:
      logp_bm: float32, of the m nodes.
    """
    if self.beam_be is not None:
      return self.logp_be + jnp.take_along_axis(logp_bm, self.beam_be, 1)
    b, m = logp_bm.shape
    return (self.logp_be.reshape(b, m, -1) + logp_bm[..., None]).reshape(b, -1)

  def take(self, at_bk: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns (beam, node, code) of some entries, int32 `[b, k]` each.

    Args:
      at_bk: int32, which entries.
    """
    if self.beam_be is not None:
      every = (self.beam_be, self.node_be, self.code_be)
      return tuple(jnp.take_along_axis(x, at_bk, 1) for x in every)
    codes = self.table.shape[1]
    beam_bk, code_bk = at_bk // codes, at_bk % codes
    parent_bk = jnp.take_along_axis(self.parent_bm, beam_bk, 1)
    return beam_bk, jnp.maximum(self.table[parent_bk, code_bk], 0), code_bk


def children(
  trie: Trie,
  level: int,
  node_bm: jax.Array,
  alive_bm: jax.Array,
  logits_bmv: jax.Array,
  normalize: str = 'children',
  only: ItemFilter | None = None,
  repeats: bool = False,
) -> Children:
  """Returns the children of m nodes of each row with their log-probabilities.

  Children of all nodes of a row lie one after the other, in as many entries as
  the m widest nodes of the depth have together: so one wide node is paid once
  and not by every beam.

  Args:
    trie: of the catalogue.
    level: of the codes, from 0.
    node_bm: int32, nodes of that depth.
    alive_bm: bool, which of them are nodes.
    logits_bmv: float32, of the codes of the level behind each node.
    normalize: over which codes probabilities sum to 1: 'children', those that
      lead to an item that may be returned (the policy that is decoded), or
      'vocabulary', all (published generators).
    only: which items may be returned; all where None.
    repeats: whether the nodes of a row may be the same one.

  Raises:
    ValueError: another `normalize`, or logits of too few codes.
  """
  _check(trie, level, logits_bmv, normalize)
  m = node_bm.shape[1]
  packed = trie.capacity.children(level, 1 if repeats else m)
  packed *= m if repeats else 1
  table, codes = trie.table[level], trie.capacity.codes[level]
  if table is not None and m * codes <= _DENSE_PER_PACKED * packed:
    return _dense(trie, level, node_bm, alive_bm, logits_bmv, normalize, only)
  return _packed(
    trie, level, node_bm, alive_bm, logits_bmv, normalize, only, packed
  )


def _check(trie, level, logits_bmv, normalize) -> None:
  """Raises ValueError; see `children`."""
  if normalize not in NORMALIZE:
    raise ValueError(
      f'normalize is {normalize!r}; choose one of {", ".join(NORMALIZE)}.'
    )
  codes = trie.capacity.codes[level]
  if logits_bmv.shape[-1] != codes:
    raise ValueError(
      f'{logits_bmv.shape[-1]} logits at level {level}, which has {codes}'
      ' codes.'
    )


def _dense(
  trie, level, node_bm, alive_bm, logits_bmv, normalize, only
) -> Children:
  """Returns an entry for every code of every node."""
  b, m = node_bm.shape
  table = trie.table[level]
  node_bmv = table[node_bm]
  there_bmv = (node_bmv >= 0) & alive_bm[..., None]
  if only is not None:
    node_be = jnp.maximum(node_bmv, 0).reshape(b, -1)
    open_be = only.open(trie, level + 1, node_be)
    there_bmv &= open_be.reshape(there_bmv.shape)
  own_bmv = jnp.where(there_bmv, logits_bmv, -jnp.inf)
  over_bmv = own_bmv if normalize == 'children' else logits_bmv
  top_bm1 = over_bmv.max(-1, keepdims=True)
  top_bm1 = jnp.where(jnp.isfinite(top_bm1), top_bm1, 0.0)
  mass_bm1 = jnp.exp(over_bmv - top_bm1).sum(-1, keepdims=True)
  total_bm1 = top_bm1 + jnp.log(jnp.where(mass_bm1 > 0, mass_bm1, 1.0))
  return Children(
    (own_bmv - total_bm1).reshape(b, -1), None, None, None, table, node_bm
  )


def _packed(
  trie, level, node_bm, alive_bm, logits_bmv, normalize, only, entries
) -> Children:
  """Returns an entry for every child."""
  b, m = node_bm.shape
  child = trie.child[level]
  first_bm = child[node_bm]
  count_bm = jnp.where(alive_bm, child[node_bm + 1] - first_bm, 0)
  end_bm = jnp.cumsum(count_bm, 1)
  at_e = jnp.arange(entries, dtype=jnp.int32)
  row_b1 = jnp.arange(b)[:, None]
  passed_be = jnp.zeros((b, entries), jnp.int32)
  passed_be = passed_be.at[row_b1, end_bm].add(1, mode='drop')
  beam_be = jnp.minimum(jnp.cumsum(passed_be, 1), m - 1)
  there_be = at_e < end_bm[:, -1:]
  shift_bm = first_bm - (end_bm - count_bm)
  node_be = at_e + jnp.take_along_axis(shift_bm, beam_be, 1)
  node_be = jnp.where(there_be, node_be, 0)
  code_be = trie.code[level][node_be]
  if only is not None:
    there_be &= only.open(trie, level + 1, node_be)
  logit_be = jnp.take_along_axis(
    logits_bmv.reshape(b, -1), beam_be * logits_bmv.shape[-1] + code_be, 1
  )
  logit_be = jnp.where(there_be, logit_be, -jnp.inf)
  if normalize == 'vocabulary':
    total_bm = jax.nn.logsumexp(logits_bmv, -1)
  else:
    total_bm = _logsumexp_by(logit_be, beam_be, m)
  logp_be = logit_be - jnp.take_along_axis(total_bm, beam_be, 1)
  return Children(logp_be, beam_be, node_be, code_be, None, node_bm)


def _logsumexp_by(
  logit_be: jax.Array, beam_be: jax.Array, beams: int
) -> jax.Array:
  """Returns log sum exp of the entries of each beam, 0 where it has none."""

  def reduced(reduce, x_be: jax.Array) -> jax.Array:
    return jax.vmap(
      lambda x_e, beam_e: reduce(
        x_e, beam_e, num_segments=beams, indices_are_sorted=True
      )
    )(x_be, beam_be)

  top_bm = reduced(jax.ops.segment_max, logit_be)
  top_bm = jnp.where(jnp.isfinite(top_bm), top_bm, 0.0)
  mass_be = jnp.exp(logit_be - jnp.take_along_axis(top_bm, beam_be, 1))
  mass_bm = reduced(jax.ops.segment_sum, mass_be)
  return top_bm + jnp.log(jnp.where(mass_bm > 0, mass_bm, 1.0))
