"""One number for each ID, so that equal IDs are found by a sort."""

import numpy as np

from taiji_jax.errors import UserError

_MOST = 1 << 62


def of(code_nl: np.ndarray, codes: int) -> np.ndarray:
  """Returns a number for each row, int64 `[n]`, equal where the codes are.

  Numbers of two calls can be compared only where K^L is below 2^62.

  Args:
    code_nl: int in [0, K), any number of levels; with none all rows are equal.
    codes: K.
  """
  key_n, size = np.zeros(len(code_nl), np.int64), 1
  for code_n in code_nl.T:
    if size * codes > _MOST:
      known, key_n = np.unique(key_n, return_inverse=True)
      size = len(known)
    key_n, size = key_n * codes + code_n, size * codes
  return key_n


def groups(key_n: np.ndarray, least: int = 2) -> list[np.ndarray]:
  """Returns the rows of each number that comes so often, int64 each.

  Args:
    key_n: of `of`.
    least: how often, at least 1.

  Returns:
    By the number, rising; the rows of each rise.
  """
  order = np.argsort(key_n, kind='stable')
  new_n = np.diff(key_n[order], prepend=-1) != 0
  start_g = np.flatnonzero(new_n)
  end_g = np.append(start_g, len(order))[1:]
  often = np.flatnonzero(end_g - start_g >= least)
  return [order[start_g[g] : end_g[g]] for g in often]


def check(code_nl: np.ndarray, codes: int, what: str) -> np.ndarray:
  """Returns the codes as int32 `[n, l]`.

  Args:
    code_nl: whole numbers.
    codes: K.
    what: they are, for the error.

  Raises:
    UserError: they are no table of whole numbers, or one is out of range.
  """
  code_nl = np.asarray(code_nl)
  if code_nl.ndim != 2 or not np.issubdtype(code_nl.dtype, np.integer):
    raise UserError(
      f'{what} have the shape {code_nl.shape} and the type {code_nl.dtype};'
      ' give whole numbers, a row an item and a column a level.'
    )
  wrong_nl = (code_nl < 0) | (code_nl >= codes)
  if wrong_nl.any():
    n, level = np.argwhere(wrong_nl)[0]
    raise UserError(
      f'{what} hold {code_nl[n, level]} for item {n} on level {level}, with'
      f' {codes} codes a level; give codes from 0 to {codes - 1}, or say that'
      ' there are more.'
    )
  return code_nl.astype(np.int32)
