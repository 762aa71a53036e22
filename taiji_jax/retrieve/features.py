"""What the logit reads of a row and an item: 18 numbers, most of them counts.

Of item n and a history h_0 (the most recent), h_1, ...:

- `popularity`: log(1 + clicks of n);
- `lag_1`, `lag_2`, `lag_3`: log(1 + times that n came so many clicks after
  h_0, h_1, h_2);
- `lag_4_10`: log(1 + times that n came 4 to 10 clicks after one of h_3 to h_9,
  added up);
- `together_last`: log(1 + clicks of n at most 10 clicks from one of h_0);
- `together`: the same of h_0 to h_9, added up;
- `text_last`: the cosine of the titles where n is a neighbour of h_0, else 0;
- `text`: the same of h_1 to h_9, the j-th times decay^j, added up;
- `l1_last`, `l2_last`, `l3_last`, `brand_last`: whether n and h_0 share the
  path down to that level, or the brand;
- `l1`, `l2`, `l3`, `brand`: the share of the history that shares it with n, the
  j-th item weighing decay^j, one more item's weight being of none;
- `itself`: the same of the items that are n.

A level or brand that is unknown is like no other. All sums are of integers or
of multiples of 2^-12, so they are exact in float32, in whatever order.
"""

from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.retrieve import segments
from taiji_jax.retrieve.counts import LAGS, WINDOW, Counts, Pairs
from taiji_jax.retrieve.neighbours import Neighbours
from taiji_jax.types import CATEGORY_LEVELS, Catalog

_COUNTED = ('lag_1', 'lag_2', 'lag_3', 'lag_4_10', 'together_last', 'together')
_SPARSE = (*_COUNTED, 'text_last', 'text')
_SHARED = (*(f'l{level + 1}' for level in range(CATEGORY_LEVELS)), 'brand')
NAMES = (
  'popularity',
  *_SPARSE,
  *(f'{name}_last' for name in _SHARED),
  *_SHARED,
  'itself',
)
_ONE = 1 << 12
# Sparse entries are filled up to a power of two of these, for few traces.
_LEAST = 1 << 12


@dataclasses.dataclass(frozen=True)
class Items:
  """What is known of the items alone.

  Attributes:
    code_kn: int32 `[4, N]`, path of L1, L2, L3, and brand; -1 unknown.
    codes: how many there are of each.
  """

  code_kn: np.ndarray
  codes: tuple[int, ...]

  @classmethod
  def of(cls, catalog: Catalog) -> 'Items':
    """Returns the codes of a catalogue; two paths have two codes."""
    kinds: list[list[tuple[str, ...]]] = [
      [c[: level + 1] if len(c) > level else () for c in catalog.categories]
      for level in range(CATEGORY_LEVELS)
    ]
    brands = catalog.brands or ('',) * len(catalog)
    kinds.append([(b,) if b else () for b in brands])
    coded = [_coded(kind) for kind in kinds]
    return cls(np.stack([c for c, _ in coded]), tuple(n for _, n in coded))


def _coded(names: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, int]:
  known = {name: i for i, name in enumerate(sorted({n for n in names if n}))}
  return np.array([known.get(n, -1) for n in names], np.int32), len(known)


@dataclasses.dataclass(frozen=True)
class Sparse:
  """Entries of the sparse features of some rows, as flat arrays.

  Attributes:
    place_p: int32 `[P]`, (feature * B + row) * N + item; beyond the last one
      where an entry is padding.
    value_p: float32 `[P]`, to be added there.
  """

  place_p: np.ndarray
  value_p: np.ndarray


