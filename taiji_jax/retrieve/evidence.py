"""What speaks for an item behind a history, as much as there is of it.

A component of the mixture is a distribution: it says which item is likelier,
not on how many observations. The re-ranker reads both.
"""

import numpy as np

from taiji_jax.retrieve.components import Tables

KINDS = ('counts', 'text', 'smoothed')
DECAY = 0.8
_COUNTED = ('counts', 'smoothed')
_OF_A_KIND = 4
_ROWS = 512


def evidence(
  tables: Tables, recent_bs: np.ndarray, item_bk: np.ndarray
) -> np.ndarray:
  """Returns four numbers of each kind of `KINDS`, float32 `[b, k, 12]`.

  Of the entries E[h_s, n] of a kind's matrix before its rows are normalised:
  that of the last item h_0, the sum with weights `DECAY`^s, the largest, and
  how many are above 0. Of counts x these are log(1 + x), but for the last.

  Args:
    tables: of training rows.
    recent_bs: int32, most recent first, padded with -1.
    item_bk: int32, candidates; what is said of -1 means nothing.
  """
  rows, width = item_bk.shape
  found = np.zeros((rows, width, _OF_A_KIND * len(KINDS)), np.float32)
  known_bs1 = (recent_bs >= 0)[..., None]
  before_bs1 = np.maximum(recent_bs, 0)[..., None]
  decay_s1 = (DECAY ** np.arange(recent_bs.shape[1]))[:, None]
  for place, kind in enumerate(KINDS):
    if kind not in tables.matrix:
      continue
    cells, total_n = tables.matrix[kind].reader(), tables.evidence[kind]
    for at in range(0, rows, _ROWS):
      own = slice(at, at + _ROWS)
      item_b1k = np.maximum(item_bk[own], 0)[:, None]
      scale_bs1 = total_n[before_bs1[own]] * known_bs1[own]
      entry_bsk = cells(before_bs1[own], item_b1k) * scale_bs1
      counted = np.log1p if kind in _COUNTED else np.asarray
      parts = (
        counted(entry_bsk[:, 0]),
        counted((entry_bsk * decay_s1).sum(1)),
        counted(entry_bsk.max(1)),
        (entry_bsk > 0).sum(1),
      )
      first = place * _OF_A_KIND
      found[own, :, first : first + _OF_A_KIND] = np.stack(parts, -1)
  return found
