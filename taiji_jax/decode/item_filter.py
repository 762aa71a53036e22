"""Which nodes of a trie still hold an item that may be returned."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('before_bs', 'excluded_bx'),
  meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class ItemFilter:
  """Items that a request may get.

  Attributes:
    before_bs: int32 `[b or 1, slots + 1]`, how many items before each slot of
      `Trie.item_s` may be returned.
    excluded_bx: int32, slots of the items left out, ascending, each once and
      only such as `before_bs` counts; behind them a number above all slots.
  """

  before_bs: jax.Array
  excluded_bx: jax.Array

  def open(self, trie: Trie, depth: int, node_be: jax.Array) -> jax.Array:
    """Returns which nodes hold an item that may be returned, bool `[b, e]`.

    Args:
      trie: the one that the filter was made for.
      depth: of the nodes, 0..L.
      node_be: int32 numbers of nodes.
    """
    low_be = trie.slot[depth][node_be]
    high_be = trie.slot[depth][node_be + 1]
    return self._count(low_be, high_be) > 0

  def open_slot(self, slot_be: jax.Array) -> jax.Array:
    """Returns which slots' items may be returned, bool `[b, e]`."""
    return self._count(slot_be, slot_be + 1) > 0

  def _count(self, low_be: jax.Array, high_be: jax.Array) -> jax.Array:
    before_bs = jnp.broadcast_to(
      self.before_bs, (len(low_be), self.before_bs.shape[1])
    )
    count_be = jnp.take_along_axis(before_bs, high_be, 1)
    count_be -= jnp.take_along_axis(before_bs, low_be, 1)
    if not self.excluded_bx.shape[1]:
      return count_be
    below = jax.vmap(jnp.searchsorted)
    gone_be = below(self.excluded_bx, high_be) - below(self.excluded_bx, low_be)
    return count_be - gone_be


def of(
  trie: Trie,
  rows: int,
  excluded_bx: jax.Array | None = None,
  allowed_bn: jax.Array | None = None,
) -> ItemFilter | None:
  """Returns the filter of some requests, None where they may get all.

  Args:
    trie: of the catalogue.
    rows: b, how many requests.
    excluded_bx: int32 numbers of items that a request must not get, such as
      those it has seen, in any order; -1 and numbers of no item are skipped.
    allowed_bn: bool `[b, n]` or `[1, n]`, the items it may get (in stock, of
      its region, fresh); n at most the trie's room, items behind it may not.

  Raises:
    UserError: an argument of another type or shape.
  """
  if excluded_bx is None and allowed_bn is None:
    return None
  room = trie.capacity.items
  _check(rows, room, excluded_bx, allowed_bn)
  holds_s = jnp.arange(room) < trie.items
  allowed_bs = holds_s[None]
  if allowed_bn is not None:
    width = allowed_bn.shape[1]
    at_s = jnp.minimum(trie.item_s, width - 1)
    inside_s = holds_s & (trie.item_s < width)
    allowed_bs = allowed_bn[:, at_s] & inside_s
  before_bs = jnp.pad(
    jnp.cumsum(allowed_bs, 1, dtype=jnp.int32), ((0, 0), (1, 0))
  )
  if excluded_bx is None:
    return ItemFilter(before_bs, jnp.zeros((rows, 0), jnp.int32))
  inside_bx = (excluded_bx >= 0) & (excluded_bx < room)
  slot_bx = trie.slot_n[jnp.clip(excluded_bx, 0, room - 1)]
  counted_bx = jnp.take_along_axis(
    jnp.broadcast_to(allowed_bs, (rows, room)), jnp.maximum(slot_bx, 0), 1
  )
  slot_bx = jnp.where(inside_bx & (slot_bx >= 0) & counted_bx, slot_bx, room)
  slot_bx = jnp.sort(slot_bx, 1)
  again_bx = jnp.pad(slot_bx[:, 1:] == slot_bx[:, :-1], ((0, 0), (1, 0)))
  return ItemFilter(before_bs, jnp.sort(jnp.where(again_bx, room, slot_bx), 1))


def _check(
  rows: int,
  room: int,
  excluded_bx: jax.Array | None,
  allowed_bn: jax.Array | None,
) -> None:
  """Raises UserError; see `of`."""
  if allowed_bn is not None:
    if allowed_bn.dtype != bool:
      raise UserError(
        f'allowed_bn is of the type {allowed_bn.dtype}; give a bool for each'
        ' item, True where it may be returned.'
      )
    shape = allowed_bn.shape
    fits = len(shape) == 2 and shape[0] in (1, rows) and 0 < shape[1] <= room
    if not fits:
      raise UserError(
        f'allowed_bn has the shape {shape}; give {rows} rows or one, of 1 to'
        f' {room} items.'
      )
  if excluded_bx is not None:
    shape, integer = excluded_bx.shape, excluded_bx.dtype.kind in 'iu'
    if len(shape) != 2 or shape[0] != rows or not integer:
      raise UserError(
        f'excluded_bx has the shape {shape} and the type {excluded_bx.dtype};'
        f' give numbers of items in {rows} rows.'
      )
