"""Does a reasoning text state the answer that it should lead to?"""

from collections.abc import Iterable, Sequence
import dataclasses
import functools

from taiji_jax.cot import sentences
from taiji_jax.cot.guard import item_numbers, overlap, places
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.spelling import (
  as_line,
  model_words,
  words,
  words_apart,
)
from taiji_jax.cot.guard.support import Support, stands, support
from taiji_jax.cot.guard.title_marks import TitleMarks, TitleStatistics, joined
from taiji_jax.types import Catalog

KINDS = (
  'title',
  'near title',
  'model number',
  'item id',
  'place',
  'brand',
  'category',
)
_AFTER_PLACE = ('brand', 'category')


@dataclasses.dataclass(frozen=True)
class Leak:
  """What a text states: one of `KINDS`, and what it was."""

  kind: str
  text: str

  def __str__(self) -> str:
    return f'{self.kind}: {self.text}'


class LeakGuard:
  """Finds what a reasoning text states of the item it leads to.

  Compared without case, accents, punctuation and articles ('Godfather, The'
  is 'the godfather'), letters of other scripts as the Latin ones that they
  look like, digits in a word as the letters that they stand for, and words of
  the title that are glued, or whose letters stand apart, as words. In this
  order:

  1. the title, without year or an alternative title in brackets; also where
     a history title contains it: the words are there, whatever they name;
  2. a near title: `near` of a title's words in a row, or `run` words in a row
     that are rare: without evidence, of no other title;
  3. a model number that is rare, in one or in parts ('10194-A', '10194 A');
  4. the item id, as a word; one of digits alone only where it is called so
     ('item 48', 'items 12 and 48', '#48'; see `item_numbers`), for 'packs of
     48' states nothing;
  5. its place among the candidates ('the second candidate', 'option 2', '#2',
     'the one above' another, 'neither' of all others; see `places`), where it
     is one of them; another's place is no leak;
  6. a near title by overlap: what is rare about the title, in any order and
     spelling. Words of the item's category path do not count. Words of the
     evidence count only outside its quotes, and if all but few are there.
     With evidence, titles of few such words need fewer; of a candidate, two
     words that no name of the evidence has are enough, if `listed` rare;
  7. with evidence: the brand (also its possessive and plural, or with a
     hyphen or space inside; see `brand_forms`), or a level of the category
     path, that no name given says, the deepest first;
  8. with evidence, of a candidate: one word that alone tells it from the
     others ('the white one'; see `GuardConfig.telling`), a near title too.

  Args:
    catalog: the items.
    config: the thresholds.
  """

  def __init__(self, catalog: Catalog, config: GuardConfig | None = None):
    self._catalog = catalog
    self._config = config or GuardConfig()
    statistics = TitleStatistics(catalog, self._config)
    self._marks = functools.lru_cache(maxsize=1 << 12)(statistics.marks)

  def evidence(
    self, history: Iterable[int], candidates: Iterable[int] = ()
  ) -> tuple[str, ...]:
    """Returns the names that support a text: pass them on to `find`.

    Args:
      history: items of the prompt; their titles, brands and category paths.
      candidates: items that the logs point to, such as what followed the
        history for others; their category paths only.
    """
    catalog = self._catalog
    names: dict[str, None] = {}
    for item in history:
      names[catalog.titles[item]] = None
      names |= dict.fromkeys(catalog.categories[item])
      if catalog.brands:
        names[catalog.brands[item]] = None
    for item in candidates:
      names |= dict.fromkeys(catalog.categories[item])
    return tuple(names)

  def find(
    self,
    think: str,
    target: int,
    evidence: Sequence[str] | None = None,
    candidates: Sequence[int] = (),
  ) -> Leak | None:
    """Returns the first leak of the target, None where there is none.

    In the order that the class states.

    Args:
      think: the reasoning.
      target: index of the item that must not be stated.
      evidence: names that support a text (see `evidence`); what they say of 3,
        4 and 6 is no leak. None leaves 7 out.
      candidates: items that the prompt shows as candidates, in its order.
    """
    marks = self._marks(target)
    known = support(tuple(evidence or ()))
    read = words(think)
    own = [i for i, item in enumerate(candidates) if item == target]
    titles = [self._catalog.titles[item] for item in candidates] if own else ()
    place = places.names(think, own, len(candidates), evidence or (), titles)
    about = marks, target, known, evidence is None, bool(own)
    leak = self._find(think, read, *about)
    if place and (leak is None or leak.kind in _AFTER_PLACE):
      return Leak('place', repr(place))
    if leak is None and (hidden := words_apart(think, marks.hidden)) != read:
      leak = self._find(think, hidden, *about)
    return leak

  def _find(
    self,
    think: str,
    text_words: Sequence[str],
    marks: TitleMarks,
    target: int,
    known: Support,
    alone: bool,
    listed: bool,
  ) -> Leak | None:
    """Returns the first leak in the words of a text; see `find`.

    Args:
      think: the text.
      text_words: its words, in one reading.
      marks: of the target.
      target: the item.
      known: what the evidence says.
      alone: whether there is no evidence.
      listed: whether the target is among the candidates.
    """
    line = as_line(text_words)
    title = self._catalog.titles[target]
    if any(name in line for name in marks.names):
      return Leak('title', repr(title))
    rest = known.without(line)
    if _quotes(marks, line, rest, alone):
      return Leak('near title', repr(title))
    if model := self._model(marks, think, text_words, known):
      return Leak('model number', repr(model))
    item_id = self._catalog.item_ids[target]
    if _names_id(item_id, think, line) and not _knows_id(item_id, known):
      return Leak('item id', repr(item_id))
    there = rest.split()
    said = frozenset(there)
    if overlap.is_near(marks, said, known, self._config, alone, listed):
      return Leak('near title', repr(title))
    if alone:
      return None
    if leak := self._unsupported(marks, line, target, known):
      return leak
    one = overlap.tell(marks, there, known) if listed else None
    return Leak('near title', repr(one)) if one else None

  def _unsupported(
    self, marks: TitleMarks, line: str, target: int, known: Support
  ) -> Leak | None:
    """Returns a brand or a category that the text says and no evidence does."""
    for forms in marks.brands:
      if _says(line, forms) and not any(map(known.holds, forms)):
        return Leak('brand', repr(self._catalog.brands[target]))
    for name in reversed(self._catalog.categories[target]):
      if stands(name, line) and not known.says(name):
        return Leak('category', repr(name))
    return None

  def redact(
    self,
    think: str,
    target: int,
    evidence: Sequence[str] | None = None,
    candidates: Sequence[int] = (),
  ) -> str:
    """Returns the text without the sentences that leak, '' if none is left.

    What is left leaks nothing: where only several sentences together do, those
    without which the rest leaks least go too, the last of equals first.
    """

    def leaks_in(parts: Sequence[str]) -> bool:
      text = ''.join(parts)
      return bool(self.find(text, target, evidence, candidates))

    left = [s for s in sentences.split(think) if not leaks_in([s])]
    while left and leaks_in(left):
      rests = [left[:i] + left[i + 1 :] for i in range(len(left))]
      clean = [rest for rest in rests if not leaks_in(rest)]
      left = (clean or rests)[-1]
    return ''.join(left).strip()

  def _model(
    self,
    marks: TitleMarks,
    think: str,
    text_words: Sequence[str],
    known: Support,
  ) -> str | None:
    own = marks.models - known.words
    if not own:
      return None
    said = {*joined(text_words), *joined(model_words(think))}
    return min(own & said, default=None)


