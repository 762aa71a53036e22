"""Item vectors of one or several sources, and what gives new items theirs."""

from collections.abc import Sequence
import dataclasses
import functools
import json
import os
import pathlib

import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy
from scipy import sparse

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.retrieve import tfidf
from taiji_jax.retrieve.tfidf import TfidfConfig, Vocabulary
from taiji_jax.semantic_ids import vectors

TFIDF, COOCCURRENCE, ENCODER = SOURCES = ('tfidf', 'cooccurrence', 'encoder')
MINILM = 'minilm'
_FORMAT = 'taiji_jax.semantic_ids.ItemEncoder 1'
_NOBODY = Vocabulary((), np.zeros(0), 1)


@dataclasses.dataclass(frozen=True, eq=False)
class ItemEncoder:
  """Texts to the vectors that items of the same sources have.

  Attributes:
    sources: of `SOURCES`, in the order in which they stand side by side.
    vocabulary: of 'tfidf'.
    projection_vd: float32, of 'tfidf': TF-IDF times this, see `vectors.latent`.
    width: of 'cooccurrence'; a new item followed nobody yet and has zeros.
    embedder: of 'encoder': 'minilm', or a checkpoint's folder or hub name.
    scale: what its embeddings are multiplied by.
  """

  sources: tuple[str, ...]
  vocabulary: Vocabulary = _NOBODY
  projection_vd: np.ndarray = dataclasses.field(
    default_factory=lambda: np.zeros((0, 0), np.float32)
  )
  width: int = 0
  embedder: str = MINILM
  scale: float = 1.0

  def vectors(self, texts: Sequence[str]) -> np.ndarray:
    """Returns the vectors of texts, float32 `[n, d]`.

    Args:
      texts: at least one; one without a known word has zeros of 'tfidf'.
    """
    made = {
      TFIDF: self._tfidf,
      COOCCURRENCE: lambda texts: np.zeros((len(texts), self.width)),
      ENCODER: lambda texts: self.scale * self._embedder.embed(texts),
    }
    parts = [made[source](texts) for source in self.sources]
    return np.concatenate(parts, 1).astype(np.float32)

  def _tfidf(self, texts: Sequence[str]) -> np.ndarray:
    found = self.vocabulary.vectors(texts)
    return _matrix(found) @ self.projection_vd.astype(np.float64)

  @functools.cached_property
  def _embedder(self) -> TextEmbedder:
    if self.embedder == MINILM:
      return TextEmbedder.minilm()
    return TextEmbedder.pretrained(self.embedder)


def check(sources: Sequence[str]) -> None:
  """Raises UserError where there is no source, an unknown one, or one twice."""
  wrong = [source for source in sources if source not in SOURCES]
  if wrong or not sources or len(set(sources)) < len(sources):
    raise UserError(
      f'ids_sources is {tuple(sources)}; choose one or several of'
      f' {", ".join(SOURCES)}, each once.'
    )


def fit(
  texts: Sequence[str],
  pairs: tuple[np.ndarray, np.ndarray],
  sources: Sequence[str],
  width: int,
  *,
  config: TfidfConfig = tfidf.DEFAULTS,
  embedder: str = MINILM,
) -> tuple[np.ndarray, ItemEncoder]:
  """Returns (the vectors of the items, what makes them of other texts).

  Args:
    texts: of the items.
    pairs: int `[p]` each, an item and the one that came next, in training.
    sources: of `SOURCES`; each has mean norm 1.
    width: of 'tfidf' and of 'cooccurrence', each; 'encoder' has its own.
    config: of 'tfidf'.
    embedder: of 'encoder'.

  Returns:
    float32 `[n, d]`, and the encoder.

  Raises:
    UserError: a source is unknown, the width is too large for the items, or
      there is no such text encoder.
  """
  check(sources)
  made = ItemEncoder(tuple(sources), embedder=embedder)
  parts = []
  for source in sources:
    if source == TFIDF:
      terms = tfidf.vocabulary(texts, config)
      found = vectors.latent(_matrix(terms.vectors(texts)), width)
      made = dataclasses.replace(
        made, vocabulary=terms, projection_vd=found.projection_vd
      )
      parts.append(found.vector_nd)
    elif source == COOCCURRENCE:
      vector_nd = vectors.co_occurrence(*pairs, len(texts), width)
      made = dataclasses.replace(made, width=width)
      parts.append(vectors.joined([vector_nd]))
    else:
      vector_nd = made._embedder.embed(texts)
      norm = float(np.linalg.norm(vector_nd, axis=1).mean())
      made = dataclasses.replace(made, scale=1 / norm)
      parts.append(vectors.joined([vector_nd]))
  return np.concatenate(parts, 1), made


def save(path: str | os.PathLike[str], encoder: ItemEncoder) -> None:
  """Returns once the safetensors file holds the encoder, all of it.

  Args:
    path: of the file; its folder exists.
    encoder: any; of a text encoder its name alone is written.

  Raises:
    UserError: the file can't be written.
  """
  terms = encoder.vocabulary
  tensors = {
    'idf_v': terms.idf_v,
    'projection_vd': np.ascontiguousarray(encoder.projection_vd),
  }
  about = {
    'format': _FORMAT,
    'sources': json.dumps(encoder.sources),
    'terms': json.dumps(terms.terms),
    'words': str(terms.words),
    'width': str(encoder.width),
    'embedder': encoder.embedder,
    'scale': repr(encoder.scale),
  }
  with files.whole(pathlib.Path(path)) as part:
    safetensors_numpy.save_file(tensors, part, about)


def load(path: str | os.PathLike[str]) -> ItemEncoder:
  """Returns the encoder of a file.

  Args:
    path: of the file, as `save` wrote it.

  Raises:
    UserError: the file is missing, damaged, or of something else.
  """
  try:
    with safetensors.safe_open(path, 'np') as file:
      about = file.metadata() or {}
      if about.get('format') != _FORMAT:
        raise ValueError('it holds no item encoder of this version')
      terms = tuple(json.loads(about['terms']))
      idf_v = file.get_tensor('idf_v')
      projection_vd = file.get_tensor('projection_vd')
      if not len(terms) == len(idf_v) == len(projection_vd):
        raise ValueError('its terms and their arrays differ in number')
      sources = tuple(json.loads(about['sources']))
      check(sources)
      return ItemEncoder(
        sources,
        Vocabulary(terms, idf_v, int(about['words'])),
        projection_vd,
        int(about['width']),
        about['embedder'],
        float(about['scale']),
      )
  except (
    OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError,
  ) as error:  # fmt: skip
    raise UserError(
      f"the item encoder '{path}' can't be read ({files.reason(error)}); make"
      ' it anew.'
    ) from error


def _matrix(found: tfidf.Sparse) -> sparse.csr_array:
  shape = (found.rows, found.columns)
  return sparse.csr_array((found.value_q, found.column_q, found.start_n), shape)
