"""The pairs (row, item) of which more is known than popularity and category.

Only these have entries; all other items of a row differ by popularity and
category alone, so that nothing of the size rows x items is ever held.
"""

import dataclasses

import numpy as np

from taiji_jax.retrieve.counts import LAGS, WINDOW, Counts, Pairs
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.neighbours import Neighbours

COUNTED = ('lag_1', 'lag_2', 'lag_3', 'lag_4_10', 'together_last', 'together')
NEAR = ('text_last', 'text')
LAST = ('brand_last',)
SHARES = ('brand', 'itself')
NAMES = (*COUNTED, *NEAR, *LAST, *SHARES)
_ONE = 1 << 12
# Arrays are filled up to a power of four of at least so many, for few traces.
_LEAST = 1 << 10

Part = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows, items, values."""


@dataclasses.dataclass(frozen=True)
class Entries:
  """Known pairs of B rows, and what adds up to their features.

  Attributes:
    row_q: int32 `[Q]`, of each pair; B where it is padding.
    item_q: int32 `[Q]`; pairs ascend by row, then item.
    barred_q: bool `[Q]`, whether the item can't come.
    place_p: int32 `[P]`, feature * Q + pair; beyond where it is padding.
    value_p: float32 `[P]`, to be added there.
    target_b: int32 `[B]`, the pair of each row's target.
  """

  row_q: np.ndarray
  item_q: np.ndarray
  barred_q: np.ndarray
  place_p: np.ndarray
  value_p: np.ndarray
  target_b: np.ndarray


def recency(size: int, decay: float) -> np.ndarray:
  """Returns the weights decay^j, float64 `[size]`, as multiples of 2^-12."""
  return np.round(decay ** np.arange(size) * _ONE) / _ONE


def of(
  history_bs: np.ndarray,
  target_b: np.ndarray,
  counts: Counts,
  neighbours: Neighbours,
  items: Items,
  decay: float,
  consumed_once: bool,
  head_h: np.ndarray,
) -> Entries:
  """Returns the entries of some rows.

  Args:
    history_bs: int32, most recent first, padded with -1.
    target_b: int32; its pair is known, without any feature of its own.
    counts: of the events that these rows may know.
    neighbours: by the titles.
    items: of the catalogue.
    decay: weight of an item over that of the one after it.
    consumed_once: whether items of the history can't come.
    head_h: int, items whose pairs are known in every row.
  """
  rows, count = len(history_bs), len(counts.popularity_n)
  weight_s = recency(history_bs.shape[1], decay)
  parts = _parts(history_bs, counts, neighbours, items, weight_s)
  key = [row * count + item for row, item, _ in parts]
  target_key = np.arange(rows) * count + target_b
  head_key = (np.arange(rows)[:, None] * count + head_h).ravel()
  key_q, at = np.unique(
    np.concatenate([*key, target_key, head_key]), return_inverse=True
  )
  pairs = padded(len(key_q))
  feature = np.repeat(np.arange(len(parts)), [len(k) for k in key])
  place = feature * pairs + at[: len(feature)]
  value = np.concatenate([v for _, _, v in parts])
  entries = padded(len(place))
  row_q, item_q = np.divmod(key_q, count)
  barred_q = np.zeros(pairs, bool)
  if consumed_once:
    row, _ = np.nonzero(history_bs >= 0)
    own = np.unique(row * count + history_bs[history_bs >= 0])
    barred_q[np.searchsorted(key_q, own)] = True
  return Entries(
    _fill(row_q, pairs, rows).astype(np.int32),
    _fill(item_q, pairs, 0).astype(np.int32),
    barred_q,
    _fill(place, entries, len(parts) * pairs).astype(np.int32),
    _fill(value, entries, 0.0).astype(np.float32),
    at[len(feature) : len(feature) + rows].astype(np.int32),
  )


def sizes(
  history_bs: np.ndarray, counts: Counts, neighbours: Neighbours, items: Items
) -> np.ndarray:
  """Returns an upper bound of the entries of each row, int64 `[B]`."""
  per_n = counts.together.lengths * 2 + neighbours.item_nk.shape[1] + 1
  per_n += sum(pairs.lengths for pairs in counts.after)
  own_n = np.diff(items.brand_start)
  if len(own_n):
    per_n += np.where(items.brand_n >= 0, own_n[items.brand_n], 0)
  return np.where(history_bs >= 0, per_n[history_bs], 0).sum(1) + 1


def _parts(
  history_bs: np.ndarray,
  counts: Counts,
  neighbours: Neighbours,
  items: Items,
  weight_s: np.ndarray,
) -> list[Part]:
  """Returns the entries of each of `NAMES`."""
  recent_bj = history_bs[:, :WINDOW]
  weight_j = weight_s[:WINDOW]
  parts = [
    _expanded(pairs, recent_bj[:, lags[0] - 1 : lags[-1]])
    for lags, pairs in zip(LAGS, counts.after, strict=True)
  ]
  parts.append(_expanded(counts.together, recent_bj[:, :1]))
  parts.append(_expanded(counts.together, recent_bj))
  parts.append(_near(neighbours, recent_bj[:, :1], weight_j[:1]))
  parts.append(_near(neighbours, recent_bj[:, 1:], weight_j[1:]))
  parts.append(_of_brand(items, history_bs[:, :1], np.ones(1)))
  parts.append(_of_brand(items, history_bs, weight_s))
  row, place = np.nonzero(history_bs >= 0)
  itself = history_bs[row, place].astype(np.int64)
  parts.append((row, itself, weight_s[place]))
  return parts


def _expanded(pairs: Pairs, item_bj: np.ndarray) -> Part:
  """Returns counts of the pairs of each row's items."""
  i_p, other_p, count_p = pairs.expand(item_bj.ravel())
  return i_p // max(item_bj.shape[1], 1), other_p, count_p


