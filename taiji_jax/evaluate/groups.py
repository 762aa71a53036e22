"""Parts of the rows, by what is known before the answer: functions of x alone.

A part that looks at the truth (users who stay in a category) can't be acted on
and flatters whoever guesses it; these can.
"""

from collections.abc import Mapping

import numpy as np

from taiji_jax.types import Catalog, Rows

HALVES = {
  'history': ('history_short', 'history_long'),
  'categories': ('categories_few', 'categories_many'),
  'confidence': ('retriever_unsure', 'retriever_sure'),
}
"""What is measured of a row -> names of the lower and the upper part."""


def history_length(rows: Rows) -> np.ndarray:
  """Returns the items of each history, float64 `[R]`."""
  return (rows.history_rs >= 0).sum(1).astype(np.float64)


def category_entropy(rows: Rows, catalog: Catalog) -> np.ndarray:
  """Returns the entropy of the history's first levels, in nats, `[R]`.

  0 where there is one, or none that is known.

  Args:
    rows: the contexts.
    catalog: the items.
  """
  names = sorted({c[0] for c in catalog.categories if c})
  code = {name: i for i, name in enumerate(names)}
  code_n = np.array([code[c[0]] if c else -1 for c in catalog.categories])
  row, place = np.nonzero(rows.history_rs >= 0)
  code_k = code_n[rows.history_rs[row, place]]
  row, code_k = row[code_k >= 0], code_k[code_k >= 0]
  key_q, count_q = np.unique(
    row * max(len(names), 1) + code_k, return_counts=True
  )
  row_q = key_q // max(len(names), 1)
  share_q = count_q / np.bincount(row_q, count_q, len(rows))[row_q]
  return -np.bincount(row_q, share_q * np.log(share_q), len(rows)) + 0.0


def measured(
  rows: Rows, catalog: Catalog, confidence_r: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns what rows are parted by, float `[R]`, the keys of `HALVES`.

  Args:
    rows: the contexts.
    catalog: the items.
    confidence_r: of the retriever, see `retrieve.retrieved.Retrieved`.
  """
  return {
    'history': history_length(rows),
    'categories': category_entropy(rows, catalog),
    'confidence': confidence_r,
  }


def halves(
  value: Mapping[str, np.ndarray], at: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Returns name -> bool `[R]`, two parts for each thing that is measured.

  The upper part lies above the median of other rows, so that no row decides
  where it belongs but by itself.

  Args:
    value: of `measured`, of the rows that are parted.
    at: of `measured`, of the rows whose median parts them; of validation.
  """
  found = {}
  for kind, (low, high) in HALVES.items():
    above_r = value[kind] > np.median(at[kind])
    found |= {low: ~above_r, high: above_r}
  return found
