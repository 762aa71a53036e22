"""A trie of code sequences as flat arrays on the device.

The nodes of a depth are numbered in the order of their prefixes. So the
children of a node are neighbours, and so are the items below it: a node needs
to know where each of the two begins, and nothing else (CSR). Nothing grows with
the number of possible prefixes.

See https://arxiv.org/abs/2602.22647 (STATIC) for the form with two dense levels
and padded rows, which `experiments/benchmarks/trie_masks.py` compares.
"""

from collections.abc import Sequence
import dataclasses
import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError

# A level has a dense table [nodes, codes] where that is small, and where no
# less than this share of its entries is taken: that saves packing children.
_TABLE_ENTRIES = 1 << 23
_TABLE_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class Capacity:
  """What a trie has room for; programs are compiled for it, not for the items.

  Attributes:
    codes: of each level, how many codes there are.
    nodes: of each depth 0..L, the most nodes.
    items: item numbers lie below it.
    widest: of each level, tuples: the most children that 1, 2, 4, 8, ... nodes
      of the depth have together, up to all of its nodes.
    tables: of each level, whether it has a dense table.
    same_code: the most items that share one sequence.
  """

  codes: tuple[int, ...]
  nodes: tuple[int, ...]
  items: int
  widest: tuple[tuple[int, ...], ...]
  tables: tuple[bool, ...]
  same_code: int

  def children(self, level: int, beams: int) -> int:
    """Returns the most children that so many nodes of a depth have together.

    Args:
      level: from 0.
      beams: how many different nodes of that depth, at least 1.
    """
    power = (beams - 1).bit_length()
    sums = self.widest[level]
    return sums[min(power, len(sums) - 1)]

  def fits(self, other: 'Capacity') -> str:
    """Returns what does not fit of another one, '' where all does.

    Args:
      other: what some items need, without slack.
    """
    if self.codes != other.codes:
      return f'codes of {other.codes} for levels of {self.codes}'
    for depth, (room, need) in enumerate(
      zip(self.nodes, other.nodes, strict=True)
    ):
      if need > room:
        return f'{need} nodes at depth {depth}, room for {room}'
    if other.items > self.items:
      return f'{other.items} items, room for {self.items}'
    if other.same_code > self.same_code:
      return (
        f'{other.same_code} items of one sequence, room for {self.same_code}'
      )
    for level in range(len(self.codes)):
      for power in range(len(other.widest[level])):
        need = other.children(level, 1 << power)
        if need > self.children(level, 1 << power):
          return f'{need} children of {1 << power} nodes at level {level}'
    return ''


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=(
    'child',
    'code',
    'slot',
    'table',
    'item_s',
    'slot_n',
    'items',
  ),
  meta_fields=('capacity',),
)
@dataclasses.dataclass(frozen=True)
class Trie:
  """Sequences of L codes and the items that have them.

  Arrays are as long as the capacity; what lies behind the last node or item is
  never reached.

  Attributes:
    child: of each depth 0..L-1, int32 `[nodes + 1]`: where each node's children
      begin among the nodes of the next depth.
    code: of each depth 1..L, int32 `[nodes]`: the last code of each prefix.
    slot: of each depth 0..L, int32 `[nodes + 1]`: where the items below each
      node begin in `item_s`.
    table: of each level, int32 `[nodes, codes]`, the child by each code and -1
      where there is none; None where the level has no table.
    item_s: int32, items in the order of their sequences; of one sequence, the
      most frequent first, then the lowest number.
    slot_n: int32, where each item stands in `item_s`, -1 for what is none.
    items: int32 scalar, how many there are.
    capacity: see `Capacity`.
  """

  child: tuple[jax.Array, ...]
  code: tuple[jax.Array, ...]
  slot: tuple[jax.Array, ...]
  table: tuple[jax.Array | None, ...]
  item_s: jax.Array
  slot_n: jax.Array
  items: jax.Array
  capacity: Capacity

  @property
  def levels(self) -> int:
    """Returns L."""
    return len(self.child)


