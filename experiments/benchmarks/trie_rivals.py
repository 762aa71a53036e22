"""Other ways to hold beams to sequences, for the benchmark of masks.

Each is a function (logits_lbmv, arrays) -> (codes of the beams, their sums) and
its arrays. All normalise over the codes of a level.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _select(
  sum_bme: jax.Array, beams: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns (sum, beam, entry) of the best of each row."""
  b, _, entries = sum_bme.shape
  total_bm, at_bm = jax.lax.top_k(sum_bme.reshape(b, -1), beams)
  return total_bm, at_bm // entries, at_bm % entries


def _of_parent(x_bm: jax.Array, parent_bm: jax.Array) -> jax.Array:
  return jnp.take_along_axis(x_bm, parent_bm, 1)


def free() -> Callable:
  """Returns a decode without any constraint."""

  def decode(logits_lbmv: jax.Array, arrays: tuple):
    del arrays
    _, b, m, _ = logits_lbmv.shape
    total_bm = jnp.full((b, m), -jnp.inf).at[:, 0].set(0.0)
    codes = []
    for logits_bmv in logits_lbmv:
      logp_bmv = jax.nn.log_softmax(logits_bmv)
      total_bm, parent_bm, code_bm = _select(total_bm[..., None] + logp_bmv, m)
      codes = [_of_parent(c, parent_bm) for c in codes] + [code_bm]
    return jnp.stack(codes, -1), total_bm

  return decode


