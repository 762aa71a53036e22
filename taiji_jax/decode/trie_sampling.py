"""Sequences drawn from a trie, and the log-probability of given ones."""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from taiji_jax.decode.beams import Step
from taiji_jax.decode.children import Children, children
from taiji_jax.decode.item_filter import ItemFilter
from taiji_jax.decode.trie import Trie


@chex.dataclass(frozen=True)
class Drawn:
  """Sequences that were drawn, G of each row.

  Attributes:
    leaf_bg: int32, nodes of the last depth; repeats may occur.
    code_bgl: int32, their codes.
    logp_bgl: float32, log-probability of each code. With `normalize` 'children'
      that under what drew it; with 'vocabulary' that among all codes, of which
      those that lead to no item were not drawn: the sum over what may be drawn
      is below 1.
    there_bg: bool, whether there was anything to draw from.
  """

  leaf_bg: jax.Array
  code_bgl: jax.Array
  logp_bgl: jax.Array
  there_bg: jax.Array


def draw(
  logits_bv: jax.Array,
  cache: Any,
  step: Step,
  trie: Trie,
  seed_bg: jax.Array,
  temperature: float = 1.0,
  normalize: str = 'children',
  only: ItemFilter | None = None,
) -> Drawn:
  """Returns G sequences of each row, drawn independently with replacement.

  A sequence depends on its row and its seed alone.

  Args:
    logits_bv, cache, step, trie, normalize, only: see `beams.beams`. With
      'vocabulary' what leads to no item is left out of the draw and the rest
      weighed as it is; the log-probabilities are those of all codes.
    seed_bg: uint32 `[b, G]`.
    temperature: above 0; logits are divided by it.

  Raises:
    ValueError: the temperature is not above 0.
  """
  if not temperature > 0:
    raise ValueError(
      f'the temperature is {temperature}; it must be above 0. `beams` of width'
      ' 1 takes the likeliest.'
    )
  b, group = seed_bg.shape
  node_bg = jnp.zeros((b, group), jnp.int32)
  there_bg = jnp.ones((b, group), bool)
  own_g = jnp.arange(group, dtype=jnp.int32)
  parent_bg = jnp.zeros((b, group), jnp.int32)
  logits_bgv = jnp.broadcast_to(
    logits_bv[:, None], (b, group, logits_bv.shape[-1])
  )
  codes, logps = [], []
  for level in range(trie.levels):
    found = children(
      trie,
      level,
      node_bg,
      there_bg,
      logits_bgv / temperature,
      normalize,
      only,
      repeats=True,
    )
    at_bg, logp_bg = _one_of_each(found, seed_bg, level)
    there_bg &= logp_bg > -jnp.inf
    _, node_bg, code_bg = found.take(at_bg)
    codes.append(code_bg)
    logps.append(jnp.where(there_bg, logp_bg, 0.0))
    if level + 1 < trie.levels:
      logits_bgv, cache = step(cache, level + 1, parent_bg, code_bg)
      parent_bg = jnp.broadcast_to(own_g, (b, group))
  return Drawn(
    leaf_bg=node_bg,
    code_bgl=jnp.stack(codes, -1),
    logp_bgl=jnp.stack(logps, -1),
    there_bg=there_bg,
  )


def _one_of_each(
  found: Children, seed_bg: jax.Array, level: int
) -> tuple[jax.Array, jax.Array]:
  """Returns (entry, its log-probability) drawn for each of the G nodes."""
  b, group = seed_bg.shape
  entries = found.logp_be.shape[1]
  beam_be = found.beam_be
  if beam_be is None:
    beam_be = jnp.broadcast_to(
      jnp.arange(entries) // (entries // group), (b, entries)
    )
  mass_be = jnp.exp(found.logp_be)
  total_bg = jax.vmap(
    lambda mass_e, beam_e: jax.ops.segment_sum(
      mass_e, beam_e, num_segments=group, indices_are_sorted=True
    )
  )(mass_be, beam_be)
  u_bg = jax.vmap(
    jax.vmap(
      lambda seed: jax.random.uniform(
        jax.random.fold_in(jax.random.key(seed), level)
      )
    )
  )(seed_bg)
  # The nodes' entries lie one behind the other, each node's mass made 1; node g
  # looks for g + u.
  share_be = mass_be / jnp.take_along_axis(
    jnp.where(total_bg > 0, total_bg, 1.0), beam_be, 1
  )
  within_be = _cumulative_by(share_be, beam_be)
  passed_be = within_be <= jnp.take_along_axis(u_bg, beam_be, 1)
  # The first entry of a node, of any mass, that has not passed; the last that
  # has a mass where rounding lets all pass.
  at_e = jnp.arange(entries)
  first_be = jnp.where(~passed_be & (mass_be > 0), at_e, entries)
  last_be = jnp.where(mass_be > 0, at_e, -1)

  def of_each(reduce, x_be):
    return jax.vmap(
      lambda x_e, beam_e: reduce(
        x_e, beam_e, num_segments=group, indices_are_sorted=True
      )
    )(x_be, beam_be)

  first_bg = of_each(jax.ops.segment_min, first_be)
  last_bg = of_each(jax.ops.segment_max, last_be)
  at_bg = jnp.where(first_bg < entries, first_bg, last_bg)
  none_bg = at_bg < 0
  at_bg = jnp.clip(at_bg, 0, entries - 1).astype(jnp.int32)
  logp_bg = jnp.take_along_axis(found.logp_be, at_bg, 1)
  return at_bg, jnp.where(none_bg, -jnp.inf, logp_bg)


