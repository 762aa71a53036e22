"""What a model over items is asked, checked before anything runs."""

from typing import Any

import numpy as np

from taiji_jax.errors import UserError


def histories(
  history_rs: Any, length_r: Any, items: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
  """Returns (histories int32 `[R, S]`, lengths int32 `[R]`) of known items.

  What lies behind a history's end may be anything: it becomes 0.

  Args:
    history_rs: int, oldest first, padded on the right; S is at least 1.
    length_r: int, items of each, 1 to S.
    items: N, how many items the model knows; no number is too large where None.

  Raises:
    UserError: arrays of other shapes or types, a length out of range, or an
      item that the model does not know.
  """
  history_rs, length_r = np.asarray(history_rs), np.asarray(length_r)
  if not len(length_r) and not len(history_rs):
    width = history_rs.shape[1] if history_rs.ndim == 2 else 1
    return np.zeros((0, width), np.int32), np.zeros(0, np.int32)
  if history_rs.ndim != 2 or length_r.shape != history_rs.shape[:1]:
    raise UserError(
      f'histories have the shape {history_rs.shape}, lengths {length_r.shape};'
      ' give [rows, places], padded on the right, and a length for each row.'
    )
  width = history_rs.shape[1]
  if not width:
    raise UserError('histories have no place for an item; give at least one.')
  if history_rs.dtype.kind not in 'iu' or length_r.dtype.kind not in 'iu':
    raise UserError(
      f'histories are of the type {history_rs.dtype}, lengths of'
      f' {length_r.dtype}; give whole numbers.'
    )
  wrong_r = (length_r < 1) | (length_r > width)
  if wrong_r.any():
    row = int(wrong_r.argmax())
    raise UserError(
      f'row {row} has a history of {length_r[row]} items; each needs at least'
      f' one, and {width} at the most, as many as there are columns.'
    )
  read_rs = np.arange(width) < length_r[:, None]
  known_rs = history_rs >= 0
  if items is not None:
    known_rs &= history_rs < items
  if (read_rs & ~known_rs).any():
    row, place = np.argwhere(read_rs & ~known_rs)[0]
    knows = '' if items is None else f', which knows {items} items'
    most = '' if items is None else f' to {items - 1}'
    raise UserError(
      f'row {row} has item {history_rs[row, place]} at place {place} of its'
      f' history, a number unknown to the model{knows}; give numbers from'
      f' 0{most}, or leave that item out.'
    )
  history_rs = np.where(read_rs, history_rs, 0)
  return history_rs.astype(np.int32), length_r.astype(np.int32)


def excluded(excluded_rx: Any, rows: int, items: int) -> np.ndarray | None:
  """Returns the items that rows must not get, int32 `[R, X]`; None for none.

  `Choice:` X is rounded up to a power of two, so that few programs are
  compiled.

  Args:
    excluded_rx: int, -1 for none, or None.
    rows: R.
    items: one more than the largest number.

  Raises:
    UserError: an array of another shape or type, or no item's number.
  """
  if excluded_rx is None:
    return None
  excluded_rx = np.asarray(excluded_rx)
  if excluded_rx.ndim != 2 or len(excluded_rx) != rows:
    raise UserError(
      f'excluded_rx has the shape {excluded_rx.shape}; give {rows} rows, -1'
      ' where one has fewer items.'
    )
  width = excluded_rx.shape[1]
  if not width:
    return None
  if excluded_rx.dtype.kind not in 'iu':
    raise UserError(
      f'excluded_rx is of the type {excluded_rx.dtype}; give numbers of items.'
    )
  wrong_rx = (excluded_rx < -1) | (excluded_rx >= items)
  if wrong_rx.any():
    row, at = np.argwhere(wrong_rx)[0]
    raise UserError(
      f'excluded_rx has item {excluded_rx[row, at]} in row {row}, which is'
      f' none; give 0 to {items - 1}, or -1 for none.'
    )
  lack = (1 << (width - 1).bit_length()) - width
  return np.pad(
    excluded_rx.astype(np.int32), ((0, 0), (0, lack)), constant_values=-1
  )


def allowed(
  allowed_n: Any, rows: int, items: int, most: int
) -> np.ndarray | None:
  """Returns which items rows may get, bool `[1, N]` or `[R, N]`; None for all.

  Args:
    allowed_n: bool `[N]` of all rows, or `[R, N]`, or None.
    rows: R.
    items: the least N.
    most: the largest N.

  Raises:
    UserError: an array of another shape or type.
  """
  if allowed_n is None:
    return None
  allowed_n = np.asarray(allowed_n)
  if allowed_n.dtype != bool:
    raise UserError(
      f'allowed_n is of the type {allowed_n.dtype}; give a bool for each item,'
      ' True where it may be listed.'
    )
  by_row = allowed_n.ndim == 2 and len(allowed_n) == rows
  shaped = allowed_n.ndim == 1 or by_row
  if not shaped or not items <= allowed_n.shape[-1] <= most:
    raise UserError(
      f'allowed_n has the shape {allowed_n.shape}; give ({items},), or'
      f' ({rows}, {items}), a bool for each item.'
    )
  return allowed_n if by_row else allowed_n[None]
