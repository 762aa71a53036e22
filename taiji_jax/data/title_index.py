"""From an answer's title to the item it names."""

from collections.abc import Iterable
import re
import unicodedata

import numpy as np

from taiji_jax.types import Catalog

MISS = -1

_YEAR = re.compile(r'(.*\S)\s*\((\d{4})\)\s*', re.DOTALL)
_APOSTROPHES = re.compile(r"['’`]")
_PUNCTUATION = re.compile(r'[\W_]+')
# The same for plain text, many times faster: most titles of a shop are.
_PLAIN = {
  ord(sign): sign.lower() if sign.isalnum() else ' '
  for sign in map(chr, range(128))
} | {ord(sign): None for sign in "'`"}


def normalise(title: str) -> str:
  """Returns the title without case, accents' form, punctuation, extra spaces.

  A title of punctuation only stays as it is but for case and outer spaces.

  >>> (
  ...   normalise("  Schindler's  List (1993)"),
  ...   normalise('M*A*S*H'),
  ...   normalise('?'),
  ... )
  ('schindlers list 1993', 'm a s h', '?')
  """
  if title.isascii():
    return ' '.join(title.translate(_PLAIN).split()) or title.lower().strip()
  folded = unicodedata.normalize('NFKC', title).casefold().strip()
  bare = _PUNCTUATION.sub(' ', _APOSTROPHES.sub('', folded)).strip()
  return bare or folded


class TitleIndex:
  """Finds the item that a title names.

  `Choice:` the paper is silent on how free text maps to an item. In this order:

  1. the item whose whole title is the same, year included (see `normalise`);
  2. else, with the year of both left out, the item that the bare title names,
     where all items with that bare title have one whole title;
  3. else -1, a miss.

  Items with the same whole title are told apart by popularity: the one with the
  most training events is meant, then the one with the lowest index.
  """

  def __init__(self, catalog: Catalog, popularity_n: np.ndarray):
    """Builds the index.

    Args:
      catalog: the items.
      popularity_n: int `[N]`, training events of each item.
    """
    if len(popularity_n) != len(catalog):
      raise ValueError(
        f'{len(popularity_n)} counts for {len(catalog)} items; give one each.'
      )
    self._exact: dict[str, int] = {}
    self._bare: dict[str, int] = {}
    for item in np.argsort(-popularity_n, kind='stable').tolist():
      title = catalog.titles[item]
      meant = self._exact.setdefault(normalise(title), item)
      bare = normalise(_without_year(title))
      if self._bare.setdefault(bare, meant) != meant:
        self._bare[bare] = MISS

  def find(self, title: str | None) -> int:
    """Returns the index of the item that is named, -1 where there is none."""
    if title is None:
      return MISS
    item = self._exact.get(normalise(title))
    if item is not None:
      return item
    return self._bare.get(normalise(_without_year(title)), MISS)

  def find_all(self, titles: Iterable[str | None]) -> np.ndarray:
    """Returns `find` of every title, int32."""
    titles = list(titles)
    found = {title: self.find(title) for title in set(titles)}
    return np.array([found[title] for title in titles], np.int32)


def _without_year(title: str) -> str:
  match = _YEAR.fullmatch(title)
  return match.group(1) if match else title
