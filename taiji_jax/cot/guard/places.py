"""The place of an item in a list of candidates, as a text may tell it.

'the second candidate', 'option (b)', '#2', 'ranked second', 'the last of the
five', 'the one above candidate 3', 'neither the first nor the third'. Other
things have numbers too: 'the first item of the history' tells no place.
"""

from collections.abc import Iterable, Sequence
import re

from taiji_jax.cot.guard import place_mentions, place_neighbours, place_tokens
from taiji_jax.cot.guard import place_vocabulary as vocabulary
from taiji_jax.cot.guard.place_mentions import Mention
from taiji_jax.cot.guard.place_tokens import Token

_PAIR = re.compile(
  r'(?<![^\W_])the\s+(former|latter)(?=\W*$|\s*[.,;:!?)]'
  r'|\s+(?:one|candidate|option|is|was|fits?|suits?|seems?|looks|matche?s?'
  r'|would|will|has|comes|as|because|since|for|and|or)\b)',
  re.IGNORECASE,
)


def names(
  think: str,
  places: Iterable[int],
  count: int,
  known: Sequence[str] = (),
  titles: Sequence[str] = (),
) -> str | None:
  """Returns what of a text tells one of the places, None where nothing does.

  Args:
    think: the text.
    places: from 0 on.
    count: how many candidates there are.
    known: names of the prompt: what they say is no place, such as a '#2'.
    titles: of the candidates: those beside one tell its place, and all others
      that are ruled out do.
  """
  wanted = frozenset(places)
  if not wanted:
    return None
  text = place_tokens.plain(think)
  prompt = place_tokens.names(tuple(known), tuple(titles))
  ruled_out: set[int] = set()
  for tokens in place_tokens.sentences(text, prompt):
    found = place_mentions.mentions(tokens, count)
    told = [mention for mention in found if mention.bound]
    told += place_neighbours.beside(tokens, found, count)
    for mention in told:
      if wanted & set(mention.places):
        return _said(text, tokens, mention)
    for mention in found:
      # What was bought may be said before a 'not' that is about other things.
      read = tokens if mention.bound else tokens[: mention.start]
      if any(map(_negates, read)):
        ruled_out |= set(mention.places)
        left = set(range(count)) - ruled_out
        if ruled_out and len(left) == 1 and left <= wanted:
          return _said(text, tokens, mention)
  return _signed(text, wanted, prompt) or _of_two(text, wanted, count)


def _negates(token: Token) -> bool:
  return token.low in vocabulary.NEGATORS or token.low.endswith(("n't", 'n’t'))


def _said(text: str, tokens: Sequence[Token], mention: Mention) -> str:
  """Returns the words of a mention."""
  last = tokens[min(mention.end, len(tokens)) - 1]
  return ' '.join(text[tokens[mention.start].start : last.end].split())


def _signed(
  text: str, places: frozenset[int], prompt: place_tokens.Names
) -> str | None:
  """Returns a sign such as '#2' that no name of the prompt has."""
  for place in sorted(places):
    sign = re.compile(rf'(?<!\w)#\s?{place + 1}(?![.,]?\d)(?!\w)')
    if (match := sign.search(text)) and not sign.search(prompt.text):
      return match[0]
  return None


def _of_two(text: str, places: frozenset[int], count: int) -> str | None:
  """Returns 'the former' or 'the latter' of two candidates."""
  if count != 2:
    return None
  for match in _PAIR.finditer(text):
    if (match[1].casefold() == 'latter') in places:
      return match[0]
  return None
