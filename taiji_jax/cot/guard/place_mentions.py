"""Where a sentence tells places in a list of candidates: a small grammar.

A word of place (an ordinal, 'last', a number, a letter) counts where something
binds it to the list: a noun ('candidate'), 'of the candidates' behind it, a
verb ('ranked'), or, where the sentence speaks of the list, an article before
and no noun behind it.
"""

from collections.abc import Iterator, Sequence
import dataclasses

from taiji_jax.cot.guard import place_words as words
from taiji_jax.cot.guard.place_tokens import Token
from taiji_jax.cot.guard.place_words import low

_HEADS = words.NOUNS | {'one', 'entry', 'item', 'product', 'that', 'what', 'it'}
_OPENS = frozenset(
  'heads tops leads opens starts begins heading topping leading opening'
  ' starting beginning headed topped opened'.split()
)
_CLOSES = frozenset(
  'ends closes finishes concludes completes ending closing finishing concluding'
  ' completing closed'.split()
)
_WITH = frozenset('with by on at in'.split())
_ADVERBS = frozenset(
  'right just directly immediately is stands sits comes appears listed shown'
  ' placed ranked that which very straight'.split()
)


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
  about = _is_about_list(tokens, count)
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


def _is_about_list(tokens: Sequence[Token], count: int) -> bool:
  """Returns whether a sentence speaks of the list of candidates."""
  for at, token in enumerate(tokens):
    if token.low in words.PLURALS and token.low not in words.IDIOMS:
      return True
    if token.low in words.LISTS and _is_the_list(tokens, at):
      return True
    if words.cardinal(token.low) == count > 1 and _is_all(tokens, at):
      return True
  return False


