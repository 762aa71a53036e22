"""The words of places: ordinals, labels, nouns and what may follow them."""

from collections.abc import Sequence
import re

from taiji_jax.cot.guard.place_tokens import Token

_ORDINALS = (
  'first',
  'second',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
  'eighth',
  'ninth',
  'tenth',
)
_CARDINALS = (
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
)
_ROMANS = ('i', 'ii', 'iii', 'iv', 'v', 'vi', 'vii', 'viii', 'ix', 'x')
_COUNTED = re.compile(r'(\d+)(?:st|nd|rd|th)')
_FIRST = frozenset(
  ('top', 'topmost', 'uppermost', 'initial', 'opening', 'leading', 'foremost')
)
_LAST = frozenset(
  ('last', 'final', 'bottom', 'bottommost', 'lowermost', 'closing', 'lowest')
)
_MIDDLE = frozenset(('middle', 'central', 'centre', 'center', 'middlemost'))
_ONLY = frozenset(('only', 'sole', 'single'))
PRAISE = frozenset(('best', 'highest', 'worst'))
STARTS = frozenset(('top', 'head', 'start', 'beginning', 'front'))
FINISHES = frozenset(('bottom', 'end', 'foot', 'last', 'back', 'tail'))

_NOUN = (
  'candidate',
  'option',
  'suggestion',
  'alternative',
  'proposal',
  'contender',
  'choice',
  'recommendation',
)
PLURALS = frozenset(f'{noun}s' for noun in (*_NOUN, 'pick'))
IDIOMS = frozenset(('choice', 'choices', 'pick', 'picks'))
LABELLED = frozenset((*_NOUN, *(f'{noun}s' for noun in _NOUN), 'answer'))
NOUNS = frozenset((*_NOUN, 'pick')) | PLURALS
LISTS = frozenset(('list', 'shortlist', 'lineup', 'lists'))
SPOTS = frozenset(('position', 'slot', 'entry', 'spot', 'rank', 'place'))
THINGS = SPOTS | frozenset(
  ('item', 'one', 'product', 'line', 'row', 'name', 'title', 'thing')
)
PREPOSITIONS = frozenset(('of', 'among', 'amongst', 'from', 'in', 'on', 'out'))
DETERMINERS = frozenset(
  'the these those this that your our all given listed shown above proposed'
  ' possible offered here below available said'.split()
)
SHOWN = frozenset('listed shown given presented offered proposed above'.split())
RANKED = frozenset(
  'listed ranked ranks rank placed shown named mentioned numbered'.split()
)
STANDS = frozenset('appears stands sits appearing standing sitting'.split())
COMES = frozenset('comes is was goes'.split())
INDEFINITE = frozenset(('a', 'an', 'another', 'every', 'each', 'any'))
_OWNERS = frozenset('their his her my its your our'.split())
_AFTER = frozenset(
  'is was are were will would could should may might can must seems seemed'
  ' looks fits suits matches works comes stands sits has does makes wins serves'
  ' belongs follows remains feels appears and or but nor as because since than'
  ' then there here too also most instead if so while where which that it'
  ' they fit suit best'.split()
)
_THIRD = frozenset(
  'is was seems looks fits suits matches works comes has wins'.split()
)
_PUNCTUATION = frozenset('.,;:!?)]–—\n')
_MARKS = frozenset(('#', '(', '[', ':', '='))
_CALLS = frozenset(
  'no nr number numbered marked labelled labeled called with letter'.split()
)
_UNITS = frozenset(
  '% percent per inch inches pack packs piece pieces mm cm ml oz lb lbs ft feet'
  ' foot kg g times time yard yards count users people years months weeks days'
  ' hours x'.split()
)
_JOINS = frozenset((',', 'and', 'or', 'nor', '&', '/', 'not', 'but'))
_PAST = frozenset(
  'history purchase purchases purchased bought buy ordered order orders'
  ' recent'.split()
)
Read = tuple[tuple[int, ...], int]
"""Places, and the position behind the words that say them."""


def low(tokens: Sequence[Token], at: int) -> str:
  """Returns a token in small letters, '' where there is none."""
  return tokens[at].low if 0 <= at < len(tokens) else ''


def cardinal(word: str) -> int:
  """Returns the number that a word says, 0 where it says none."""
  if word.isdecimal():
    return int(word)
  return _CARDINALS.index(word) + 1 if word in _CARDINALS else 0


def is_past(tokens: Sequence[Token]) -> bool:
  """Returns whether a sentence is about what was bought."""
  return any(token.low in _PAST for token in tokens)


