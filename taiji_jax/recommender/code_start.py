"""Where embeddings of codes begin: at random, or at a quantiser's codebooks."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError

RANDOM, CODEBOOKS = 'random', 'codebooks'
STARTS = (RANDOM, CODEBOOKS)


def implied(
  code_nl: np.ndarray, vector_nd: np.ndarray, codes: int
) -> np.ndarray:
  """Returns the codebooks that IDs imply, float32 `[L, K, d]`.

  Of each level the mean of what is left of its items' vectors, as an update of
  residual k-means would have it: for IDs whose quantiser is not at hand.

  Args:
    code_nl: int in [0, K), of N items.
    vector_nd: float, their vectors.
    codes: K. A code without an item gets zeros.

  Raises:
    UserError: not one vector for each item.
  """
  if len(code_nl) != len(vector_nd):
    raise UserError(
      f'{len(vector_nd)} vectors for {len(code_nl)} items; give one for each.'
    )
  rest_nd = np.asarray(vector_nd, np.float64)
  rest_nd = rest_nd - rest_nd.mean(0)
  found = []
  for code_n in np.asarray(code_nl).T:
    sum_kd = np.zeros((codes, rest_nd.shape[1]))
    np.add.at(sum_kd, code_n, rest_nd)
    count_k = np.bincount(code_n, minlength=codes)
    found.append(sum_kd / np.maximum(count_k, 1)[:, None])
    rest_nd = rest_nd - found[-1][code_n]
  return np.stack(found).astype(np.float32)


def embeddings(
  codebook_lkd: Sequence[np.ndarray], drawn: Sequence[jax.Array]
) -> list[jax.Array]:
  """Returns what embeddings of codes begin with, one `[K, width]` a level.

  `Choice:` a codebook wider than the embedding is turned to its main directions
  (of all levels together) and cut; a narrower one fills the first columns, and
  the others stay as drawn. All are scaled by one number, so that the mean
  square of level 1 is that of what was drawn: what a level adds stays as much
  less as its residuals are smaller.

  Args:
    codebook_lkd: float, of each level.
    drawn: float32 `[K, width]` of each level, the random start.

  Raises:
    UserError: other numbers of levels or codes.
  """
  shapes = [
    (len(book), len(start))
    for book, start in zip(codebook_lkd, drawn, strict=False)
  ]
  if len(codebook_lkd) != len(drawn) or any(a != b for a, b in shapes):
    raise UserError(
      f'codebooks of {[len(book) for book in codebook_lkd]} codes, embeddings'
      f' of {[len(start) for start in drawn]}; give those of the same IDs.'
    )
  width = drawn[0].shape[1]
  both = np.concatenate([np.asarray(b, np.float64) for b in codebook_lkd])
  if both.shape[1] > width:
    both = both @ np.linalg.svd(both, full_matrices=False)[2][:width].T
  ends = np.cumsum([len(start) for start in drawn])[:-1]
  books = np.split(both, ends)
  size = float(np.sqrt((books[0] ** 2).mean())) or 1.0
  scale = jnp.sqrt((jnp.asarray(drawn[0]) ** 2).mean()) / size
  return [
    jnp.asarray(start).at[:, : book.shape[1]].set(scale * jnp.asarray(book))
    for book, start in zip(books, drawn, strict=True)
  ]
