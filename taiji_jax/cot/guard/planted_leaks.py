"""Leaks put into clean reasoning on purpose: how many are found."""

from collections.abc import Callable, Sequence
import dataclasses

import numpy as np

from taiji_jax.cot import sentences
from taiji_jax.cot.guard.clean_text import CleanText
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.guard.plants import DECOYS, KINDS
from taiji_jax.cot.teacher import CotRequest, Teacher
from taiji_jax.types import Catalog

_CARRIERS = ('Perhaps {}. ', 'So it is {}. ', '{} fits. ', 'They want {}: ')


@dataclasses.dataclass(frozen=True)
class Detection:
  """How a guard did on one kind of planted leak.

  Attributes:
    planted: texts with a leak put in.
    caught: of these, those where the guard found a leak of whatever kind.
    flagged: of the same texts before, those where it found one: false alarms.
      Where the kind has a decoy (`DECOYS`), that is put in for it.
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
    CleanText(
      samples[0].text, request.target, evidence(request), request.candidates
    )
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

  def found(think: str, text: CleanText) -> bool:
    about = text.target, text.evidence, text.candidates
    return guard.find(think, *about) is not None

  alarms = [found(text.think, text) for text in texts]
  detections = {}
  for number, kind in enumerate(KINDS):
    planted = caught = flagged = 0
    for row, (text, alarm) in enumerate(zip(texts, alarms, strict=True)):
      rng = np.random.default_rng((seed, number, row))
      leaking = plant(kind, text, catalog, rng)
      if leaking is None:
        continue
      planted += 1
      caught += found(leaking, text)
      decoy = DECOYS[kind](text, catalog) if kind in DECOYS else None
      if decoy is not None:
        spoilt = _put(decoy, text.think, rng)
        alarm = found(spoilt, text)
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
