"""Rewrites reasoning one sentence at a time, where the answer gets likelier.

REER (arXiv:2509.06160) looks for the reasoning z that minimises PPL(y | x, z):
from a first z, one segment after the other gets candidates, the one with the
lowest perplexity takes its place, until that is low enough or the rounds are
over. No gradient, no model of its own: both are functions given.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import math

import numpy as np

from taiji_jax.cot import sentences
from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class ReerConfig:
  """How long to look.

  Attributes:
    rounds: passes over the segments of a text, at least 1; a pass in which
      nothing was better is the text's last.
    enough: a text with this perplexity or less is not rewritten, at least 1;
      1 looks on.
    least_fall: a rewrite is taken only if ln(PPL) falls by more, in nats a
      token of the answer, at least 0.
  """

  rounds: int = 2
  enough: float = 1.0
  least_fall: float = 0.0

  def __post_init__(self):
    for name, least in (('rounds', 1), ('enough', 1.0), ('least_fall', 0.0)):
      value = getattr(self, name)
      if not value >= least:
        raise UserError(f'{name} is {value}; give {least} or more.')


@dataclasses.dataclass(frozen=True)
class Place:
  """A segment that may be rewritten.

  Attributes:
    row: position of its text among those given.
    segments: the text as it stands; joined they are the text.
    at: which of them.
  """

  row: int
  segments: tuple[str, ...]
  at: int


@dataclasses.dataclass(frozen=True)
class Edit:
  """A rewrite that was taken: in which round, of what, and PPL after it."""

  round: int
  before: str
  after: str
  ppl: float


@dataclasses.dataclass(frozen=True)
class Refined:
  """A text after the search.

  Attributes:
    text: the reasoning.
    start_ppl, ppl: the answer's perplexity before and after, ppl <= start_ppl.
    edits: what was taken, in order; PPL falls from each to the next.
  """

  text: str
  start_ppl: float
  ppl: float
  edits: tuple[Edit, ...]


Propose = Callable[[Sequence[Place]], Sequence[Sequence[str]]]
Score = Callable[[Sequence[int], Sequence[str]], np.ndarray]
Allow = Callable[[int, str], bool]


def search(
  texts: Sequence[str],
  propose: Propose,
  score: Score,
  config: ReerConfig | None = None,
  allow: Allow | None = None,
) -> list[Refined]:
  """Returns every text, rewritten where its answer got likelier by that.

  All texts move together: the next segment of each that is still looked at
  goes into one call of `propose`, all candidates into one of `score`. What a
  text does depends on no other. No text of a row is scored twice.

  Choice: segments are sentences, taken from the first to the last; the paper's
  model picks and writes its segments itself.

  Args:
    texts: the reasoning to begin with.
    propose: places -> rewrites of each place's segment; '' leaves it out. As
      many as it likes, none too.
    score: rows, texts -> float `[len(texts)]`, perplexity of the row's answer
      after that text; what isn't finite and positive is never taken.
    config: how long to look.
    allow: row, text -> whether it may stand, such as a leak guard; asked before
      a text is scored. None allows all.

  Raises:
    ValueError: `propose` or `score` answers another number than asked.
  """
  config = config or ReerConfig()
  scorer = _Scorer(score)
  start = scorer(list(enumerate(texts)))
  states = [
    _State(row, sentences.split(text), ppl)
    for row, (text, ppl) in enumerate(zip(texts, start, strict=True))
  ]
  for number in range(1, config.rounds + 1):
    active = [
      s for s in states if s.ppl > config.enough and s.last_edit >= number - 1
    ]
    for at in range(max((len(s.segments) for s in active), default=0)):
      here = [s for s in active if at < len(s.segments) and s.segments[at]]
      here = [s for s in here if s.ppl > config.enough]
      _step(here, at, number, propose, scorer, config, allow)
  return [
    Refined(s.text, ppl, s.ppl, tuple(s.edits))
    for s, ppl in zip(states, start, strict=True)
  ]


def others(samples: Sequence[Sequence[str]]) -> Propose:
  """Returns a proposer of what a row's other texts say in the same place.

  For a teacher that gives k texts: their sentences are each other's rewrites.

  Args:
    samples: all texts of each row.
  """
  parts = [[sentences.split(text) for text in row] for row in samples]

  def propose(places: Sequence[Place]) -> list[list[str]]:
    return [
      [text[p.at].strip() for text in parts[p.row] if p.at < len(text)]
      for p in places
    ]

  return propose


class _State:
  """One text on its way."""

  def __init__(self, row: int, segments: list[str], ppl: float):
    self.row = row
    self.segments = segments
    self.ppl = ppl
    self.edits: list[Edit] = []
    # Before the first round every text counts as just edited.
    self.last_edit = 0

  @property
  def text(self) -> str:
    return ''.join(self.segments).strip()

  def with_rewrite(self, at: int, rewrite: str) -> list[str]:
    """Returns the segments with one rewritten, the white space as it was."""
    old, new = self.segments[at], rewrite.strip()
    gap = old[len(old.rstrip()) :]
    last = at == len(self.segments) - 1
    return [
      *self.segments[:at],
      new + (gap if new else '') + ('' if gap or last or not new else ' '),
      *self.segments[at + 1 :],
    ]


class _Scorer:
  """Perplexities of (row, text), each asked for once."""

  def __init__(self, score: Score):
    self._score = score
    self._known: dict[tuple[int, str], float] = {}

  def __call__(self, pairs: Sequence[tuple[int, str]]) -> list[float]:
    new = [p for p in dict.fromkeys(pairs) if p not in self._known]
    if new:
      ppl = self._score([row for row, _ in new], [text for _, text in new])
      if len(ppl) != len(new):
        raise ValueError(
          f'score gave {len(ppl)} perplexities for {len(new)} texts; give one'
          ' each.'
        )
      usable = [float(v) if 0 < v < math.inf else math.inf for v in ppl]
      self._known |= zip(new, usable, strict=True)
    return [self._known[pair] for pair in pairs]


def _step(
  states: Sequence[_State],
  at: int,
  number: int,
  propose: Propose,
  scorer: _Scorer,
  config: ReerConfig,
  allow: Allow | None,
) -> None:
  """Returns once segment `at` of every state is the best there is."""
  if not states:
    return
  rewrites = propose([Place(s.row, tuple(s.segments), at) for s in states])
  if len(rewrites) != len(states):
    raise ValueError(
      f'propose gave {len(rewrites)} lists for {len(states)} places; give one'
      ' each.'
    )
  tried = [
    (state, segments, text)
    for state, options in zip(states, rewrites, strict=True)
    for segments, text in _candidates(state, at, options, allow)
  ]
  ppl = scorer([(state.row, text) for state, _, text in tried])
  best: dict[int, tuple[float, list[str]]] = {}
  for (state, segments, _), value in zip(tried, ppl, strict=True):
    if value < best.get(state.row, (math.inf, []))[0]:
      best[state.row] = value, segments
  for state in states:
    value, segments = best.get(state.row, (math.inf, []))
    if math.log(value) < math.log(state.ppl) - config.least_fall:
      before, after = state.segments[at].strip(), segments[at].strip()
      state.edits.append(Edit(number, before, after, value))
      state.segments, state.ppl = segments, value
      state.last_edit = number


def _candidates(
  state: _State, at: int, options: Sequence[str], allow: Allow | None
) -> Iterator[tuple[list[str], str]]:
  """Yields the segments and the text of every rewrite that may stand."""
  for option in dict.fromkeys(options):
    segments = state.with_rewrite(at, option)
    text = ''.join(segments).strip()
    changed = text and text != state.text
    if changed and (allow is None or allow(state.row, text)):
      yield segments, text
