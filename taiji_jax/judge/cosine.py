"""A judge without a language model: cosines of texts."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class CosineJudge:
  """The cosine of an item's text with the mean text of the history.

  Each vector of the history has norm 1 before the mean.

  Attributes:
    text_nd: float `[N, d]`, the items' text vectors.
    recent_rs: int `[R, S]`, the items of each row's history, -1 for none.
    version: see `Judge`.
  """

  text_nd: np.ndarray
  recent_rs: np.ndarray
  version: str = 'cosine 1'

  def __post_init__(self):
    norm_n1 = np.linalg.norm(self.text_nd, axis=1, keepdims=True)
    unit_nd = self.text_nd / np.where(norm_n1 > 0, norm_n1, 1.0)
    object.__setattr__(self, 'text_nd', unit_nd.astype(np.float32))

  def scores(self, row_n: np.ndarray, item_n: np.ndarray) -> np.ma.MaskedArray:
    """Returns cosines in [-1, 1], float32 `[n]`; 0 without a text.

    Args:
      row_n, item_n: see `Judge.scores`.
    """
    rows, back_n = np.unique(row_n, return_inverse=True)
    recent_rs = self.recent_rs[rows]
    there_rs1 = (recent_rs >= 0)[..., None]
    profile_rd = (self.text_nd[np.maximum(recent_rs, 0)] * there_rs1).sum(1)
    norm_r1 = np.linalg.norm(profile_rd, axis=1, keepdims=True)
    profile_rd /= np.where(norm_r1 > 0, norm_r1, 1.0)
    own_nd = profile_rd[back_n.ravel()]
    found_n = np.einsum('nd,nd->n', own_nd, self.text_nd[item_n])
    return np.ma.array(found_n, np.float32)
