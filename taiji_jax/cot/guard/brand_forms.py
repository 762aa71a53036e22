"""The forms in which a text may say a brand."""

from collections.abc import Iterable, Sequence

from taiji_jax.cot.guard.spelling import as_line, words
from taiji_jax.types import Catalog

_ENDINGS = ('', 's', 'es')
_LONG = 6
_PART = 3

Name = tuple[str, ...]


class BrandForms:
  """What says a brand, and nothing else that the catalogue's titles say.

  Args:
    catalog: the items.
  """

  def __init__(self, catalog: Catalog):
    self._brands = [tuple(words(brand)) for brand in catalog.brands]
    # Line -> brands of the titles that have it.
    self._said_of: dict[str, set[Name]] = {
      as_line(form): set()
      for brand in set(self._brands)
      for name in _names(brand)
      for form in _forms(name)
      if len(form) < 3
    }
    for title, brand in zip(catalog.titles, self._brands, strict=False):
      title_words = words(title)
      pairs = zip(title_words, title_words[1:], strict=False)
      for run in (*((word,) for word in title_words), *pairs):
        if (line := as_line(run)) in self._said_of:
          self._said_of[line].add(brand)

  def of(self, item: int, path: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """Returns the forms of each name of an item's brand, words between spaces.

    Names are all of the brand, and its first word where no title of another
    brand has it. The first form is the name; then come its possessive and
    plural, and in two parts ('hatch box') a long word of letters, each only
    where no title of another brand says it.

    Args:
      item: its index.
      path: words of its category path: what they say is no brand.
    """
    brand = self._brands[item] if self._brands else ()
    found = []
    for name in _names(brand):
      short = name != brand
      if path.issuperset(name) or short and not self._own(name, brand):
        continue
      found.append(
        tuple(
          as_line(form)
          for form in _forms(name)
          if form == name
          or not path.issuperset(form)
          and self._own(form, brand)
        )
      )
    return tuple(found)

  def _own(self, form: Name, brand: Name) -> bool:
    return self._said_of.get(as_line(form), set()) <= {brand}


def _names(brand: Name) -> Iterable[Name]:
  return dict.fromkeys((brand, brand[:1])) if brand else ()


def _forms(name: Name) -> Iterable[Name]:
  """Yields the name, with endings, and in two parts."""
  yield from _ended(name)
  word = name[0]
  if len(name) == 1 and len(word) >= _LONG and word.isalpha():
    for cut in range(_PART, len(word) - _PART + 1):
      yield from _ended((word[:cut], word[cut:]))


def _ended(name: Sequence[str]) -> Iterable[Name]:
  *rest, last = name
  for ending in _ENDINGS if last[-1].isalpha() else _ENDINGS[:1]:
    yield (*rest, last + ending)
