"""Sparse matrices by rows: gathers and segment sums, in numpy alone."""

from collections.abc import Callable, Iterator
import dataclasses
import functools

import numpy as np

_CELLS = 1 << 22
# Of a matrix with fewer empty cells than that share rows are read densely.
_DENSE = 8
_LARGEST = 1 << 26
_NO_CELL = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Sparse:
  """A matrix of N rows, of which the entries alone are held.

  Attributes:
    columns: how many there are, M.
    start_n: int64 `[N + 1]`, where each row begins, ascending from 0 to Q.
    column_q: int32 `[Q]`, ascending within a row, each at most once.
    value_q: float32 `[Q]`.
  """

  columns: int
  start_n: np.ndarray
  column_q: np.ndarray
  value_q: np.ndarray

  @classmethod
  def of(
    cls,
    rows: int,
    columns: int,
    row_p: np.ndarray,
    column_p: np.ndarray,
    value_p: np.ndarray,
  ) -> 'Sparse':
    """Returns the matrix of some entries; those of one cell are added up.

    Args:
      rows, columns: its size, N and M.
      row_p, column_p: int `[P]`.
      value_p: float `[P]`.
    """
    key = row_p.astype(np.int64) * columns + column_p
    key_q, at = np.unique(key, return_inverse=True)
    value_q = np.bincount(at.ravel(), value_p, len(key_q))
    row_q, column_q = np.divmod(key_q, columns)
    return cls(
      columns,
      np.searchsorted(row_q, np.arange(rows + 1)),
      column_q.astype(np.int32),
      value_q.astype(np.float32),
    )

  @classmethod
  def identity(cls, size: int) -> 'Sparse':
    """Returns the identity of `size` rows."""
    place = np.arange(size + 1)
    return cls(
      size, place, place[:-1].astype(np.int32), np.ones(size, np.float32)
    )

  @property
  def rows(self) -> int:
    """Returns how many rows there are, N."""
    return len(self.start_n) - 1

  @property
  def length_n(self) -> np.ndarray:
    """Returns the entries of each row, int64 `[N]`."""
    return np.diff(self.start_n)

  @property
  def row_q(self) -> np.ndarray:
    """Returns the row of each entry, int64 `[Q]`."""
    return np.repeat(np.arange(self.rows), self.length_n)

  def sums(self) -> np.ndarray:
    """Returns the sum of each row, float64 `[N]`."""
    return np.bincount(self.row_q, self.value_q, self.rows)

  def normalised(self, added: float = 0.0) -> 'Sparse':
    """Returns each row over its sum, or over its sum and `added`.

    Args:
      added: at least 0; it takes from rows of small sums.

    Returns:
      Rows that sum to at most 1; a row without entries stays so.
    """
    total_n = self.sums() + added
    scale_n = 1.0 / np.where(total_n > 0, total_n, 1.0)
    return self.with_values(self.value_q * scale_n[self.row_q])

  def with_values(self, value_q: np.ndarray) -> 'Sparse':
    """Returns the matrix with other values in the same cells."""
    return dataclasses.replace(self, value_q=value_q.astype(np.float32))

  def plus(self, other: 'Sparse') -> 'Sparse':
    """Returns the sum of two matrices of one size."""
    parts = [(m.row_q, m.column_q, m.value_q) for m in (self, other)]
    entries = map(np.concatenate, zip(*parts, strict=True))
    return Sparse.of(self.rows, self.columns, *entries)

  def transposed(self) -> 'Sparse':
    """Returns the matrix with rows for columns."""
    order = np.argsort(self.column_q, kind='stable')
    size_m = np.bincount(self.column_q, minlength=self.columns)
    return Sparse(
      self.rows,
      np.concatenate([[0], np.cumsum(size_m)]),
      self.row_q[order].astype(np.int32),
      self.value_q[order],
    )

  def expand(
    self, row_i: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (i, column, value) of all entries of several rows.

    Args:
      row_i: int `[I]`; a row may come twice, and -1 has no entry.

    Returns:
      `[P]` each; `i` is a position in `row_i`, ascending.
    """
    row_i = np.asarray(row_i, np.int64)
    length_i = np.where(row_i >= 0, self.length_n[row_i], 0)
    i_p = np.repeat(np.arange(len(row_i)), length_i)
    skip_i = self.start_n[row_i] - (np.cumsum(length_i) - length_i)
    q_p = np.arange(len(i_p)) + skip_i[i_p]
    return i_p, self.column_q[q_p], self.value_q[q_p]

  def add_rows(
    self, out_bm: np.ndarray, row_b: np.ndarray, weight_b: np.ndarray
  ) -> None:
    """Returns nothing; adds a row, weighed, to each row of `out_bm`.

    Args:
      out_bm: float32 `[B, M]`, changed in place.
      row_b: int `[B]`, rows of the matrix; -1 adds nothing.
      weight_b: float32 `[B]`.
    """
    if self._dense_nm is not None:
      weight_b = np.where(row_b >= 0, weight_b, 0.0).astype(np.float32)
      out_bm += weight_b[:, None] * self._dense_nm[row_b]
      return
    # A row's columns differ, so that no cell of `out_bm` comes twice.
    b_p, column_p, value_p = self.expand(row_b)
    out_bm[b_p, column_p] += weight_b[b_p] * value_p

  def products(self, other: 'Sparse') -> Iterator[tuple[int, np.ndarray]]:
    """Yields (first row, rows of the product), float32 `[b, M]` each.

    Some rows are made at a time, so that no dense product is ever held.

    Args:
      other: `[M', M]`, with as many rows as this one has columns.
    """
    work_q = other.length_n[self.column_q]
    # The work of each row, and the cells that it fills.
    cost_n = np.bincount(self.row_q, work_q, self.rows) + other.columns
    total_n = np.cumsum(cost_n)
    start = 0
    while start < self.rows:
      before = total_n[start - 1] if start else 0
      end = int(np.searchsorted(total_n, before + _CELLS, side='right'))
      end = max(end, start + 1)
      i_p, middle_p, left_p = self.expand(np.arange(start, end))
      p_r, column_r, right_r = other.expand(middle_p)
      cell_r = i_p[p_r] * other.columns + column_r
      cells = (end - start) * other.columns
      added = np.bincount(cell_r, left_p[p_r] * right_r, cells)
      yield start, added.reshape(end - start, -1).astype(np.float32)
      start = end

  def times(self, other: 'Sparse') -> 'Sparse':
    """Returns the product of the two.

    Args:
      other: with as many rows as this one has columns.
    """
    parts = []
    for start, part_bm in self.products(other):
      row, column = np.nonzero(part_bm)
      parts.append((start + row, column, part_bm[row, column]))
    row_q, column_q, value_q = map(np.concatenate, zip(*parts, strict=True))
    return Sparse(
      other.columns,
      np.searchsorted(row_q, np.arange(self.rows + 1)),
      column_q.astype(np.int32),
      value_q,
    )

  def reader(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns (row, column) -> cells, float32, of both broadcast together."""
    if self.rows * self.columns <= _LARGEST:
      dense_nm = self.dense()
      return lambda row, column: dense_nm[row, column]
    # One more that is no cell's, so that each search ends at an entry.
    key_q = np.append(self.row_q * self.columns + self.column_q, _NO_CELL)
    value_q = np.append(self.value_q, np.float32(0))

    def cells(row: np.ndarray, column: np.ndarray) -> np.ndarray:
      key = row.astype(np.int64) * self.columns + column
      at = np.searchsorted(key_q, key)
      return np.where(key_q[at] == key, value_q[at], np.float32(0))

    return cells

  def dense(self) -> np.ndarray:
    """Returns all cells, float32 `[N, M]`."""
    dense_nm = np.zeros((self.rows, self.columns), np.float32)
    dense_nm[self.row_q, self.column_q] = self.value_q
    return dense_nm

  @functools.cached_property
  def _dense_nm(self) -> np.ndarray | None:
    """Returns all cells of a matrix that is full and small, else None."""
    cells = self.rows * self.columns
    full = len(self.value_q) * _DENSE >= cells
    return self.dense() if full and cells <= _LARGEST else None
