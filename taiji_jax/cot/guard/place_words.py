"""What ordinals and labels say of places, and where a phrase ends."""

from collections.abc import Sequence
import re

from taiji_jax.cot.guard import place_vocabulary as vocabulary
from taiji_jax.cot.guard.place_tokens import Token

_COUNTED = re.compile(r'(\d+)(?:st|nd|rd|th)')
Read = tuple[tuple[int, ...], int]
"""Places, and the position behind the words that say them."""


def low(tokens: Sequence[Token], at: int) -> str:
  """Returns a token in small letters, '' where there is none."""
  return tokens[at].low if 0 <= at < len(tokens) else ''


def cardinal(word: str) -> int:
  """Returns the number that a word says, 0 where it says none."""
  if word.isdecimal():
    return int(word)
  return (
    vocabulary.CARDINALS.index(word) + 1 if word in vocabulary.CARDINALS else 0
  )


def is_past(tokens: Sequence[Token]) -> bool:
  """Returns whether a sentence is about what was bought."""
  return any(token.low in vocabulary.PAST for token in tokens)


def is_owned(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether it is someone's: 'their first choice'."""
  return low(tokens, at - 1) in vocabulary.OWNERS


def ends(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether no noun comes at a position: a phrase ends before it."""
  if at >= len(tokens):
    return True
  token = tokens[at]
  return not token.glued and (
    token.low in vocabulary.AFTER or token.text in vocabulary.PUNCTUATION
  )


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
  while low(tokens, end) in vocabulary.JOINS:
    end += 1
  return end + (low(tokens, end) == 'the') if end > at else at


def _rank(tokens: Sequence[Token], at: int, count: int) -> Read | None:
  word = low(tokens, at)
  number = _ordinal(word)
  if word in ('last', 'next') and low(tokens, at + 1) in ('but', 'to'):
    back = cardinal(low(tokens, at + 2)) if word == 'last' else 0
    if back or low(tokens, at + 2) == 'last':
      return _within(count - 1 - (back or 1), at + 3, count)
  if number:
    return _counted(tokens, at + 1, number, count)
  place = _edge(word, count)
  return None if place is None else _within(place, at + 1, count)


def _counted(
  tokens: Sequence[Token], at: int, number: int, count: int
) -> Read | None:
  """Returns what an ordinal and what is behind it say."""
  to = low(tokens, at) == 'to'
  if low(tokens, at + to) == 'last':
    return _within(count - number, at + to + 1, count)
  back = from_end(tokens, at, number, count)
  return back or _within(number - 1, at, count)


def _edge(word: str, count: int) -> int | None:
  """Returns the place that 'last' and the like say."""
  if count == 1:
    return 0 if word in vocabulary.ONLY else None
  if word in vocabulary.FIRST | vocabulary.PRAISE:
    return 0
  if word in vocabulary.LAST:
    return count - 1
  if word in vocabulary.MIDDLE and count % 2:
    return count // 2
  return count - 2 if word == 'penultimate' else None


def from_end(
  tokens: Sequence[Token], at: int, number: int, count: int
) -> Read | None:
  """Returns what 'from the bottom' behind an ordinal makes of it."""
  if low(tokens, at) != 'from':
    return None
  at += 1 + (low(tokens, at + 1) == 'the')
  word = low(tokens, at)
  if word in vocabulary.STARTS:
    return _within(number - 1, at + 1, count)
  if word in vocabulary.FINISHES:
    return _within(count - number, at + 1, count)
  return None


def _within(place: int, end: int, count: int) -> Read | None:
  return ((place,), end) if 0 <= place < count else None


def _ordinal(word: str) -> int:
  if match := _COUNTED.fullmatch(word):
    return int(match[1])
  return (
    vocabulary.ORDINALS.index(word) + 1 if word in vocabulary.ORDINALS else 0
  )


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
  while (
    low(tokens, end) in vocabulary.CALLS or low(tokens, end) in vocabulary.MARKS
  ):
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
    while low(tokens, after) in vocabulary.MARKS:
      after += 1
    if not _label(tokens, after, marked, letters):
      break
    end = after
  if not found:
    return None
  next_word = low(tokens, end)
  if next_word in vocabulary.UNITS or end < len(tokens) and tokens[end].glued:
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
    if not (
      behind in vocabulary.THIRD
      or not behind
      or behind in vocabulary.PUNCTUATION
    ):
      return ()
  if word in vocabulary.ROMANS and (
    token.text.isupper() or len(word) > 1 or closed
  ):
    found += (vocabulary.ROMANS.index(word),)
  if len(word) == 1 and (token.text.isupper() or closed) and 'a' <= word <= 'j':
    found += (ord(word) - ord('a'),)
  return found


def skipped(tokens: Sequence[Token], at: int) -> int:
  """Returns the position, going back, before 'that stands right'."""
  while low(tokens, at) in vocabulary.ADVERBS:
    at -= 1
  return at
