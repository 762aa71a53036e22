"""Kinds of leaks, and what looks like one of them and is none.

A kind is a function: (text, catalogue, draws) -> what states the text's target,
None where it has nothing of the kind.
"""

from collections.abc import Callable
import re

import numpy as np

from taiji_jax.cot.guard import candidate_plants
from taiji_jax.cot.guard.clean_text import CleanText
from taiji_jax.types import Catalog

_SHORT = 4
_QUOTED = 5
_THREE = 3
_APART = (' ', '-', '.')
_LONG = 6
_FORMS = ("'s", '\N{RIGHT SINGLE QUOTATION MARK}s', 's', 'es')
# Letters and the digits that are written for them.
_DIGITS = str.maketrans('oOiIlLeEaAsS', '001111334455')
_JOINS = ('-', ' ')
# Latin letters and the Cyrillic ones that look the same.
_ALIKE = str.maketrans('aceopxyABCEHKMOPTX', 'асеорхуАВСЕНКМОРТХ')
_NUMBERS = (
  'packs of {}',
  'the number {} bus',
  'the number {} of them',
  'the last 3 items {} hours apart',
  'a shop that sells {0} products {0} months',
  'number of items: {} percent',
)
_ENDS_IN_LETTERS = re.compile(r'([A-Z]+\d{3,}|\d{4,})([A-Z]{1,2})')
_SOME_MODEL = re.compile(r'(?<![\w-])[A-Za-z](?=[\w-]*\d)[\w-]{4,}')


def _title(text: CleanText, catalog: Catalog) -> str:
  return catalog.titles[text.target]


