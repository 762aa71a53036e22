"""A teacher made of templates: evidence of the training logs in a sentence.

It stands where a large model will: given the next item it reasons backwards,
from what the prompt shows to the category path that the answer will have.
"""

from collections.abc import Iterator, Sequence
import itertools
from typing import TypeVar

import numpy as np

from taiji_jax.cot import evidence
from taiji_jax.cot.guard.leak_guard import leaks
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.data import prompts
from taiji_jax.types import Catalog, Log

_OPENINGS = ('Recent: ', 'Lately: ', 'Now into ')
_MORE = '; also '
_FOLLOW = (('Fans of ', ' pick '), ('After ', ' many pick '))
_ALIKE = (('Like ', ': '), ('As in ', ', more '))
_PROFILE = (('Users of ', ' favour '), ('Typical of ', ': '))
_PLAIN = ('Next: ', 'Time for ')
_END = '.'
_STOP = '. '
_UNKNOWN = 'something else'
_LAST = ('A change of mood.', 'Something new.', 'No clear sign.')

PHRASES = tuple(
  itertools.chain(
    _OPENINGS,
    (_MORE, _STOP),
    *_FOLLOW,
    *_ALIKE,
    *_PROFILE,
    _PLAIN,
    (_UNKNOWN,),
    _LAST,
  )
)
"""The fixed strings of all templates; a tokenizer may make each one symbol."""

_MIN_FOLLOWS = 2
_SHARED = (0.5, 1.0, 1.5)
_FORGET = 0.95
_MAX_TITLE = 60
_RECENT = 3
_T = TypeVar('_T')


class TemplateTeacher:
  """Reasons from shared categories, recency, co-occurrence and profile.

  Choice: the paper's teacher is a 32B model; this one is what a model of a few
  million parameters can follow: where the history stands, which of its items
  speaks most for the next, and the category path that comes of it.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part, the only source of evidence; the
      event that a request is about is none for it.
    profile_fields: the fields that the prompt shows.
    seed: of the phrasings.
  """

  def __init__(
    self,
    log: Log,
    catalog: Catalog,
    events: np.ndarray,
    *,
    profile_fields: Sequence[str] = ('age', 'gender', 'occupation'),
    seed: int = 0,
  ):
    self._catalog = catalog
    self._fields = tuple(profile_fields)
    self._events = events
    self._followers = evidence.followers(log, catalog, events)
    self._affinities = evidence.affinities(log, catalog, events, profile_fields)
    self._seed = seed
    count_n = np.bincount(log.item_e[events], minlength=len(catalog))
    self._popular_n = np.argsort(-count_n, kind='stable')

  def __call__(
    self, requests: Sequence[CotRequest], k: int = 1
  ) -> list[list[CotSample]]:
    """Returns k samples a request; sample j leads with the j-th evidence.

    Every text is guarded: what would state the target is left out in favour
    of the next evidence. Without a target all k reason towards, and answer,
    the likeliest item.
    """
    return [self._samples(request, k) for request in requests]

  def _samples(self, request: CotRequest, k: int) -> list[CotSample]:
    aim, answer = request.target, ''
    if aim is None:
      aim = self._guess(request.history)
      answer = prompts.item_text(self._catalog, aim)
    return [
      CotSample(self._text(request, aim, j), answer=answer) for j in range(k)
    ]

  def _guess(self, history: Sequence[int]) -> int:
    """Returns the item that most likely comes next.

    Choice: what followed one of the last three items most often, else the most
    popular one that is not in the history.
    """
    for item in self._followers.ranked(history[:_RECENT], 1):
      return item
    fresh = (n for n in self._popular_n.tolist() if n not in history)
    return next(fresh, int(self._popular_n[0]))

  def _text(self, request: CotRequest, aim: int, sample: int) -> str:
    rng = np.random.default_rng((self._seed, request.row, sample))
    reasons = list(self._reasons(request, aim, rng))
    if sample and reasons:
      turn = sample % len(reasons)
      reasons = reasons[turn:] + reasons[:turn]
    opening = self._opening(request.history, rng)
    for text in itertools.chain(
      (opening + reason for reason in reasons),
      reasons,
      _pick(_LAST, rng, len(_LAST)),
    ):
      if request.target is None or not leaks(
        text, self._catalog, request.target
      ):
        return text
    raise ValueError(
      f'Item {self._catalog.titles[request.target]!r} is stated by every'
      f' closing phrase {_LAST}; add one that does not.'
    )

  def _opening(self, history: Sequence[int], rng: np.random.Generator) -> str:
    """Returns where the history stands, '' where that is unknown."""
    paths = [self._catalog.categories[n] for n in history]
    paths = [path for path in paths if path]
    if not paths:
      return ''
    text = _pick(_OPENINGS, rng)[0] + paths[0][-1]
    others = [path[0] for path in paths if path[0] not in paths[0][-1]]
    if others:
      text += _MORE + max(others, key=others.count)
    return text + _STOP

  def _reasons(
    self, request: CotRequest, aim: int, rng: np.random.Generator
  ) -> Iterator[str]:
    """Yields sentences that lead to the item's path, the strongest first."""
    path = self._catalog.categories[aim] or (_UNKNOWN,)
    own = self._counted(request)
    score, follows = self._scores(request.history, aim, own)
    for at in np.argsort(-score, kind='stable'):
      title = self._catalog.titles[request.history[at]]
      if score[at] <= 0 or len(title) > _MAX_TITLE:
        continue
      forms = _FOLLOW if follows[at] >= _MIN_FOLLOWS else _ALIKE
      before, after = _pick(forms, rng)[0]
      yield f'{before}{title}{after}{path[-1]}{_END}'
    shown = {f: v for f, v in request.profile.items() if f in self._fields}
    trait = self._affinities.strongest(shown, path[0], own)
    if trait:
      before, after = _pick(_PROFILE, rng)[0]
      yield f'{before}{trait[0]} {trait[1]}{after}{path[-1]}{_END}'
    yield f'{_pick(_PLAIN, rng)[0]}{path[-1]}{_END}'

  def _counted(self, request: CotRequest) -> bool:
    """Returns whether the evidence holds the event that is asked about."""
    known = request.target is not None and request.event >= 0
    return known and bool(self._events[request.event])

  def _scores(
    self, history: Sequence[int], aim: int, own: bool
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns how much each history item speaks for `aim`, and the counts.

    Choice: the deepest shared level (0.5, 1, 1.5) + log(1 + times followed),
    the latter from two on, times 0.95 for each more recent item.
    """
    if not history:
      return np.zeros(0), np.zeros(0, np.int64)
    follows = self._followers.count(history, aim, own)
    shared = [
      self._shared(self._catalog.categories[item], aim) for item in history
    ]
    known = np.where(follows >= _MIN_FOLLOWS, np.log1p(follows), 0.0)
    score = (np.array(shared) + known) * _FORGET ** np.arange(len(history))
    return score, follows

  def _shared(self, path: tuple[str, ...], aim: int) -> float:
    both = zip(_SHARED, path, self._catalog.categories[aim], strict=False)
    return max((worth for worth, a, b in both if a == b), default=0.0)


def _pick(
  options: Sequence[_T], rng: np.random.Generator, count: int = 1
) -> list[_T]:
  """Returns `count` distinct options in random order."""
  return [options[i] for i in rng.permutation(len(options))[:count]]
