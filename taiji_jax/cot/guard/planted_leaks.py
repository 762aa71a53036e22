"""Leaks put into clean reasoning on purpose: how many are found."""

from collections.abc import Callable, Sequence
import dataclasses
import re

import numpy as np

from taiji_jax.cot import sentences
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest, Teacher
from taiji_jax.types import Catalog

_CARRIERS = ('Perhaps {}. ', 'So it is {}. ', '{} fits. ', 'They want {}: ')
_SHORT = 4
_QUOTED = 5
_THREE = 3
_APART = (' ', '-', '.')
# Latin letters and the Cyrillic ones that look the same.
_ALIKE = str.maketrans('aceopxyABCEHKMOPTX', 'асеорхуАВСЕНКМОРТХ')
_SOME_MODEL = re.compile(r'(?<![\w-])[A-Za-z](?=[\w-]*\d)[\w-]{4,}')


@dataclasses.dataclass(frozen=True)
class CleanText:
  """A reasoning text without a leak: its target and what supports it."""

  think: str
  target: int
  evidence: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Detection:
  """How a guard did on one kind of planted leak.

  Attributes:
    planted: texts with a leak put in.
    caught: of these, those where the guard found a leak of whatever kind.
    flagged: of the same texts before, those where it found one: false alarms.
      Where the kind has a decoy, what looks alike and states nothing (`DECOYS`),
      that is put in for it.
  """

  planted: int
  caught: int
  flagged: int

  @property
  def recall(self) -> float:
    """Caught / planted; NaN where none was planted."""
    return self.caught / self.planted if self.planted else float('nan')

  @property
  def false_alarms(self) -> float:
    """Flagged / planted; NaN where none was planted."""
    return self.flagged / self.planted if self.planted else float('nan')

  @property
  def precision(self) -> float:
    """Caught / (caught + flagged), as many clean texts as leaks; or NaN."""
    found = self.caught + self.flagged
    return self.caught / found if found else float('nan')


def clean_texts(
  teacher: Teacher,
  requests: Sequence[CotRequest],
  evidence: Callable[[CotRequest], tuple[str, ...]],
) -> list[CleanText]:
  """Returns what a teacher says that does not know the targets.

  It can name one by chance only: by quoting a history item of the same title.

  Args:
    teacher: asked once for each request, without its target.
    requests: with targets.
    evidence: request -> names that support a text (`LeakGuard.evidence`).

  Raises:
    ValueError: a request without a target.
  """
  if any(request.target is None for request in requests):
    raise ValueError('A request has no target to leak; give requests with one.')
  blind = [dataclasses.replace(r, target=None) for r in requests]
  return [
    CleanText(samples[0].text, request.target, evidence(request))
    for request, samples in zip(requests, teacher(blind, 1), strict=True)
  ]


def measure(
  guard: LeakGuard,
  catalog: Catalog,
  texts: Sequence[CleanText],
  seed: int = 0,
) -> dict[str, Detection]:
  """Returns kind -> how many of its leaks were found, and 'all'.

  Every kind is planted once into every text that it can be planted in: a title
  without a model number has none to state. Independent of how the guard takes
  titles apart.

  Args:
    guard: what is measured.
    catalog: the items.
    texts: reasoning that states nothing of its target.
    seed: of places, carriers and quotes.
  """
  alarms = [bool(guard.find(t.think, t.target, t.evidence)) for t in texts]
  detections = {}
  for number, kind in enumerate(KINDS):
    planted = caught = flagged = 0
    for row, (text, alarm) in enumerate(zip(texts, alarms, strict=True)):
      rng = np.random.default_rng((seed, number, row))
      leaking = plant(kind, text, catalog, rng)
      if leaking is None:
        continue
      planted += 1
      caught += bool(guard.find(leaking, text.target, text.evidence))
      decoy = DECOYS[kind](text, catalog) if kind in DECOYS else None
      if decoy is not None:
        spoilt = _put(decoy, text.think, rng)
        alarm = bool(guard.find(spoilt, text.target, text.evidence))
      flagged += alarm
    detections[kind] = Detection(planted, caught, flagged)
  parts = zip(*map(dataclasses.astuple, detections.values()), strict=True)
  return detections | {'all': Detection(*map(sum, parts))}


def plant(
  kind: str, text: CleanText, catalog: Catalog, rng: np.random.Generator
) -> str | None:
  """Returns the text with a leak between two sentences, None if it can't be.

  Args:
    kind: one of `KINDS`.
    text: what is spoilt.
    catalog: the items.
    rng: draws the place, the words around and the quote.
  """
  quote = KINDS[kind](text, catalog, rng)
  return None if quote is None else _put(quote, text.think, rng)


def _put(quote: str, think: str, rng: np.random.Generator) -> str:
  """Returns the text with a sentence of the quote between two others."""
  carrier = _CARRIERS[rng.integers(len(_CARRIERS))]
  parts = sentences.split(think)
  at = int(rng.integers(len(parts) + 1))
  before = ''.join(parts[:at])
  gap = ' ' if before and not before[-1].isspace() else ''
  return before + gap + carrier.format(quote) + ''.join(parts[at:])


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
  """Returns half of the title, the words in a row."""
  parts = _title(text, catalog).split()
  size = (len(parts) + 1) // 2
  if size < _SHORT:
    return None
  start = int(rng.integers(len(parts) - size + 1))
  return ' '.join(parts[start : start + size])


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
  return f'packs of {item_id}' if item_id.isdecimal() else None


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
  'item id': _item_id,
  'unsupported category': _category,
  'brand alone': _brand,
  'words glued': _glued,
  'letters apart': _letters,
  'look-alike letters': _look_alike,
  'paraphrased': _paraphrased,
}
DECOYS: dict[str, Callable[[CleanText, Catalog], str | None]] = {
  'item id': _number
}
"""What looks like a leak of a kind and is none; None where there is nothing."""