def build(
  code_nl: np.ndarray,
  codes: int | Sequence[int],
  frequency_n: np.ndarray | None = None,
  item_n: np.ndarray | None = None,
  capacity: Capacity | None = None,
  slack: float = 1.25,
) -> Trie:
  """Returns the trie of a catalogue.

  Args:
    code_nl: int `[n, L]`, the sequence of each item, at least one item. Items
      may share one.
    codes: K, how many codes a level has, or of each level; codes are 0..K-1.
    frequency_n: how often each item occurs in training; of items with one
      sequence the most frequent is ranked first. All alike where None.
    item_n: int, the items' numbers, each once, from 0; 0..n-1 where None.
    capacity: that of the trie in use, so that this one takes its place without
      recompilation; with room for `slack` times the items where None.
    slack: at least 1.

  Raises:
    UserError: no item, sequences that are no table of whole numbers, a code out
      of range, an item twice, numbers or frequencies that are not one for each
      item, or a catalogue that does not fit the capacity.
  """
  code_nl = _table_of(code_nl)
  count = _counts(codes, code_nl.shape[1])
  _check_codes(code_nl, count)
  item_n = _numbers(item_n, len(code_nl))
  often_n = _frequencies(frequency_n, len(code_nl))
  keys = (item_n, -often_n, *code_nl.T[::-1])
  order_s = np.lexsort(keys)
  code_sl = code_nl[order_s]
  depths = _depths(code_sl)
  need = _need(depths, count, int(item_n.max()) + 1)
  if capacity is None:
    capacity = _with_slack(need, slack)
  elif lacking := capacity.fits(need):
    raise UserError(
      f'the catalogue does not fit the trie in use: {lacking}; build one'
      ' without `capacity` and compile anew.'
    )
  return _on_device(depths, item_n[order_s], capacity)


