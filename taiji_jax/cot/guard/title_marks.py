"""What tells one item's title from those of all others."""

import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import math
import re

import numpy as np

from taiji_jax.cot.guard.brand_forms import BrandForms
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.prose_words import PROSE
from taiji_jax.cot.guard.spelling import (
  alike,
  as_line,
  every_word,
  singular_and_plural,
  words,
)
from taiji_jax.types import Catalog

_YEAR = re.compile(r'\(\s*\d{4}\s*\)')
_ASIDE = re.compile(r'\(([^()]*)\)')
_DIGIT = re.compile(r'\d')
_QUANTITY = re.compile(r'(\d+)([^\W\d_]+)')
# '10194A' is no amount, though other models end in A too.
_NO_QUANTITY = re.compile(r'(?:0\d{3,}|\d{5,})[^\W\d_]{1,2}')
_UNIT_NUMBERS = 3
_MODEL_LENGTH = 4
_MODEL_PARTS = 4
_TELLING = 3


@dataclasses.dataclass(frozen=True)
class TitleMarks:
  """One title taken apart. Names and runs are words between spaces.

  Attributes:
    names: what names the item, without years and articles.
    near: runs of so many words of a name that they nearly are the name.
    runs: rare runs of the length asked for -> titles with it.
    models: rare model numbers, without punctuation.
    rarity: word -> log(titles / titles with it), without the words of the
      item's own category path (and their plurals and the like), which reasoning
      is meant to name.
    hidden: words of title, brand and category path, which may be glued or have
      their letters apart in a text; one of them hides no others: 'cutoff', of
      a category, is not the title's 'cut off'.
    brands: the forms of each name of the brand (see `brand_forms`).
    tells: words that alone may tell the item from other candidates: of
      `rarity`, rare enough (`GuardConfig.telling`), of three characters or
      more with a letter, no words of prose, and in the names of few categories
      of the catalogue.
  """

  names: tuple[str, ...]
  near: tuple[str, ...]
  runs: dict[str, int]
  models: frozenset[str]
  rarity: dict[str, float]
  hidden: frozenset[str] = frozenset()
  brands: tuple[tuple[str, ...], ...] = ()
  tells: frozenset[str] = frozenset()