def _near(
  neighbours: Neighbours, item_bj: np.ndarray, weight_j: np.ndarray
) -> Part:
  """Returns weighed cosines of the neighbours of each row's items."""
  row, j = np.nonzero(item_bj >= 0)
  item = item_bj[row, j]
  other = neighbours.item_nk[item].astype(np.int64)
  cosine = neighbours.cosine_nk[item] * weight_j[j][:, None]
  value = np.round(cosine * _ONE) / _ONE
  kept = other != item[:, None]
  return np.repeat(row, other.shape[1])[kept.ravel()], other[kept], value[kept]


def _of_brand(items: Items, item_bj: np.ndarray, weight_j: np.ndarray) -> Part:
  """Returns the weight of its brand for each item of a row's brands."""
  row, j = np.nonzero(item_bj >= 0)
  brand = items.brand_n[item_bj[row, j]]
  known = brand >= 0
  brands = max(len(items.brand_start) - 1, 1)
  key = row[known] * brands + brand[known]
  key_i, at = np.unique(key, return_inverse=True)
  weight_i = np.bincount(at, weight_j[j[known]], len(key_i))
  row_i, brand_i = np.divmod(key_i, brands)
  start_i = items.brand_start[brand_i]
  length_i = items.brand_start[brand_i + 1] - start_i if len(key_i) else start_i
  i_p = np.repeat(np.arange(len(key_i)), length_i)
  skip_i = start_i - (np.cumsum(length_i) - length_i)
  item_p = items.by_brand[np.arange(len(i_p)) + skip_i[i_p]]
  return row_i[i_p], item_p, weight_i[i_p]


def padded(size: int) -> int:
  """Returns the size that arrays are filled up to."""
  bits = (max(size, _LEAST) - 1).bit_length()
  return 1 << (bits + bits % 2)


def _fill(x_q: np.ndarray, size: int, value: float) -> np.ndarray:
  return np.pad(x_q, (0, size - len(x_q)), constant_values=value)