def leaks(think: str, catalog: Catalog, target: int) -> str | None:
  """Returns what of the target `think` states, or None if nothing.

  `LeakGuard.find` without evidence; the guard of a catalogue is kept for the
  next call.

  Args:
    think: the reasoning.
    catalog: the items.
    target: index of the item that must not be stated.
  """
  leak = _guard(_Same(catalog)).find(think, target)
  return str(leak) if leak else None


@dataclasses.dataclass(frozen=True, eq=False)
class _Same:
  """A catalogue that equals itself only: comparing the items takes long."""

  catalog: Catalog

  def __eq__(self, other: object) -> bool:
    return isinstance(other, _Same) and self.catalog is other.catalog

  def __hash__(self) -> int:
    return id(self.catalog)


@functools.lru_cache(maxsize=2)
def _guard(same: _Same) -> LeakGuard:
  return LeakGuard(same.catalog)


def _says(line: str, forms: Iterable[str]) -> bool:
  return any(form in line for form in forms)


def _names_id(item_id: str, think: str, line: str) -> bool:
  """Returns whether a text states the id."""
  if not item_id.isdecimal():
    return stands(item_id, line)
  return item_numbers.names(item_id, think)


def _knows_id(item_id: str, known: Support) -> bool:
  """Returns whether a name of the evidence states the id, or what looks so."""
  if not item_id.isdecimal():
    return known.says(item_id)
  return any(item_numbers.names(item_id, line) for line in known.lines)


def _quotes(marks: TitleMarks, line: str, rest: str, alone: bool) -> bool:
  """Returns whether words of the title stand there in a row.

  Args:
    marks: of the title.
    line, rest: the text, and what of it is no quote of the evidence.
    alone: whether only runs of no other title count.
  """
  return any(run in line for run in marks.near) or any(
    run in rest
    for run, titles in marks.runs.items()
    if titles == 1 or not alone
  )
