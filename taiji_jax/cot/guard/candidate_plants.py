"""What tells the target among the candidates, and what tells another one."""

from collections.abc import Callable
import re

import numpy as np

from taiji_jax.cot.guard import place_names
from taiji_jax.cot.guard.clean_text import CleanText
from taiji_jax.types import Catalog

_WORD = re.compile(r'(?<![^\W_])[^\W\d_]{4,}(?![^\W_])')
_PLAIN = frozenset(('with', 'from', 'your', 'this', 'that', 'into', 'each'))
_FORMS = ('the {} one', 'something {}', 'one that is {}', 'a {} kind of it')


def place(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the target's place among the candidates, if it has one."""
  return _drawn(place_names.of, text, rng)


def place_by_others(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the place told by other places, if there are others."""
  return _drawn(place_names.by_others, text, rng)


def other_place(text: CleanText, catalog: Catalog) -> str | None:
  """Returns the place of a candidate that is not the target."""
  size = len(text.candidates)
  others = [i for i in range(size) if text.candidates[i] != text.target]
  if not others:
    return None
  forms = place_names.of(others[text.target % len(others)], size)
  return forms[text.target % len(forms)]


def one_word(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns one word of a candidate's title that no name of the prompt has."""
  if text.target not in text.candidates:
    return None
  own = _own(text, catalog, text.target)
  if not own:
    return None
  form = _FORMS[rng.integers(len(_FORMS))]
  return form.format(own[rng.integers(len(own))])


def other_word(text: CleanText, catalog: Catalog) -> str | None:
  """Returns one word of another candidate's title that the target's lacks."""
  if text.target not in text.candidates:
    return None
  title = set(_words(catalog.titles[text.target]))
  words = [
    word
    for item in text.candidates
    for word in _words(catalog.titles[item])
    if item != text.target and word not in title
  ]
  if not words:
    return None
  form = _FORMS[text.target % len(_FORMS)]
  return form.format(words[text.target % len(words)])


def _drawn(
  names: Callable[[int, int], list[str]],
  text: CleanText,
  rng: np.random.Generator,
) -> str | None:
  if text.target not in text.candidates:
    return None
  own = text.candidates.index(text.target)
  forms = names(own, len(text.candidates))
  return forms[rng.integers(len(forms))] if forms else None


def _own(text: CleanText, catalog: Catalog, item: int) -> list[str]:
  names = (*text.evidence, *catalog.categories[item])
  if catalog.brands:
    names += (catalog.brands[item],)
  said = ' '.join(names).casefold()
  words = _words(catalog.titles[item])
  return [word for word in words if word.removesuffix('s') not in said]


def _words(title: str) -> list[str]:
  """Returns the words of letters, without those that any title has."""
  found = dict.fromkeys(_WORD.findall(title.casefold()))
  return [word for word in found if word not in _PLAIN]