def sequences(trie: Trie, item_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns (the sequences of items, int32 `[n, L]`; which are there, `[n]`).

  On the host.

  Args:
    trie: of a catalogue.
    item_n: int, at least 0; what is said of an item that is not there means
      nothing.
  """
  item_n = np.asarray(item_n)
  slot_n = np.asarray(trie.slot_n)
  room = len(slot_n)
  own_n = np.where(item_n < room, slot_n[np.minimum(item_n, room - 1)], -1)
  # A node's items are neighbours: it is the last that begins before the item.
  codes = [
    np.asarray(code)[
      np.searchsorted(np.asarray(slot), np.maximum(own_n, 0), side='right') - 1
    ]
    for code, slot in zip(trie.code, trie.slot[1:], strict=True)
  ]
  return np.stack(codes, -1), own_n >= 0


def _table_of(code_nl: Any) -> np.ndarray:
  """Returns the sequences as an array of whole numbers, `[n, L]`."""
  try:
    code_nl = np.asarray(code_nl)
  except ValueError as error:
    raise UserError(
      'sequences are not equally long; give [items, levels].'
    ) from error
  if code_nl.ndim != 2 or not code_nl.shape[1]:
    raise UserError(
      f'sequences have the shape {code_nl.shape}; give [items, levels].'
    )
  if not len(code_nl):
    raise UserError('the catalogue is empty; a trie needs an item.')
  if code_nl.dtype.kind not in 'iu':
    raise UserError(
      f'codes are of the type {code_nl.dtype}; give whole numbers, as by'
      ' .astype(int).'
    )
  return code_nl


def _counts(codes: Any, levels: int) -> tuple[int, ...]:
  """Returns K of each level."""
  try:
    if np.ndim(codes):
      count = tuple(operator.index(k) for k in codes)
    else:
      count = (operator.index(codes),) * levels
  except (TypeError, ValueError) as error:
    raise UserError(
      f'codes is {codes!r}; give how many a level has, or of each level, in'
      ' whole numbers.'
    ) from error
  if len(count) != levels:
    raise UserError(
      f'codes are given for {len(count)} levels, sequences have {levels}.'
    )
  return count


def _check_codes(code_nl: np.ndarray, count: tuple[int, ...]) -> None:
  """Raises UserError where a code is out of range."""
  wrong = (code_nl < 0) | (code_nl >= np.array(count))
  if wrong.any():
    row, level = np.argwhere(wrong)[0]
    raise UserError(
      f'item {row} has the code {code_nl[row, level]} at level {level}; it must'
      f' lie in 0..{count[level] - 1}.'
    )


def _numbers(item_n: Any, items: int) -> np.ndarray:
  """Returns the numbers of the items, int `[n]`."""
  item_n = np.arange(items) if item_n is None else np.asarray(item_n)
  if len(np.unique(item_n)) != items or item_n.shape != (items,):
    raise UserError(
      f'{items} sequences for {len(np.unique(item_n))} different items; give'
      ' each item one.'
    )
  if item_n.dtype.kind not in 'iu':
    raise UserError(
      f"the items' numbers are of the type {item_n.dtype}; give whole ones."
    )
  if item_n.min() < 0:
    raise UserError(f'an item has the number {item_n.min()}; give 0 or more.')
  return item_n


def _frequencies(frequency_n: Any, items: int) -> np.ndarray:
  """Returns how often each item occurs, float64 `[n]`."""
  if frequency_n is None:
    return np.zeros(items)
  often_n = np.asarray(frequency_n)
  if often_n.shape != (items,):
    raise UserError(
      f'frequencies have the shape {often_n.shape} for {items} items; give each'
      ' item one.'
    )
  if often_n.dtype.kind not in 'iuf' or not np.isfinite(often_n).all():
    raise UserError(
      'frequencies are no finite numbers; give how often each item occurs.'
    )
  return often_n.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class _Depth:
  """The nodes of one depth: where items begin (with the end), last codes."""

  slot: np.ndarray
  code: np.ndarray


def _depths(code_sl: np.ndarray) -> list[_Depth]:
  """Returns the nodes of each depth 0..L of sorted sequences."""
  slots = len(code_sl)
  begins_s = np.zeros(slots, bool)
  begins_s[0] = True
  found = [_Depth(np.array([0, slots]), np.zeros(1, int))]
  for level in range(code_sl.shape[1]):
    begins_s[1:] |= code_sl[1:, level] != code_sl[:-1, level]
    at = np.flatnonzero(begins_s)
    found.append(_Depth(np.append(at, slots), code_sl[at, level]))
  return found


def _children(depths: list[_Depth], level: int) -> np.ndarray:
  """Returns where children begin, `[nodes + 1]`."""
  return np.searchsorted(depths[level + 1].slot, depths[level].slot)


def _need(depths: list[_Depth], codes: tuple[int, ...], items: int) -> Capacity:
  """Returns the capacity that these nodes just fit."""
  widest, tables = [], []
  for level, count in enumerate(codes):
    wide = np.sort(np.diff(_children(depths, level)))[::-1]
    total = np.cumsum(wide)
    powers = range((len(wide) - 1).bit_length() + 1)
    widest.append(tuple(int(total[min(1 << p, len(wide)) - 1]) for p in powers))
    entries = len(wide) * count
    full = total[-1] >= _TABLE_SHARE * entries
    tables.append(bool(entries <= _TABLE_ENTRIES and full))
  return Capacity(
    codes=codes,
    nodes=tuple(len(depth.code) for depth in depths),
    items=items,
    widest=tuple(widest),
    tables=tuple(tables),
    same_code=int(np.diff(depths[-1].slot).max()),
  )


def _with_slack(need: Capacity, slack: float) -> Capacity:
  """Returns a capacity with room to grow, in few different sizes."""
  if not slack >= 1:
    raise UserError(f'slack is {slack}; it must be at least 1.')
  nodes, most = [1], 1
  for count, own in zip(need.codes, need.nodes[1:], strict=True):
    most *= count
    nodes.append(min(_bucket(own, slack), most))
    most = nodes[-1]
  widest = []
  for level, sums in enumerate(need.widest):
    powers = range((nodes[level] - 1).bit_length() + 1)
    own = [sums[min(p, len(sums) - 1)] for p in powers]
    widest.append(
      tuple(
        min(_bucket(s, slack), need.codes[level] << p, nodes[level + 1])
        for p, s in zip(powers, own, strict=True)
      )
    )
  return Capacity(
    codes=need.codes,
    nodes=tuple(nodes),
    items=_bucket(need.items, slack),
    widest=tuple(widest),
    tables=need.tables,
    same_code=1 << (need.same_code - 1).bit_length(),
  )


def _bucket(count: int, slack: float) -> int:
  """Returns `slack * count` with three leading bits, rounded up.

  >>> _bucket(1000, 1.25), _bucket(3, 1.0)
  (1280, 3)
  """
  count = int(np.ceil(count * slack))
  step = 1 << max(count.bit_length() - 3, 0)
  return -(-count // step) * step


def _on_device(
  depths: list[_Depth], item_s: np.ndarray, capacity: Capacity
) -> Trie:
  """Returns the arrays, filled up to the capacity."""

  def filled(x: np.ndarray, length: int, rest: int) -> jax.Array:
    out = np.full(length, rest, np.int32)
    out[: len(x)] = x
    return jnp.asarray(out)

  levels = len(capacity.codes)
  child, table = [], []
  for level in range(levels):
    begins = _children(depths, level)
    child.append(filled(begins, capacity.nodes[level] + 1, begins[-1]))
    table.append(_table(depths, level, begins, capacity))
  slot_n = np.full(capacity.items, -1, np.int32)
  slot_n[item_s] = np.arange(len(item_s))
  return Trie(
    child=tuple(child),
    code=tuple(
      filled(depth.code, room, 0)
      for depth, room in zip(depths[1:], capacity.nodes[1:], strict=True)
    ),
    slot=tuple(
      filled(depth.slot, room + 1, len(item_s))
      for depth, room in zip(depths, capacity.nodes, strict=True)
    ),
    table=tuple(table),
    item_s=filled(item_s, capacity.items, 0),
    slot_n=jnp.asarray(slot_n),
    items=jnp.int32(len(item_s)),
    capacity=capacity,
  )


def _table(
  depths: list[_Depth], level: int, begins: np.ndarray, capacity: Capacity
) -> jax.Array | None:
  """Returns the dense table of a level, None where it has none."""
  if not capacity.tables[level]:
    return None
  shape = (capacity.nodes[level], capacity.codes[level])
  out = np.full(shape, -1, np.int32)
  node = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
  out[node, depths[level + 1].code] = np.arange(len(node))
  return jnp.asarray(out)
