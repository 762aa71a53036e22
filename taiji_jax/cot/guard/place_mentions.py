"""Where a sentence tells places in a list of candidates: a small grammar.

A word of place (an ordinal, 'last', a number, a letter) counts where something
binds it to the list: a noun ('candidate'), 'of the candidates' behind it, a
verb ('ranked'), or, where the sentence speaks of the list, an article before
and no noun behind it.
"""

from collections.abc import Sequence
import dataclasses

from taiji_jax.cot.guard import place_lists
from taiji_jax.cot.guard import place_vocabulary as vocabulary
from taiji_jax.cot.guard import place_words as words
from taiji_jax.cot.guard.place_tokens import Token
from taiji_jax.cot.guard.place_words import low


@dataclasses.dataclass(frozen=True)
class Mention:
  """What tells places: `places`, said by the tokens from start to end.

  Attributes:
    places: from 0 on.
    start, end: positions of tokens.
    bound: whether it tells them by itself; else only among others.
  """

  places: tuple[int, ...]
  start: int
  end: int
  bound: bool = True


def mentions(tokens: Sequence[Token], count: int) -> list[Mention]:
  """Returns what tells places in a sentence.

  Args:
    tokens: of the sentence.
    count: how many candidates there are.
  """
  about = place_lists.is_there(tokens, count)
  found: list[Mention] = []
  end = 0
  for at, token in enumerate(tokens):
    if at < end:
      continue
    if token.place >= 0:
      found.append(Mention((token.place,), at, at + 1, bound=False))
    for read in (_edge, _opened, _ordinal, _labelled, _numbered):
      if mention := read(tokens, at, count, about):
        found.append(mention)
        end = mention.end
        break
  return found