def sparse(
  history_bs: np.ndarray,
  counts: Counts,
  neighbours: Neighbours,
  decay: float,
) -> Sparse:
  """Returns the entries of `_SPARSE` of some rows.

  Args:
    history_bs: int32, most recent first, padded with -1.
    counts: of the events that these rows may know.
    neighbours: by the titles.
    decay: see the module.
  """
  rows, items = len(history_bs), len(counts.popularity_n)
  recent_bj = history_bs[:, :WINDOW]
  found = []
  for lags, pairs in zip(LAGS, counts.after, strict=True):
    found.append(_expanded(pairs, recent_bj[:, lags[0] - 1 : lags[-1]]))
  found.append(_expanded(counts.together, recent_bj[:, :1]))
  found.append(_expanded(counts.together, recent_bj))
  weight_j = decay ** np.arange(recent_bj.shape[1])
  found.append(_near(neighbours, recent_bj[:, :1], weight_j[:1]))
  found.append(_near(neighbours, recent_bj[:, 1:], weight_j[1:]))
  place = [
    (f * rows + row_p) * items + item_p
    for f, (row_p, item_p, _) in enumerate(found)
  ]
  place_p = np.concatenate(place)
  value_p = np.concatenate([value for _, _, value in found])
  size = max(_LEAST, 1 << (max(len(place_p), 1) - 1).bit_length())
  padding = size - len(place_p)
  beyond = len(found) * rows * items
  return Sparse(
    np.pad(place_p, (0, padding), constant_values=beyond).astype(np.int32),
    np.pad(value_p, (0, padding)).astype(np.float32),
  )


def _expanded(pairs: Pairs, item_bj: np.ndarray) -> tuple[np.ndarray, ...]:
  """Returns (row, other item, count) of the pairs of each row's items."""
  i_p, other_p, count_p = pairs.expand(item_bj.ravel())
  return i_p // max(item_bj.shape[1], 1), other_p, count_p


def _near(
  neighbours: Neighbours, item_bj: np.ndarray, weight_j: np.ndarray
) -> tuple[np.ndarray, ...]:
  """Returns (row, neighbour, weighed cosine) of the neighbours of items."""
  row, j = np.nonzero(item_bj >= 0)
  item = item_bj[row, j]
  other = neighbours.item_nk[item].astype(np.int64)
  value = (
    np.round(neighbours.cosine_nk[item] * weight_j[j][:, None] * _ONE) / _ONE
  )
  value = np.where(other == item[:, None], 0.0, value)
  width = other.shape[1]
  return np.repeat(row, width), other.ravel(), value.ravel()


@functools.partial(jax.jit, static_argnames=('codes', 'decay'))
def dense(
  place_p: jax.Array,
  value_p: jax.Array,
  history_bs: jax.Array,
  popularity_n: jax.Array,
  code_kn: jax.Array,
  codes: tuple[int, ...],
  decay: float,
) -> tuple[jax.Array, ...]:
  """Returns the features of all items, `NAMES` of them, float32 `[b, n]` each.

  Args:
    place_p, value_p: of `Sparse`.
    history_bs: int32, most recent first, padded with -1.
    popularity_n: int32, clicks.
    code_kn, codes: of `Items`.
    decay: see the module.
  """
  rows, items = history_bs.shape[0], popularity_n.shape[0]
  cells = len(_SPARSE) * rows * items
  added = jax.ops.segment_sum(value_p, place_p, cells)
  added_fbn = added.reshape(len(_SPARSE), rows, items)
  counted = [jnp.log1p(x) for x in added_fbn[: len(_COUNTED)]]
  popular_bn = jnp.broadcast_to(
    jnp.log1p(popularity_n.astype(jnp.float32)), (rows, items)
  )
  valid_bs = history_bs >= 0
  weight_s = np.round(decay ** np.arange(history_bs.shape[1]) * _ONE) / _ONE
  weight_bs = jnp.where(valid_bs, weight_s.astype(np.float32), 0.0)
  total_b1 = weight_bs.sum(1, keepdims=True) + 1.0
  last, shares = [], []
  for kind, size in enumerate(codes):
    code_n = code_kn[kind]
    code_bs = jnp.where(valid_bs, code_n[history_bs], -1)
    last.append(
      ((code_bs[:, :1] == code_n) & (code_n >= 0)).astype(jnp.float32)
    )
    share_bc = segments.by_code(code_bs, weight_bs, size) / total_b1
    shares.append(share_bc[:, jnp.where(code_n >= 0, code_n, size)])
  itself_bn = (
    segments.by_code(history_bs, weight_bs, items)[:, :items] / total_b1
  )
  return (
    popular_bn,
    *counted,
    *added_fbn[len(_COUNTED) :],
    *last,
    *shares,
    itself_bn,
  )