def _cumulative_by(share_be: jax.Array, beam_be: jax.Array) -> jax.Array:
  """Returns the running sums of each node's own entries."""
  first_be = jnp.pad(
    beam_be[:, 1:] != beam_be[:, :-1], ((0, 0), (1, 0)), constant_values=True
  )

  def joined(left, right):
    left_sum, left_first = left
    right_sum, right_first = right
    return (
      jnp.where(right_first, right_sum, left_sum + right_sum),
      left_first | right_first,
    )

  return jax.lax.associative_scan(joined, (share_be, first_be), axis=1)[0]


def given_logp(
  logits_bgl: tuple[jax.Array, ...],
  code_bgl: jax.Array,
  trie: Trie,
  normalize: str = 'children',
  only: ItemFilter | None = None,
) -> jax.Array:
  """Returns the log-probability of each code of given sequences, `[b, g, L]`.

  For training: it is what `draw` says of its sequences, as a function of the
  logits. -inf from the first code on that leads to no item.

  Args:
    logits_bgl: of each level, float32 `[b, g, codes]` behind the codes before.
    code_bgl: int32, the sequences.
    trie, normalize, only: see `draw`.
  """
  b, group, _ = code_bgl.shape
  node_bg = jnp.zeros((b, group), jnp.int32)
  there_bg = jnp.ones((b, group), bool)
  out = []
  for level in range(trie.levels):
    code_bg = code_bgl[..., level]
    found = children(
      trie,
      level,
      node_bg,
      there_bg,
      logits_bgl[level],
      normalize,
      only,
      repeats=True,
    )
    next_bg, has_bg = child_of(trie, level, node_bg, code_bg)
    at_bg = _entry_of(found, trie, level, node_bg, next_bg, code_bg, there_bg)
    logp_bg = jnp.take_along_axis(found.logp_be, at_bg, 1)
    there_bg &= has_bg
    out.append(jnp.where(there_bg, logp_bg, -jnp.inf))
    node_bg = jnp.where(has_bg, next_bg, 0)
  return jnp.stack(out, -1)


def child_of(
  trie: Trie, level: int, node_bg: jax.Array, code_bg: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns (the child with that code, whether there is one).

  Args:
    trie: of the catalogue.
    level: of the code.
    node_bg: int32, nodes of that depth.
    code_bg: int32 codes.
  """
  code_n, child = trie.code[level], trie.child[level]
  low_bg, end_bg = child[node_bg], child[node_bg + 1]
  high_bg = end_bg
  for _ in range(max(trie.capacity.codes[level], 2).bit_length()):
    middle_bg = (low_bg + high_bg) // 2
    at_bg = jnp.minimum(middle_bg, len(code_n) - 1)
    less_bg = (code_n[at_bg] < code_bg) & (low_bg < high_bg)
    low_bg = jnp.where(less_bg, middle_bg + 1, low_bg)
    high_bg = jnp.where(less_bg, high_bg, middle_bg)
  at_bg = jnp.minimum(low_bg, len(code_n) - 1)
  return at_bg, (low_bg < end_bg) & (code_n[at_bg] == code_bg)


def _entry_of(
  found, trie, level, node_bg, next_bg, code_bg, there_bg
) -> jax.Array:
  """Returns where among the entries each child stands."""
  entries = found.logp_be.shape[1]
  if found.beam_be is None:
    codes = trie.capacity.codes[level]
    return jnp.arange(node_bg.shape[1]) * codes + code_bg
  child = trie.child[level]
  count_bg = jnp.where(there_bg, child[node_bg + 1] - child[node_bg], 0)
  start_bg = jnp.cumsum(count_bg, 1) - count_bg
  at_bg = start_bg + next_bg - child[node_bg]
  return jnp.clip(at_bg, 0, entries - 1)
