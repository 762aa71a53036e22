"""A teacher made of templates: evidence of the training logs in a sentence.

It stands where a large model will: given the next item it reasons backwards,
from what the prompt shows to the category path that the answer will have.
"""

from collections.abc import Iterator, Sequence
import itertools
import math
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
_RATHER = (' rather than ', ', not ')
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
    _RATHER,
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
  speaks most for the next, and the category that comes of it, the deepest that
  the prompt or the evidence supports. Where an item of that category is among
  the candidates, a reason also says over which other one it was chosen: one for
  which the same evidence speaks less.

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
    self._item_e = log.item_e
    self._followers = evidence.followers(log, catalog, events)
    self._kinds = evidence.Kinds(self._followers, catalog)
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
    the likeliest item, of the candidates where there are any.

    Raises:
      UserError: a candidate is no item.
    """
    return [self._samples(request, k) for request in requests]

  def _samples(self, request: CotRequest, k: int) -> list[CotSample]:
    aim, answer = request.target, ''
    if aim is None:
      aim = self._guess(request)
      answer = prompts.item_text(self._catalog, aim)
    return [
      CotSample(self._text(request, aim, j), answer=answer) for j in range(k)
    ]

  def _guess(self, request: CotRequest) -> int:
    """Returns the item that most likely comes next.

    Choice: what followed one of the last three items most often, else the most
    popular one that is not in the history. Among candidates those three may
    be too; where nothing followed, the one that shares most with the history,
    and of equal ones the first.
    """
    history = request.history
    recent = history[:_RECENT]
    if listed := self._candidates(request):
      return max(
        listed,
        key=lambda item: (
          self._followers.count(recent, item).sum(),
          self._scores(history, item, False)[0].max(initial=0.0),
        ),
      )
    for item in self._followers.ranked(recent, 1):
      return item
    fresh = (n for n in self._popular_n.tolist() if n not in history)
    return next(fresh, int(self._popular_n[0]))

  def _candidates(self, request: CotRequest) -> tuple[int, ...]:
    return request.candidates_of(len(self._catalog))

  def _text(self, request: CotRequest, aim: int, sample: int) -> str:
    rng = np.random.default_rng((self._seed, request.row, sample))
    reasons = list(self._reasons(request, aim, sample, rng))
    if sample and reasons:
      turn = sample % len(reasons)
      reasons = reasons[turn:] + reasons[:turn]
    opening = self._opening(request.history, rng)
    last = _pick(_LAST, rng, len(_LAST))
    for text in itertools.chain(
      (opening + reason for reason in reasons),
      reasons,
      (opening + phrase for phrase in last if not reasons),
      last,
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
    self,
    request: CotRequest,
    aim: int,
    sample: int,
    rng: np.random.Generator,
  ) -> Iterator[str]:
    """Yields sentences that lead to the item's kind, the strongest first.

    None where the target's category is not supported at all.
    """
    own = self._counted(request)
    kind = self._kind(request, aim, own)
    if not kind:
      return
    history = request.history
    score, follows = self._scores(history, aim, own)
    after = self._kinds.count(history, kind, own)
    rivals = self._rivals(request, kind)
    for at in np.lexsort((-after, -score)):
      title = self._catalog.titles[history[at]]
      many = max(follows[at], after[at]) >= _MIN_FOLLOWS
      if not (score[at] > 0 or many) or len(title) > _MAX_TITLE:
        continue
      before, between = _pick(_FOLLOW if many else _ALIKE, rng)[0]
      rest = self._over(rivals, history[at], kind, after[at], sample, rng)
      yield f'{before}{title}{between}{kind}{rest}{_END}'
    shown = {f: v for f, v in request.profile.items() if f in self._fields}
    path = self._catalog.categories[aim] or (_UNKNOWN,)
    trait = self._affinities.strongest(shown, path[0], own)
    if trait:
      before, between = _pick(_PROFILE, rng)[0]
      yield f'{before}{trait[0]} {trait[1]}{between}{kind}{_END}'
    yield f'{_pick(_PLAIN, rng)[0]}{kind}{_END}'

  def _kind(self, request: CotRequest, aim: int, own: bool) -> str:
    """Returns the category to name: the deepest one that is supported.

    What the prompt shows supports a category, and what followed its history at
    least `evidence.SUPPORT` times. Of an item that the teacher itself guesses
    the deepest one is named in any case. '' where none is supported.
    """
    path = self._catalog.categories[aim]
    if not path:
      return _UNKNOWN
    if request.target is None:
      return path[-1]
    shown = {
      name
      for item in (*request.history, *self._candidates(request))
      for name in self._catalog.categories[item]
    }
    first = np.unique(np.array(request.history, int), return_index=True)[1]
    for name in reversed(path):
      if name in shown:
        return name
      followed = self._kinds.count(request.history, name, own)
      if followed[first].sum() >= evidence.SUPPORT:
        return name
    return ''

  def _rivals(self, request: CotRequest, kind: str) -> list[str]:
    """Returns the candidates' other kinds, if one of them is of the kind."""
    paths = [self._catalog.categories[n] for n in self._candidates(request)]
    if not any(kind in path for path in paths):
      return []
    return list(dict.fromkeys(p[-1] for p in paths if p and kind not in p))

  def _over(
    self,
    rivals: Sequence[str],
    item: int,
    kind: str,
    after: int,
    sample: int,
    rng: np.random.Generator,
  ) -> str:
    """Returns the words for a rival that the item speaks less for, or ''.

    Each sample has another one where there are some.
    """
    least = self._speaks(item, kind, after)
    beaten = [
      rival
      for rival in rivals
      if self._speaks(item, rival, self._kinds.count([item], rival)[0]) < least
    ]
    if not beaten:
      return ''
    return _pick(_RATHER, rng)[0] + beaten[sample % len(beaten)]

  def _speaks(self, item: int, name: str, after: int) -> float:
    """Returns how much an item speaks for a category that came after it."""
    own = name in self._catalog.categories[item]
    return own + (math.log1p(after) if after >= _MIN_FOLLOWS else 0.0)

  def _counted(self, request: CotRequest) -> bool:
    """Returns whether the evidence holds the event that is asked about."""
    if request.target is None or request.event < 0:
      return False
    same = self._item_e[request.event] == request.target
    return bool(same and self._events[request.event])

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