def is_owned(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether it is someone's: 'their first choice'."""
  return low(tokens, at - 1) in _OWNERS


def ends(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether no noun comes at a position: a phrase ends before it."""
  if at >= len(tokens):
    return True
  token = tokens[at]
  return not token.glued and (token.low in _AFTER or token.text in _PUNCTUATION)


def ranks(tokens: Sequence[Token], at: int, count: int) -> Read | None:
  """Returns the places that ordinals say: 'second', 'second or the third'."""
  read = _rank(tokens, at, count)
  if read is None:
    return None
  found, end = read
  while True:
    after = joined(tokens, end)
    more = _rank(tokens, after, count) if after > end else None
    if more is None:
      return found, end
    found, end = (*found, *more[0]), more[1]


def joined(tokens: Sequence[Token], at: int) -> int:
  """Returns the position behind ', and the'; `at` where nothing joins."""
  end = at
  while low(tokens, end) in _JOINS:
    end += 1
  return end + (low(tokens, end) == 'the') if end > at else at


def _rank(tokens: Sequence[Token], at: int, count: int) -> Read | None:
  word = low(tokens, at)
  number = _ordinal(word)
  if word in ('last', 'next') and low(tokens, at + 1) in ('but', 'to'):
    back = cardinal(low(tokens, at + 2)) if word == 'last' else 0
    if back or low(tokens, at + 2) == 'last':
      return _within(count - 1 - (back or 1), at + 3, count)
  if number and low(tokens, at + 1) == 'to' and low(tokens, at + 2) == 'last':
    return _within(count - number, at + 3, count)
  if number and low(tokens, at + 1) == 'last':
    return _within(count - number, at + 2, count)
  if number:
    return from_end(tokens, at + 1, number, count) or _within(
      number - 1, at + 1, count
    )
  if count == 1:
    return ((0,), at + 1) if word in _ONLY else None
  if word in _FIRST or word in PRAISE and word != 'worst':
    return (0,), at + 1
  if word in _LAST:
    return (count - 1,), at + 1
  if word in _MIDDLE and count % 2:
    return (count // 2,), at + 1
  if word == 'penultimate':
    return (count - 2,), at + 1
  return None


def from_end(
  tokens: Sequence[Token], at: int, number: int, count: int
) -> Read | None:
  """Returns what 'from the bottom' behind an ordinal makes of it."""
  if low(tokens, at) != 'from':
    return None
  at += 1 + (low(tokens, at + 1) == 'the')
  word = low(tokens, at)
  if word in STARTS:
    return _within(number - 1, at + 1, count)
  if word in FINISHES:
    return _within(count - number, at + 1, count)
  return None


def _within(place: int, end: int, count: int) -> Read | None:
  return ((place,), end) if 0 <= place < count else None


def _ordinal(word: str) -> int:
  if match := _COUNTED.fullmatch(word):
    return int(match[1])
  return _ORDINALS.index(word) + 1 if word in _ORDINALS else 0


def labels(
  tokens: Sequence[Token], at: int, count: int, letters: bool = True
) -> Read | None:
  """Returns the places that labels say: '2', 'no. two', '(b)', '1 and 3', 'II'.

  Args:
    tokens: of a sentence.
    at: behind the noun.
    count: how many candidates there are.
    letters: whether letters and Roman numbers are labels.
  """
  end, marked = at, False
  while low(tokens, end) in _CALLS or low(tokens, end) in _MARKS:
    marked = marked or low(tokens, end) in ('(', '[')
    end += 1
  found: list[int] = []
  while end < len(tokens):
    places = _label(tokens, end, marked, letters)
    if not places:
      break
    found += places
    end += 1 + (low(tokens, end + 1) in (')', ']'))
    after = joined(tokens, end)
    if after == end:
      break
    while low(tokens, after) in _MARKS:
      after += 1
    if not _label(tokens, after, marked, letters):
      break
    end = after
  if not found:
    return None
  next_word = low(tokens, end)
  if next_word in _UNITS or end < len(tokens) and tokens[end].glued:
    return None
  return tuple(n for n in dict.fromkeys(found) if n < count), end


def _label(
  tokens: Sequence[Token], at: int, marked: bool, letters: bool
) -> tuple[int, ...]:
  """Returns the places that one label may say."""
  if at >= len(tokens) or tokens[at].name:
    return ()
  token = tokens[at]
  word = token.low
  if number := cardinal(word):
    return (number - 1,)
  parts = word.split('/')
  if len(parts) > 1 and all(part.isdecimal() for part in parts):
    return tuple(int(part) - 1 for part in parts)
  if not letters or token.owner:
    return ()
  closed = marked or low(tokens, at + 1) in (')', ']')
  found: tuple[int, ...] = ()
  if word == 'i' and not closed:
    behind = low(tokens, at + 1)
    if not (behind in _THIRD or not behind or behind in _PUNCTUATION):
      return ()
  if word in _ROMANS and (token.text.isupper() or len(word) > 1 or closed):
    found += (_ROMANS.index(word),)
  if len(word) == 1 and (token.text.isupper() or closed) and 'a' <= word <= 'j':
    found += (ord(word) - ord('a'),)
  return found
