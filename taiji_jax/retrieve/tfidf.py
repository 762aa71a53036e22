"""Texts as TF-IDF vectors, and which items have the nearest ones."""

from collections import Counter
from collections.abc import Sequence
import dataclasses
import re
import unicodedata

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.retrieve import top
from taiji_jax.retrieve.sparse import Sparse

_WORD = re.compile(r'\w+')
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class TfidfConfig:
  """How texts become vectors.

  Attributes:
    words: the longest term, in words: 2 counts pairs of words too.
    least: terms of fewer texts are left out; one text's own term says nothing
      of another.
    most: terms of more than this share of the texts are left out.
  """

  words: int = 2
  least: int = 2
  most: float = 0.5

  def __post_init__(self):
    for name in ('words', 'least'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    if not 0 < self.most <= 1:
      raise UserError(f'most is {self.most}; give a share above 0, up to 1.')


DEFAULTS = TfidfConfig()


def terms(text: str, words: int) -> list[str]:
  """Returns the terms of a text, each as often as it stands there.

  >>> terms('Hex nut, M4', 2)
  ['hex', 'nut', 'm4', 'hex nut', 'nut m4']

  Args:
    text: any; case and marks do not count.
    words: the longest term.
  """
  plain = unicodedata.normalize('NFKC', text).casefold()
  found = _WORD.findall(plain)
  return [
    ' '.join(found[at : at + size])
    for size in range(1, words + 1)
    for at in range(len(found) - size + 1)
  ]


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
  """The terms of some texts, by which any text has its vector.

  Attributes:
    terms: one a column, V.
    idf_v: float64, 1 + log((1 + N) / (1 + df)).
    words: the longest term.
  """

  terms: tuple[str, ...]
  idf_v: np.ndarray
  words: int

  def vectors(self, texts: Sequence[str]) -> Sparse:
    """Returns the TF-IDF vector of each text, `[N, V]`, of length 1.

    (1 + log tf) idf over the root of the squares. A text without a term of the
    vocabulary has no entry.

    Args:
      texts: N of them; they need not be those that the terms come from.
    """
    code = {term: v for v, term in enumerate(self.terms)}
    row, term, count = [], [], []
    for n, text in enumerate(texts):
      for name, times in Counter(terms(text, self.words)).items():
        if name in code:
          row.append(n)
          term.append(code[name])
          count.append(times)
    row, term = np.array(row, np.int64), np.array(term, np.int64)
    count = np.array(count, np.float64)
    value = (1 + np.log(count)) * self.idf_v[term]
    norm_n = np.sqrt(np.bincount(row, value**2, len(texts)))
    columns = max(len(self.terms), 1)
    return Sparse.of(len(texts), columns, row, term, value / norm_n[row])


def vocabulary(
  texts: Sequence[str], config: TfidfConfig = DEFAULTS
) -> Vocabulary:
  """Returns the terms of texts, in the order in which they come.

  Args:
    texts: N of them.
    config: what is a term.
  """
  df = Counter()
  for text in texts:
    df.update(dict.fromkeys(terms(text, config.words), 1))
  most = config.most * len(texts)
  kept = {t: times for t, times in df.items() if config.least <= times <= most}
  df_v = np.array(list(kept.values()), np.int64)
  idf_v = 1 + np.log((1 + len(texts)) / (1 + df_v))
  return Vocabulary(tuple(kept), idf_v, config.words)


def vectors(texts: Sequence[str], config: TfidfConfig = DEFAULTS) -> Sparse:
  """Returns the TF-IDF vector of each text, `[N, terms]`, of length 1.

  (1 + log tf) (1 + log((1 + N) / (1 + df))), over the root of the squares: the
  logarithm of the term frequency, and a document frequency as if one more text
  had every term (Manning et al., Introduction to Information Retrieval, 6.4).
  A text without a term that others share has no entry.

  Args:
    texts: N of them.
    config: what is a term.
  """
  return vocabulary(texts, config).vectors(texts)


def nearest(vector_nv: Sparse, count: int) -> Sparse:
  """Returns the nearest other items of each item by cosine, `[N, N]`.

  Args:
    vector_nv: `[N, terms]`, rows of length 1.
    count: the most items K of a row.

  Returns:
    The cosines, above 0 and at most 1, at most K a row and never the item's
    own; ties at six decimals go by index.
  """
  if count < 1:
    raise UserError(f'neighbours is {count}; give at least 1.')
  parts = []
  for start, cosine_bn in vector_nv.products(vector_nv.transposed()):
    b = np.arange(len(cosine_bn))
    cosine_bn = np.round(np.minimum(cosine_bn, 1.0), _DECIMALS)
    cosine_bn[b, start + b] = 0.0
    item_bk = top.best(np.where(cosine_bn > 0, cosine_bn, -np.inf), count)
    b, k = np.nonzero(item_bk >= 0)
    item = item_bk[b, k]
    parts.append((start + b, item, cosine_bn[b, item]))
  entries = map(np.concatenate, zip(*parts, strict=True))
  return Sparse.of(vector_nv.rows, vector_nv.rows, *entries)