def _verbatim(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str:
  return _title(text, catalog)


def _restyled(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str:
  """Returns the title in another case, with other punctuation."""
  title = _title(text, catalog)
  title = (title.upper(), title.lower(), title.swapcase())[rng.integers(3)]
  return re.sub(r"[^\w\s']+", (' ', ' - ', ', ')[rng.integers(3)], title)


def _reordered(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns all words of the title in another order."""
  parts = _title(text, catalog).split()
  if len(parts) < _SHORT:
    return None
  return ' '.join(parts[i] for i in rng.permutation(len(parts)))


def _some_words(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns five words of the title that the evidence lacks, shuffled."""
  said = ' '.join(text.evidence).casefold()
  parts = re.findall(r'[\w/.-]+', _title(text, catalog))
  own = [p for p in dict.fromkeys(parts) if p.casefold() not in said]
  if len(own) < _QUOTED:
    return None
  return ' '.join(own[i] for i in rng.permutation(len(own))[:_QUOTED])


def _half(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns half of the title, the words in a row, if no evidence has them."""
  said = ' '.join(text.evidence).casefold()
  parts = _title(text, catalog).split()
  size = (len(parts) + 1) // 2
  if size < _SHORT:
    return None
  start = int(rng.integers(len(parts) - size + 1))
  half = ' '.join(parts[start : start + size])
  return None if half.casefold() in said else half


def _misspelt(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the title with two letters swapped in every third word."""
  parts = _title(text, catalog).split()
  if len(parts) < _SHORT:
    return None
  for i in range(int(rng.integers(3)), len(parts), 3):
    word = parts[i]
    if len(word) >= _SHORT:
      at = int(rng.integers(1, len(word) - 2))
      parts[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
  return ' '.join(parts)


def _model(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns a token of letters and digits that the evidence lacks."""
  said = ' '.join(text.evidence)
  models = [
    m for m in _SOME_MODEL.findall(_title(text, catalog)) if m not in said
  ]
  return models[rng.integers(len(models))] if models else None


def _item_id(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str:
  return f'item {catalog.item_ids[text.target]}'


def _category(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns a level that no evidence names."""
  said = ' '.join(text.evidence).casefold()
  levels = [
    name
    for name in catalog.categories[text.target]
    if name.casefold() not in said
  ]
  return levels[rng.integers(len(levels))] if levels else None


def _brand(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the brand, where the evidence does not name it."""
  brand = catalog.brands[text.target] if catalog.brands else ''
  said = ' '.join(text.evidence).casefold()
  return brand if brand and brand.casefold() not in said else None


def _brand_form(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the brand as a possessive or a plural, some with a noun behind."""
  brand = _brand(text, catalog, rng)
  if brand is None or not brand[-1].isalpha():
    return None
  noun = ('', ' things')[rng.integers(2)]
  return brand + _FORMS[rng.integers(len(_FORMS))] + noun


def _brand_inside(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the brand with a hyphen inside, or a digit for a letter.

  Of one word with letters alone, six or more of them.
  """
  brand = _brand(text, catalog, rng)
  if brand is None or not brand.isalpha() or len(brand) < _LONG:
    return None
  places = [i for i, c in enumerate(brand) if c.translate(_DIGITS) != c]
  if places and rng.integers(2):
    at = places[rng.integers(len(places))]
    return brand[:at] + brand[at].translate(_DIGITS) + brand[at + 1 :]
  at = int(rng.integers(_THREE, len(brand) - _THREE + 1))
  return f'{brand[:at]}-{brand[at:]}'


def _model_apart(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns a model number with a hyphen or space before its last letters."""
  said = ' '.join(text.evidence).casefold()
  models = [
    match
    for token in _title(text, catalog).split()
    if token.casefold() not in said
    and (match := _ENDS_IN_LETTERS.fullmatch(token))
  ]
  if not models:
    return None
  model = models[rng.integers(len(models))]
  return model[1] + _JOINS[rng.integers(len(_JOINS))] + model[2]


def _called_id(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str:
  """Returns the item id as others call it."""
  ids = catalog.item_ids
  return (
    'item_id {}',
    '#{}',
    'Item id: {}',
    f'items {ids[(text.target + 1) % len(ids)]} and {{}}',
    'product no. {}',
  )[rng.integers(5)].format(ids[text.target])


def _glued(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the title as one word, each part with a capital."""
  parts = re.findall(r'\w+', _title(text, catalog))
  if len(parts) < _THREE:
    return None
  return ''.join(part[0].upper() + part[1:] for part in parts)


def _letters(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the title with its letters apart."""
  sign = _APART[rng.integers(len(_APART))]
  parts = re.findall(r'\w+', _title(text, catalog))
  if len(''.join(parts)) < _QUOTED:
    return None
  return ' '.join(sign.join(part) for part in parts)


def _look_alike(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the title with Cyrillic letters that look like its own."""
  title = _title(text, catalog)
  changed = title.translate(_ALIKE)
  return changed if changed != title else None


def _paraphrased(
  text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the first word and two more that the evidence lacks, in a phrase.

  'HATCHBOX PLA 3D Printer Filament' becomes 'HATCHBOX filament made of PLA'.
  """
  said = ' '.join(text.evidence).casefold()
  parts = re.findall(r'[\w/.-]+', _title(text, catalog))
  own = [p for p in dict.fromkeys(parts) if p.casefold() not in said]
  if len(own) < _THREE or own[0] != parts[0]:
    return None
  one, other = rng.permutation(len(own) - 1)[:2] + 1
  return f'{own[0]} {own[one].lower()} made of {own[other]}'


def _number(text: CleanText, catalog: Catalog) -> str | None:
  """Returns the id as a number of something else, None if it is no number."""
  item_id = catalog.item_ids[text.target]
  if not item_id.isdecimal():
    return None
  return _NUMBERS[text.target % len(_NUMBERS)].format(item_id)


KINDS: dict[
  str, Callable[[CleanText, Catalog, np.random.Generator], str | None]
] = {
  'title verbatim': _verbatim,
  'case and punctuation changed': _restyled,
  'words reordered': _reordered,
  'five words, shuffled': _some_words,
  'half of the title': _half,
  'misspelt': _misspelt,
  'model number': _model,
  'model number apart': _model_apart,
  'item id': _item_id,
  'item id, otherwise called': _called_id,
  'unsupported category': _category,
  'brand alone': _brand,
  'brand, possessive or plural': _brand_form,
  'brand, hyphen or digit inside': _brand_inside,
  'words glued': _glued,
  'letters apart': _letters,
  'look-alike letters': _look_alike,
  'paraphrased': _paraphrased,
  'place among the candidates': candidate_plants.place,
  'place by other places': candidate_plants.place_by_others,
  'one word of a candidate': candidate_plants.one_word,
}
DECOYS: dict[str, Callable[[CleanText, Catalog], str | None]] = {
  'item id': _number,
  'item id, otherwise called': _number,
  'place among the candidates': candidate_plants.other_place,
  'one word of a candidate': candidate_plants.other_word,
}
"""What looks like a leak of a kind and is none; None where there is nothing."""
