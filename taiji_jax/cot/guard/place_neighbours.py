"""Places in a list that a sentence tells by those beside them."""

from collections.abc import Iterator, Sequence

from taiji_jax.cot.guard import place_vocabulary as vocabulary
from taiji_jax.cot.guard import place_words as words
from taiji_jax.cot.guard.place_mentions import Mention
from taiji_jax.cot.guard.place_tokens import Token
from taiji_jax.cot.guard.place_words import low


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
    step = vocabulary.STEPS.get(token.low, 0)
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
      if token.low not in vocabulary.VERBS and not _has_head(tokens, at):
        continue
    if 0 <= place < count:
      yield Mention((place,), at, mention.end)


def _has_head(tokens: Sequence[Token], at: int) -> bool:
  """Returns whether something stands there: 'the one above', 'just above'."""
  before = words.skipped(tokens, at - 1)
  if low(tokens, before) in vocabulary.HEADS:
    return True
  return low(tokens, at - 1) in vocabulary.ADVERBS - {
    'is',
    'that',
    'which',
    'very',
  }


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