def _is_the_list(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether a list is one of candidates: no 'list of uses'."""
  if low(tokens, at - 1) in words.INDEFINITE or words.is_past(tokens):
    return False
  if low(tokens, at + 1) != 'of':
    return True
  return any(low(tokens, at + n) in words.PLURALS for n in (2, 3, 4))


def _is_all(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether a number is that of all candidates: 'of the five'."""
  if low(tokens, at - 1) not in ('the', 'these', 'those', 'all'):
    return False
  behind = low(tokens, at + 1)
  return behind in words.SHOWN | words.NOUNS or words.ends(tokens, at + 1)


def list_end(tokens: Sequence[Token], at: int, count: int) -> int:
  """Returns the position behind 'of the candidates', 0 where that isn't there.

  Args:
    tokens: of a sentence.
    at: where it may begin.
    count: how many candidates there are.
  """
  if low(tokens, at) in ('that', 'which'):
    at += 1
  while low(tokens, at) in ('is', 'was', 'are', 'were'):
    at += 1
  if low(tokens, at) in words.SHOWN and words.ends(tokens, at + 1):
    return at + 1
  end = at
  while low(tokens, end) in words.PREPOSITIONS | words.SHOWN:
    end += 1
  if end == at:
    return 0
  if words.cardinal(low(tokens, end)) == count > 1 and words.ends(
    tokens, end + 1
  ):
    return end + 1
  while low(tokens, end) in words.DETERMINERS or words.cardinal(
    low(tokens, end)
  ):
    everything = words.cardinal(low(tokens, end)) == count > 1
    end += 1
    if everything and _is_all(tokens, end - 1):
      if low(tokens, end) in words.NOUNS | words.SHOWN:
        end += 1
      return end
  if low(tokens, end) in words.PLURALS:
    return end + 1
  if low(tokens, end) in words.NOUNS and low(tokens, end + 1) in words.LISTS:
    return end + 2
  if low(tokens, end) in words.LISTS and _is_the_list(tokens, end):
    return end + 1
  return 0


def _ordinal(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'second candidate', 'second of the five', 'listed second'."""
  read = words.ranks(tokens, at, count)
  if read is None or low(tokens, at - 1) in words.INDEFINITE:
    return None
  places, end = read
  praised = tokens[at].low in words.PRAISE
  if end < len(tokens) and tokens[end].glued:
    ranked = low(tokens, end) in words.RANKED
    return Mention(places, at, end + 1) if ranked else None
  while low(tokens, end) in words.SHOWN and not words.ends(tokens, end + 1):
    end += 1
  noun = low(tokens, end)
  if behind := _behind(tokens, end, count):
    return Mention(places, at, behind)
  if praised:
    return None
  if noun in words.NOUNS:
    return _nouned(tokens, at, end, places, count)
  if _is_bound(tokens, at, end, about):
    return Mention(places, at, end + (noun in words.THINGS))
  if low(tokens, at - 1) == 'the' and words.ends(tokens, end):
    return Mention(places, at, end, bound=False)
  return None


def _behind(tokens: Sequence[Token], end: int, count: int) -> int:
  """Returns where 'item on the list' ends, 0 where no list comes."""
  if low(tokens, end) in words.NOUNS | words.THINGS:
    end += 1
    if low(tokens, end) in ('number', 'no'):
      return 0
    if read := words.from_end(tokens, end, 1, count):
      end = read[1]
  return list_end(tokens, end, count)


def _nouned(
  tokens: Sequence[Token],
  at: int,
  end: int,
  places: tuple[int, ...],
  count: int,
) -> Mention | None:
  """Reads on from the noun behind an ordinal."""
  if tokens[end].low in words.IDIOMS and (
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
  while low(tokens, before) in ('the', 'very', 'in', 'as', 'at'):
    before -= 1
  definite = before < at - 1
  noun, verb = low(tokens, end), low(tokens, before)
  owned = before >= 0 and tokens[before].owner
  if owned and verb in words.LISTS | words.PLURALS:
    return noun in words.THINGS
  closed = words.ends(tokens, end)
  if verb in words.RANKED and closed:
    return True
  if noun in words.SPOTS and verb in words.NOUNS | {'one'}:
    return True
  if low(tokens, at + 1) == 'from' and closed:
    return not words.is_past(tokens)
  if verb in words.STANDS and closed and not words.is_past(tokens):
    return True
  if words.is_past(tokens):
    return False
  if noun in words.THINGS and words.ends(tokens, end + 1):
    if noun in ('entry', 'one'):
      return low(tokens, at - 1) in ('the', 'very')
    if noun in ('position', 'slot'):
      return definite
    return about and definite and noun not in ('place',)
  if about and closed:
    return low(tokens, at - 1) in ('the', 'very') or verb in words.COMES
  return False


def _labelled(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'candidate 2', 'options 1 and 3', 'option (b)', 'item 1 on the list'."""
  noun = tokens[at].low
  if tokens[at].owner or noun not in words.LABELLED | words.THINGS | {'one'}:
    return None
  named = noun in words.LABELLED
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
    if noun in words.PLURALS and not several and not called:
      return None
    if start > at + 1 and not closed:
      return None
    if low(tokens, end - 1) == 'one' and not closed:
      return None
    return Mention(places, at, end)
  if behind := list_end(tokens, end, count):
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
    if low(tokens, at + 2) not in words.NOUNS:
      return None
    number = words.cardinal(low(tokens, at + 1))
    read = ((number - 1,), at + 2) if 0 < number <= count else None
  if read is None:
    return None
  places, end = read
  if low(tokens, end) in words.NOUNS:
    return Mention(places, at, end + 1)
  if behind := list_end(tokens, end, count):
    return Mention(places, at, behind)
  before = at - 1
  while low(tokens, before) in ('as', 'the', 'at', 'in'):
    before -= 1
  if low(tokens, before) in words.RANKED or (
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
  if word in words.STARTS:
    place = 0
  elif word in words.FINISHES:
    place = count - 1
  elif word in ('middle', 'centre', 'center') and count % 2:
    place = count // 2
  if place < 0 or count < 2:
    return None
  if low(tokens, at + 1) == 'of':
    end = list_end(tokens, at + 1, count)
    return Mention((place,), at, end) if end else None
  before = at - 1
  while low(tokens, before) in ('the', 'very'):
    before -= 1
  if low(tokens, before) not in ('at', 'in', 'on') or before == at - 1:
    return None
  head = skipped(tokens, before - 1)
  known = words.NOUNS | {'one', 'entry'}
  if low(tokens, head) not in known or not words.ends(tokens, at + 1):
    return None
  return Mention((place,), at, at + 1)


def _opened(
  tokens: Sequence[Token], at: int, count: int, about: bool
) -> Mention | None:
  """Reads 'heads the list', 'the list ends with it'."""
  word = tokens[at].low
  if word not in _OPENS | _CLOSES or count < 2:
    return None
  place = 0 if word in _OPENS else count - 1
  end = at + 1
  while low(tokens, end) in ('off', 'out', 'the', 'this', 'that', 'whole'):
    end += 1
  if end > at + 1 and low(tokens, end) in words.LISTS | words.PLURALS:
    if low(tokens, end) in words.PLURALS or _is_the_list(tokens, end):
      return Mention((place,), at, end + 1)
  subject = low(tokens, at - 1)
  if subject in words.LISTS and not _is_the_list(tokens, at - 1):
    return None
  if subject not in words.LISTS | words.PLURALS:
    return None
  end = at + 1 + (low(tokens, at + 1) == 'off')
  other = end + 1 < len(tokens) and tokens[end + 1].name
  if low(tokens, end) in _WITH and not other or words.ends(tokens, end):
    return Mention((place,), at, end + 1)
  return None


def skipped(tokens: Sequence[Token], at: int) -> int:
  """Returns the position, going back, before 'that stands right'."""
  while low(tokens, at) in _ADVERBS:
    at -= 1
  return at


def beside(
  tokens: Sequence[Token], found: Sequence[Mention], count: int
) -> Iterator[Mention]:
  """Yields the places that a sentence tells by those beside them.

  'the one above the second candidate', 'what follows candidate 2', 'between
  the first and the third'.

  Args:
    tokens: of the sentence.
    found: its mentions.
    count: how many candidates there are.
  """
  for at, token in enumerate(tokens):
    step = _STEPS.get(token.low, 0)
    if not step and token.low != 'between':
      continue
    start = at + 1 + (low(tokens, at + 1) in ('of', 'to'))
    start += low(tokens, start) == 'the'
    mention = _mention_at(tokens, found, start, count)
    if mention is None:
      continue
    if token.low == 'between':
      low_place, high = min(mention.places), max(mention.places)
      place = (low_place + high) // 2
      if high - low_place != 2:
        continue
    else:
      place = mention.places[0] + step
      if token.low not in _VERBS and not _has_head(tokens, at):
        continue
    if 0 <= place < count:
      yield Mention((place,), at, mention.end)


_STEPS = {
  'above': -1,
  'before': -1,
  'preceding': -1,
  'precedes': -1,
  'over': -1,
  'below': 1,
  'beneath': 1,
  'under': 1,
  'underneath': 1,
  'after': 1,
  'behind': 1,
  'following': 1,
  'follows': 1,
  'succeeds': 1,
}
_VERBS = ('precedes', 'follows', 'succeeds')


def _has_head(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether something stands there: 'the one above', 'just above'."""
  before = skipped(tokens, at - 1)
  if low(tokens, before) in _HEADS:
    return True
  return low(tokens, at - 1) in _ADVERBS - {'is', 'that', 'which', 'very'}


def _mention_at(
  tokens: Sequence[Token], found: Sequence[Mention], start: int, count: int
) -> Mention | None:
  """Returns the mention that starts there, also one that nothing binds."""
  pair = [m for m in found if start <= m.start <= start + 4]
  here = next((m for m in pair if start == m.start), None)
  if here is None:
    read = words.ranks(tokens, start, count)
    label = words.labels(tokens, start, count, letters=False)
    read = (
      read or label if low(tokens, start) in ('number', 'no', '#') else (read)
    )
    if read is None or not (
      words.ends(tokens, read[1]) or low(tokens, read[1]) == 'one'
    ):
      return None
    here = Mention(read[0], start, read[1])
  # 'between the first candidate and the third one'.
  for other in pair:
    joined = words.joined(tokens, here.end)
    if joined > here.end and other.start == joined:
      return Mention(here.places + other.places, here.start, other.end)
  return here
