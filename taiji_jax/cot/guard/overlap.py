"""How much of what is rare about a title a text says, in any order."""

from collections.abc import Iterable
import math

from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.spelling import singular_and_plural, trigrams
from taiji_jax.cot.guard.support import Support
from taiji_jax.cot.guard.title_marks import TitleMarks

_FUZZY = 4
_SHORT = 3


def is_near(
  marks: TitleMarks,
  there: frozenset[str],
  known: Support,
  config: GuardConfig,
  alone: bool,
  listed: bool,
) -> bool:
  """Returns whether too much of what is rare about the title is there.

  Args:
    marks: of the title.
    there: words of the text.
    known: what the evidence says.
    config: the thresholds.
    alone: whether there is no evidence; else few words are enough of a title
      that has few.
    listed: whether the target is among the candidates.
  """
  least = config.least_words
  if not alone:
    most = math.ceil(config.near * len(marks.rarity))
    least = min(least, max(_SHORT, most))
  found = _found(marks, there, config.spelling)
  own = {w: r for w, r in marks.rarity.items() if w not in known.words}
  told = [rarity for word, rarity in own.items() if word in found]
  if listed and len(told) > 1 and sum(told) >= config.listed:
    return True
  if len(found) < least:
    return False
  if len(told) > 1 and sum(told) >= config.overlap * sum(own.values()):
    return True
  if len(told) >= config.least_words and sum(told) >= config.surprise:
    return True
  share = sum(r for word, r in marks.rarity.items() if word in found)
  return share >= config.near * sum(marks.rarity.values())


def tell(marks: TitleMarks, there: Iterable[str], known: Support) -> str | None:
  """Returns a word that alone tells the title among candidates, or None.

  One of `TitleMarks.tells`, also in its singular or plural, that no name of the
  evidence has in either.

  Args:
    marks: of the title.
    there: words of the text.
    known: what the evidence says, the other candidates' titles too.
  """
  for word in there:
    forms = singular_and_plural(word)
    if not marks.tells.isdisjoint(forms) and known.words.isdisjoint(forms):
      return word
  return None


def _found(
  marks: TitleMarks, there: frozenset[str], spelling: float
) -> set[str]:
  """Returns which words of the title are there, in any form."""
  found = {word for word in marks.rarity if word in there}
  missing = [w for w in marks.rarity if w not in found and len(w) >= _FUZZY]
  if missing:
    grams = frozenset().union(*map(trigrams, there))
    found.update(
      word
      for word in missing
      if len(trigrams(word) & grams) >= spelling * len(trigrams(word))
    )
  return found
