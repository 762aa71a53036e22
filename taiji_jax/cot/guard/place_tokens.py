"""A text in words and signs, as the grammar of places reads it."""

from collections.abc import Iterable, Sequence
import dataclasses
import functools
import re
import unicodedata

_TOKEN = re.compile(
  r'\d+(?:[.,/]\d+)*(?:st|nd|rd|th)?(?![^\W_])'
  r"|[^\W_]+(?:['’](?:s|t|re|ll|ve|d|m)(?![^\W_])|['’](?!\w))?"
  r'|[#%()\[\].,;:!?&/=–—\n]'
)
_NUMBER_SIGN = '\N{NUMERO SIGN}'
_ABBREVIATED = ('no', 'nr')
_ENDS = ('.', '!', '?', '\n')
_QUOTE = 2


@dataclasses.dataclass(frozen=True)
class Token:
  """A word, a number, a sign, or a name of the prompt.

  Attributes:
    text: as written, in compatible characters (full width is none).
    low: in small letters, without a possessive.
    start, end: where it stands in `Text.text`.
    glued: whether a hyphen joins it to the one before.
    owner: whether it is a possessive.
    name: whether it is a name of the prompt.
    place: of the candidate whose title it is, -1 where it is none.
  """

  text: str
  low: str
  start: int
  end: int
  glued: bool = False
  owner: bool = False
  name: bool = False
  place: int = -1


@dataclasses.dataclass(frozen=True)
class Names:
  """Names of a prompt, to be taken for one token each.

  Attributes:
    of: first word -> (all words, place) of the names, the longest first.
    text: all of them.
  """

  of: dict[str, tuple[tuple[tuple[str, ...], int], ...]]
  text: str


def plain(text: str) -> str:
  """Returns the text in compatible characters: full-width digits as digits."""
  if text.isascii():
    return text
  return unicodedata.normalize('NFKC', text.replace(_NUMBER_SIGN, '#'))


@functools.lru_cache(maxsize=64)
def names(known: tuple[str, ...], titles: tuple[str, ...]) -> Names:
  """Returns names of two words or more, and the candidates' titles.

  Args:
    known: names of the prompt.
    titles: of the candidates, in their order.
  """
  found: dict[str, list[tuple[tuple[str, ...], int]]] = {}
  both = [(title, place) for place, title in enumerate(titles)]
  for name, place in both + [(name, -1) for name in known]:
    parts = _parts(name)
    if len(parts) >= _QUOTE:
      found.setdefault(parts[0], []).append((parts, place))
  return Names(
    {
      first: tuple(sorted(some, key=lambda one: -len(one[0])))
      for first, some in found.items()
    },
    '\n'.join(map(plain, (*known, *titles))),
  )


@functools.lru_cache(maxsize=1 << 14)
def _parts(name: str) -> tuple[str, ...]:
  return tuple(token.low for token in _tokens(plain(name)))


def sentences(text: str, known: Names) -> list[list[Token]]:
  """Returns the tokens of each sentence; what ends one is left out.

  Args:
    text: in compatible characters.
    known: names that become one token.
  """
  found: list[list[Token]] = [[]]
  for token in _named(_tokens(text), known):
    if token.text in _ENDS and not text[token.end : token.end + 1].strip():
      found.append([])
    elif token.text not in _ENDS:
      found[-1].append(token)
  return [sentence for sentence in found if sentence]


def _tokens(text: str) -> list[Token]:
  found: list[Token] = []
  for match in _TOKEN.finditer(text):
    written = match[0]
    low = written.casefold()
    if written == '.' and found and found[-1].low in _ABBREVIATED:
      continue
    owner = low.endswith(("'s", '’s', "'", '’'))
    if owner:
      low = re.split("['’]", low)[0]
    between = text[found[-1].end : match.start()] if found else ''
    glued = between in ('-', '‐', '‑')
    found.append(Token(written, low, match.start(), match.end(), glued, owner))
  return found


def _named(tokens: Sequence[Token], known: Names) -> Iterable[Token]:
  """Yields the tokens, names of the prompt as one."""
  start = 0
  while start < len(tokens):
    token = tokens[start]
    for parts, place in known.of.get(token.low, ()):
      some = tokens[start : start + len(parts)]
      if tuple(t.low for t in some) == parts:
        yield dataclasses.replace(
          token, low='', end=some[-1].end, name=True, place=place
        )
        start += len(parts)
        break
    else:
      yield token
      start += 1
