"""Where a sentence speaks of the list of candidates."""

from collections.abc import Sequence

from taiji_jax.cot.guard import place_vocabulary as vocabulary
from taiji_jax.cot.guard import place_words as words
from taiji_jax.cot.guard.place_tokens import Token
from taiji_jax.cot.guard.place_words import low


def is_there(tokens: Sequence[Token], count: int) -> bool:
  """Returns whether a sentence speaks of the list at all.

  Args:
    tokens: of the sentence.
    count: how many candidates there are.
  """
  return any(
    (token.low in vocabulary.PLURALS and token.low not in vocabulary.IDIOMS)
    or (token.low in vocabulary.LISTS and is_one(tokens, at))
    or (words.cardinal(token.low) == count > 1 and _is_all(tokens, at))
    for at, token in enumerate(tokens)
  )


def is_one(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether a list or plural is of candidates: no 'list of uses'."""
  if low(tokens, at) in vocabulary.PLURALS:
    return True
  if low(tokens, at) not in vocabulary.LISTS or words.is_past(tokens):
    return False
  if low(tokens, at - 1) in vocabulary.INDEFINITE:
    return False
  if low(tokens, at + 1) != 'of':
    return True
  return any(low(tokens, at + n) in vocabulary.PLURALS for n in (2, 3, 4))


def _is_all(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether a number is that of all candidates: 'of the five'."""
  if low(tokens, at - 1) not in ('the', 'these', 'those', 'all', 'of'):
    return False
  shown = vocabulary.SHOWN | vocabulary.NOUNS
  return low(tokens, at + 1) in shown or words.ends(tokens, at + 1)


def end_of(tokens: Sequence[Token], at: int, count: int) -> int:
  """Returns the position behind 'of the candidates', 0 where that isn't there.

  Args:
    tokens: of a sentence.
    at: where it may begin.
    count: how many candidates there are.
  """
  while low(tokens, at) in vocabulary.RELATIVES:
    at += 1
  if low(tokens, at) in vocabulary.SHOWN and words.ends(tokens, at + 1):
    return at + 1
  end = at
  while low(tokens, end) in vocabulary.PREPOSITIONS | vocabulary.SHOWN:
    end += 1
  if end == at:
    return 0
  while (number := words.cardinal(low(tokens, end))) or (
    low(tokens, end) in vocabulary.DETERMINERS
  ):
    end += 1
    if number == count > 1 and _is_all(tokens, end - 1):
      shown = low(tokens, end) in vocabulary.NOUNS | vocabulary.SHOWN
      return end + shown
  if low(tokens, end) in vocabulary.NOUNS - vocabulary.PLURALS:
    end += 1
  return end + 1 if is_one(tokens, end) else 0