class TitleStatistics:
  """How many titles of a catalogue hold a word, a run of words, a number.

  Args:
    catalog: the items.
    config: the thresholds.
  """

  def __init__(self, catalog: Catalog, config: GuardConfig):
    self._catalog = catalog
    self._config = config
    self._titles: Counter[str] = Counter()
    self._models: Counter[str] = Counter()
    prefixes: dict[str, set[str]] = {}
    hashes = array.array('q')
    for title in catalog.titles:
      title_words = words(title)
      self._titles.update(set(title_words))
      hashes.extend({hash(r) for r in _runs(title_words, config.run)})
      models = {model for token in _tokens(title) for model in _spelt(token)}
      self._models.update(models)
      for match in filter(None, map(_QUANTITY.fullmatch, models)):
        prefixes.setdefault(match[2], set()).add(match[1])
    self._brands = BrandForms(catalog)
    names = {name for path in catalog.categories for name in path}
    self._categories = Counter(w for name in names for w in set(words(name)))
    self._units = {
      unit
      for unit, numbers in prefixes.items()
      if len(numbers) >= _UNIT_NUMBERS
    }
    values, counts = np.unique(
      np.frombuffer(hashes, np.int64) if hashes else np.zeros(0, np.int64),
      return_counts=True,
    )
    self._runs_f, self._titles_f = values, counts

  def marks(self, item: int) -> TitleMarks:
    """Returns what tells the title of `item` from the others."""
    title = self._catalog.titles[item]
    path = frozenset(
      w for name in self._catalog.categories[item] for w in words(name)
    )
    title_words = words(_YEAR.sub(' ', title))
    names = self._names(title)
    brand = words(self._catalog.brands[item]) if self._catalog.brands else []
    rarity = {
      word: math.log((len(self._catalog) + 1) / (self._titles[word] or 1))
      for word in title_words
      if not any(alike(name, word, self._config.spelling) for name in path)
    }
    return TitleMarks(
      names=tuple(map(as_line, names)),
      near=tuple(self._near(names)),
      runs={
        as_line(run): titles
        for run in _runs(title_words, self._config.run)
        if not path.issuperset(run)
        and (titles := self._titles_with(run)) <= self._config.rare
      },
      models=frozenset(self._models_of(title)),
      rarity=rarity,
      hidden=frozenset((*words(title), *brand, *path)),
      brands=self._brands.of(item, path),
      tells=frozenset(self._tells(rarity, path)),
    )

  def _tells(
    self, rarity: Mapping[str, float], path: frozenset[str]
  ) -> Iterable[str]:
    """Yields the words of a title that alone may tell it."""
    config = self._config
    for word, nats in rarity.items():
      if len(word) < _TELLING or word.isdecimal() or word in PROSE:
        continue
      if not path.isdisjoint(singular_and_plural(word)):
        continue
      if nats >= config.telling and self._categories[word] <= config.rare:
        yield word

  def _names(self, title: str) -> tuple[tuple[str, ...], ...]:
    """Returns the title's forms: 'Seven (Se7en) (1995)' is seven and se7en.

    Where brackets stand inside, all of it is a form too. What stands in them is
    one only with a rare word in it: '(1000 Count)' is none.
    """
    undated = _YEAR.sub(' ', title)
    plain, whole = words(_ASIDE.sub(' ', undated)), words(undated)
    names = [tuple(plain)]
    if as_line(plain) not in as_line(whole):
      names.append(tuple(whole))
    for aside in _ASIDE.findall(undated):
      name = tuple(words(aside))
      if any(self._titles[word] <= self._config.rare for word in name):
        names.append(name)
    names = [name for name in dict.fromkeys(names) if name]
    return tuple(names) or tuple(filter(None, [tuple(words(title))]))

  def _near(self, names: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yields the shortest runs of two or more that nearly are a name."""
    for name in names:
      least = math.ceil(len(name) * self._config.near)
      if least >= 2:
        yield from map(as_line, _runs(name, least))

  def _models_of(self, title: str) -> Iterable[str]:
    """Yields rare tokens with letters and digits that are no quantity.

    Of digits alone there must be four or more, and in this title only.
    """
    for token in _tokens(_YEAR.sub(' ', title)):
      if len(words(token)) <= _MODEL_PARTS:
        yield from filter(self._is_model, _spelt(token))

  def _is_model(self, model: str) -> bool:
    most = 1 if model.isdigit() else self._config.rare
    if len(model) < _MODEL_LENGTH or self._models[model] > most:
      return False
    quantity = _QUANTITY.fullmatch(model)
    if not quantity or quantity[2] not in self._units:
      return True
    return _NO_QUANTITY.fullmatch(model) is not None

  def _titles_with(self, run: tuple[str, ...]) -> int:
    at = np.searchsorted(self._runs_f, hash(run))
    there = at < len(self._runs_f) and self._runs_f[at] == hash(run)
    return int(self._titles_f[at]) if there else 0


def joined(parts: Sequence[str]) -> Iterable[str]:
  """Yields every run of up to four words that holds a digit, as one word.

  'TRA-708 T' and 'tra708t' have one spelling in common.
  """
  for start in range(len(parts)):
    model = ''
    for part in parts[start : start + _MODEL_PARTS]:
      model += part
      if _has_digit(model):
        yield model


def _runs(parts: Sequence[str], length: int) -> list[tuple[str, ...]]:
  return [tuple(parts[i : i + length]) for i in range(len(parts) - length + 1)]


def _tokens(title: str) -> set[str]:
  """Returns what may be a model number: of 'TB1/TB2' also either part."""
  tokens = {token for token in title.split() if _has_digit(token)}
  return tokens | {
    part for token in tokens for part in token.split('/') if _has_digit(part)
  }


def _spelt(token: str) -> set[str]:
  """Returns a token as one word, with an article as a part and without."""
  return {''.join(every_word(token)), ''.join(words(token))}


def _has_digit(text: str) -> bool:
  return _DIGIT.search(text) is not None
