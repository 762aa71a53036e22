"""Token ids of unlike length in one array."""

from collections.abc import Sequence

import numpy as np


def padded(
  ids: Sequence[Sequence[int]], length: int, pad_id: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns int32 `[b, length]`, padded on the right, and the lengths `[b]`.

  Args:
    ids: of each row, at most `length`.
    length: P.
    pad_id: fills what is left.
  """
  token_bp = np.full((len(ids), length), pad_id, np.int32)
  for row, tokens in zip(token_bp, ids, strict=True):
    row[: len(tokens)] = tokens
  return token_bp, np.array([len(i) for i in ids], np.int32)