def _ordinal(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'second candidate', 'second of the five', 'listed second'."""
  read = words.ranks(tokens, at, count)
  if read is None or low(tokens, at - 1) in vocabulary.INDEFINITE:
    return None
  places, end = read
  praised = tokens[at].low in vocabulary.PRAISE
  if end < len(tokens) and tokens[end].glued:
    ranked = low(tokens, end) in vocabulary.RANKED
    return Mention(places, at, end + 1) if ranked else None
  while low(tokens, end) in vocabulary.SHOWN and not words.ends(
    tokens, end + 1
  ):
    end += 1
  noun = low(tokens, end)
  if behind := _behind(tokens, end, count):
    return Mention(places, at, behind)
  if praised:
    return None
  if noun in vocabulary.NOUNS:
    return _nouned(tokens, at, end, places, count)
  if _is_bound(tokens, at, end, about):
    return Mention(places, at, end + (noun in vocabulary.THINGS))
  if low(tokens, at - 1) == 'the' and words.ends(tokens, end):
    return Mention(places, at, end, bound=False)
  return None


def _behind(tokens: Sequence[Token], end: int, count: int) -> int:
  """Returns where 'item on the list' ends, 0 where no list comes."""
  if low(tokens, end) in vocabulary.NOUNS | vocabulary.THINGS:
    end += 1
    if low(tokens, end) in ('number', 'no'):
      return 0
    if read := words.from_end(tokens, end, 1, count):
      end = read[1]
  return place_lists.end_of(tokens, end, count)


def _nouned(
  tokens: Sequence[Token],
  at: int,
  end: int,
  places: tuple[int, ...],
  count: int,
) -> Mention | None:
  """Reads on from the noun behind an ordinal."""
  if tokens[end].low in vocabulary.IDIOMS and (
    low(tokens, end + 1) in ('of', 'for', 'among', 'with', 'in')
    or words.is_owned(tokens, at)
  ):
    return None
  back = words.from_end(tokens, end + 1, places[0] + 1, count)
  if back:
    return Mention(back[0], at, back[1])
  return Mention(places, at, end + 1)


def _is_bound(tokens: Sequence[Token], at: int, end: int, about: bool) -> bool:
  """Returns whether an ordinal without a list behind it tells a place."""
  before = at - 1
  while low(tokens, before) in vocabulary.LEADS:
    before -= 1
  noun, verb = low(tokens, end), low(tokens, before)
  lists = vocabulary.LISTS | vocabulary.PLURALS
  if before >= 0 and tokens[before].owner and verb in lists:
    return noun in vocabulary.THINGS
  closed = words.ends(tokens, end)
  if verb in vocabulary.RANKED and closed:
    return True
  if noun in vocabulary.SPOTS and verb in vocabulary.NOUNS | {'one'}:
    return True
  if words.is_past(tokens):
    return False
  if noun in vocabulary.THINGS and words.ends(tokens, end + 1):
    return _is_thing(tokens, at, noun, about)
  ranked = low(tokens, at + 1) == 'from' or verb in vocabulary.STANDS
  said = low(tokens, at - 1) in ('the', 'very') or verb in vocabulary.COMES
  return closed and (ranked or about and said)


def _is_thing(tokens: Sequence[Token], at: int, noun: str, about: bool) -> bool:
  """Returns whether 'the second one' and the like tell a place."""
  if noun in ('entry', 'one'):
    return low(tokens, at - 1) in ('the', 'very')
  if low(tokens, at - 1) not in vocabulary.LEADS:
    return False
  return noun in ('position', 'slot') or about and noun != 'place'


def _labelled(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'candidate 2', 'options 1 and 3', 'option (b)', 'item 1 of them'."""
  noun = tokens[at].low
  if tokens[at].owner or noun not in vocabulary.LABELLED | vocabulary.THINGS | {
    'one'
  }:
    return None
  named = noun in vocabulary.LABELLED
  start = at + 1
  if noun in ('answer', 'choice') and low(tokens, start) in ('is', 'was'):
    start += 1
  read = words.labels(tokens, start, count, letters=named)
  if read is None:
    return None
  places, end = read
  closed = words.ends(tokens, end)
  if named:
    several = len(places) > 1
    called = low(tokens, at + 1) in ('#', 'number', 'no', 'nr')
    if noun in vocabulary.PLURALS and not several and not called:
      return None
    if start > at + 1 and not closed:
      return None
    if low(tokens, end - 1) == 'one' and not closed:
      return None
    return Mention(places, at, end)
  if behind := place_lists.end_of(tokens, end, count):
    return Mention(places, at, behind)
  if noun in ('position', 'slot', 'entry') and closed:
    return None if words.is_past(tokens) else Mention(places, at, end)
  return None


def _numbered(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'number two on the list', 'number-one candidate', 'ranked no. 2'."""
  if tokens[at].low not in ('number', 'no', 'nr', '#'):
    return None
  read = words.labels(tokens, at + 1, count, letters=False)
  if read is None:
    if low(tokens, at + 2) not in vocabulary.NOUNS:
      return None
    number = words.cardinal(low(tokens, at + 1))
    read = ((number - 1,), at + 2) if 0 < number <= count else None
  if read is None:
    return None
  places, end = read
  if low(tokens, end) in vocabulary.NOUNS:
    return Mention(places, at, end + 1)
  if behind := place_lists.end_of(tokens, end, count):
    return Mention(places, at, behind)
  before = at - 1
  while low(tokens, before) in ('as', 'the', 'at', 'in'):
    before -= 1
  if low(tokens, before) in vocabulary.RANKED or (
    about and words.ends(tokens, end) and not words.is_past(tokens)
  ):
    return Mention(places, at, end)
  return None


def _edge(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'top of the list', 'the one in the middle'."""
  word = tokens[at].low
  place = -1
  if word in vocabulary.STARTS:
    place = 0
  elif word in vocabulary.FINISHES:
    place = count - 1
  elif word in ('middle', 'centre', 'center') and count % 2:
    place = count // 2
  if place < 0 or count < 2:
    return None
  if low(tokens, at + 1) == 'of':
    end = place_lists.end_of(tokens, at + 1, count)
    return Mention((place,), at, end) if end else None
  before = at - 1
  while low(tokens, before) in ('the', 'very'):
    before -= 1
  if low(tokens, before) not in ('at', 'in', 'on') or before == at - 1:
    return None
  head = words.skipped(tokens, before - 1)
  known = vocabulary.NOUNS | {'one', 'entry'}
  if low(tokens, head) not in known or not words.ends(tokens, at + 1):
    return None
  return Mention((place,), at, at + 1)


def _opened(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'heads the list', 'the list ends with it'."""
  word = tokens[at].low
  if word not in vocabulary.OPENS | vocabulary.CLOSES or count < 2:
    return None
  place = 0 if word in vocabulary.OPENS else count - 1
  end = at + 1
  while low(tokens, end) in ('off', 'out', 'the', 'this', 'that', 'whole'):
    end += 1
  if end > at + 1 and place_lists.is_one(tokens, end):
    return Mention((place,), at, end + 1)
  if not place_lists.is_one(tokens, at - 1):
    return None
  end = at + 1 + (low(tokens, at + 1) == 'off')
  other = end + 1 < len(tokens) and tokens[end + 1].name
  if (
    low(tokens, end) in vocabulary.WITH and not other or words.ends(tokens, end)
  ):
    return Mention((place,), at, end + 1)
  return None