def _nodes(code_nl: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
  """Returns of each depth 1..L (parents of nodes, their codes)."""
  begins_n = np.zeros(len(code_nl), bool)
  begins_n[0] = True
  parent_n = np.zeros(len(code_nl), int)
  out = []
  for level in range(code_nl.shape[1]):
    begins_n[1:] |= code_nl[1:, level] != code_nl[:-1, level]
    out.append((parent_n[begins_n], code_nl[begins_n, level]))
    parent_n = np.cumsum(begins_n) - 1
  return out


def flat(code_nl: np.ndarray, codes: int) -> tuple[Callable, Any]:
  """Returns STATIC's layout: two dense levels, then padded CSR rows.

  Args:
    code_nl: int, sorted, each once.
    codes: of a level.
  """
  nodes = _nodes(code_nl)
  tables, rows = [], []
  for depth, (parent_n, code_n) in enumerate(nodes):
    before = len(nodes[depth - 1][0]) if depth else 1
    if depth < 2:
      table = np.full((before, codes), -1, np.int32)
      table[parent_n, code_n] = np.arange(len(code_n))
      tables.append(jnp.asarray(table))
      continue
    count = np.bincount(parent_n, minlength=before)
    widest = int(count.max())
    first = np.append(0, np.cumsum(count)).astype(np.int32)
    code = np.pad(code_n, (0, widest)).astype(np.int32)
    rows.append((jnp.asarray(first), jnp.asarray(code), np.zeros(widest)))
  return _decode_flat, (tables, rows)


def _decode_flat(logits_lbmv: jax.Array, arrays: tuple):
  tables, rows = arrays
  _, b, m, _ = logits_lbmv.shape
  total_bm = jnp.full((b, m), -jnp.inf).at[:, 0].set(0.0)
  node_bm = jnp.zeros((b, m), jnp.int32)
  codes = []
  for level, logits_bmv in enumerate(logits_lbmv):
    logp_bmv = jax.nn.log_softmax(logits_bmv)
    if level < len(tables):
      child_bmv = tables[level][node_bm]
      logp_bmv = jnp.where(child_bmv >= 0, logp_bmv, -jnp.inf)
      total_bm, parent_bm, code_bm = _select(total_bm[..., None] + logp_bmv, m)
      node_bm = tables[level][_of_parent(node_bm, parent_bm), code_bm]
      node_bm = jnp.maximum(node_bm, 0)
    else:
      first, code, pad = rows[level - len(tables)]
      at_bm1 = first[node_bm][..., None]
      at_bmw = at_bm1 + jnp.arange(len(pad))
      there_bmw = at_bmw < first[node_bm + 1][..., None]
      code_bmw = code[at_bmw]
      logp_bmw = jnp.take_along_axis(logp_bmv, code_bmw, -1)
      logp_bmw = jnp.where(there_bmw, logp_bmw, -jnp.inf)
      total_bm, parent_bm, entry_bm = _select(total_bm[..., None] + logp_bmw, m)
      node_bm = _of_parent(at_bm1[..., 0], parent_bm) + entry_bm
      code_bm = code[node_bm]
    codes = [_of_parent(c, parent_bm) for c in codes] + [code_bm]
  return jnp.stack(codes, -1), total_bm


def binary(code_nl: np.ndarray, codes: int) -> tuple[Callable, Any]:
  """Returns a search of each prefix in the sorted sequences.

  Each beam keeps the range of sequences that begin with its prefix; which codes
  go on is found for every code of the level by binary search in that range.

  Args:
    code_nl: int, sorted, each once.
    codes: of a level.
  """
  del codes
  columns = tuple(jnp.asarray(c) for c in np.ascontiguousarray(code_nl.T))
  return _decode_binary, columns


def _decode_binary(logits_lbmv: jax.Array, columns: tuple):
  _, b, m, codes = logits_lbmv.shape
  steps = len(columns[0]).bit_length()
  total_bm = jnp.full((b, m), -jnp.inf).at[:, 0].set(0.0)
  low_bm = jnp.zeros((b, m), jnp.int32)
  high_bm = jnp.full((b, m), len(columns[0]), jnp.int32)
  out = []
  for logits_bmv, column in zip(logits_lbmv, columns, strict=True):
    edge_bmv = _edges(column, low_bm, high_bm, codes, steps)
    there_bmv = edge_bmv[..., 1:] > edge_bmv[..., :-1]
    logp_bmv = jnp.where(there_bmv, jax.nn.log_softmax(logits_bmv), -jnp.inf)
    total_bm, parent_bm, code_bm = _select(total_bm[..., None] + logp_bmv, m)
    row = jnp.arange(b)[:, None]
    low_bm = edge_bmv[row, parent_bm, code_bm]
    high_bm = edge_bmv[row, parent_bm, code_bm + 1]
    out = [_of_parent(c, parent_bm) for c in out] + [code_bm]
  return jnp.stack(out, -1), total_bm


def _edges(
  column: jax.Array,
  low_bm: jax.Array,
  high_bm: jax.Array,
  codes: int,
  steps: int,
) -> jax.Array:
  """Returns where in each range the codes 0..V begin, `[b, m, V + 1]`."""
  code = jnp.arange(codes + 1, dtype=column.dtype)
  shape = (*low_bm.shape, codes + 1)
  low = jnp.broadcast_to(low_bm[..., None], shape)
  high = jnp.broadcast_to(high_bm[..., None], shape)

  def halve(_, ends):
    low, high = ends
    middle = (low + high) // 2
    less = (column[jnp.minimum(middle, len(column) - 1)] < code) & (low < high)
    return jnp.where(less, middle + 1, low), jnp.where(less, high, middle)

  return jax.lax.fori_loop(0, steps, halve, (low, high))[0]


def dense(
  code_nl: np.ndarray, codes: int, limit: int
) -> tuple[Callable, Any] | None:
  """Returns masks of all prefixes and codes, None where they are too large.

  Args:
    code_nl: int, sorted, each once.
    codes: of a level.
    limit: bytes that the masks may take.
  """
  nodes = _nodes(code_nl)
  before = [1, *(len(code_n) for _, code_n in nodes[:-1])]
  if sum(before) * codes * 5 > limit:  # A byte of mask, four of the child.
    return None
  tables = []
  for count, (parent_n, code_n) in zip(before, nodes, strict=True):
    table = np.full((count, codes), -1, np.int32)
    table[parent_n, code_n] = np.arange(len(code_n))
    tables.append(jnp.asarray(table))
  return _decode_flat, (tables, [])
