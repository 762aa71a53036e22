"""Words as they are compared: however they are written."""

from collections.abc import Iterable, Sequence
import functools
import re
import unicodedata

_ARTICLES = frozenset(
  ('a', 'an', 'the', 'la', 'le', 'les', 'el', 'il', 'der', 'die', 'das')
)
_WORD = re.compile(r'[^\W_]+')
# Letters that look, small or as a capital, like a Latin one: Cyrillic, Greek,
# and Latin ones of other alphabets.
_LOOKS = str.maketrans(
  'авеѕіјкмнорстухһӏԁԛԝαβεζηικμνορτυχɑɡı',
  'abesijkmhopctyxhldqwabezhikmnoptyxagi',
)
_UNSEEN = 'Cf'
# Digits that are written for letters; 1 is an i or an l.
_DIGITS = tuple(str.maketrans('013457', f'o{i}east') for i in 'il')
# An article that is the end or the start of a number: '10194-A', '10194 A'.
_PART = re.compile(
  r'(?<=\d)[-_./](?=(?:an?|l[ae]|[ei]l)\b)|(?<=\d)[ ](?=(?-i:A|LA|EL)\b)'
  r'|(?<![^\W_])(an?|l[ae]|[ei]l)[-_./](?=\d)',
  re.IGNORECASE,
)
_LETTERS = 3
_GLUED = 4
_LOST = 2


def words(text: str) -> list[str]:
  """Returns the words without case, accents, punctuation and articles.

  Letters that look alike are one letter, and signs that nobody sees are none.
  """
  return [w for w in every_word(text) if w not in _ARTICLES]


def model_words(text: str) -> list[str]:
  """Returns the words, articles left where they are parts of a number."""
  return words(_PART.sub(lambda match: match[1] or '', text))


def every_word(text: str) -> list[str]:
  """Returns `words` with the articles."""
  plain = text.casefold()
  if not plain.isascii():
    flat = unicodedata.normalize('NFKD', plain)
    plain = ''.join(
      c
      for c in flat
      if not unicodedata.combining(c) and unicodedata.category(c) != _UNSEEN
    ).translate(_LOOKS)
  plain = plain.replace("'", '').replace('\N{RIGHT SINGLE QUOTATION MARK}', '')
  return _WORD.findall(plain)


def words_apart(text: str, known: frozenset[str]) -> list[str]:
  """Returns the words of a text, those that hide known ones taken apart.

  Words that are glued ('hatchboxpla') and letters that stand alone ('h a t')
  are replaced by the known words that they are made of, where they are made of
  nothing else (articles and a last 's' aside). So are words with digits for
  letters ('hatchb0x').

  Args:
    text: as it was written.
    known: words that may be hidden, as `words` gives them.
  """
  parts = every_word(text)
  found: list[str] = []
  start = 0
  while start < len(parts):
    end = start
    while end < len(parts) and len(parts[end]) == 1:
      end += 1
    if end - start >= _LETTERS:
      found += _joined(parts[start:end], known)
      start = end
      continue
    whole = parts[start]
    inside = None
    if len(whole) >= _GLUED and whole not in known:
      inside = _lettered(whole, known) or _cut(whole, known)
    if inside and whole.removesuffix('s') != inside[0]:
      found += inside
    elif whole not in _ARTICLES:
      found.append(whole)
    start += 1
  return found


def _joined(letters: Sequence[str], known: frozenset[str]) -> list[str]:
  """Returns the known words that single letters make up, or the letters.

  Some at either end may be none of them: 'kind 1 h a t'.
  """
  size = len(letters)
  for lost in range(_LOST + 1):
    for before in range(lost + 1):
      low, high = before, size - (lost - before)
      inside = high - low > 1 and _cut(''.join(letters[low:high]), known)
      if inside:
        return [*letters[:low], *inside, *letters[high:]]
  return [letter for letter in letters if letter not in _ARTICLES]


def _lettered(whole: str, known: frozenset[str]) -> tuple[str, ...] | None:
  """Returns the known word that a word is with letters for its digits."""
  if whole.isalpha() or whole.isdigit():
    return None
  made = (whole.translate(digits) for digits in _DIGITS)
  return next(((word,) for word in made if word in known), None)


def _cut(whole: str, known: frozenset[str]) -> tuple[str, ...] | None:
  """Returns the known words that make up `whole`, None where others do too."""
  if not any(word in whole for word in known):
    return None
  # Of the letters from i on; the longest word counts first.
  cuts: list[tuple[str, ...] | None] = [None] * len(whole) + [()]
  if whole[-1] == 's':
    cuts[-2] = ()
  options = sorted(known | _ARTICLES, key=lambda word: (-len(word), word))
  for i in reversed(range(len(whole))):
    for word in options:
      rest = cuts[i + len(word)] if whole.startswith(word, i) else None
      if rest is not None:
        cuts[i] = rest if word in _ARTICLES else (word, *rest)
        break
  return cuts[0] or None


def as_line(parts: Iterable[str]) -> str:
  """Returns the words between spaces: then 'in' finds whole words only."""
  return f' {" ".join(parts)} '


def singular_and_plural(word: str) -> set[str]:
  """Returns a word, its plurals, and what it is the plural of."""
  singular = {word.removesuffix('s'), word.removesuffix('es')}
  return {word, f'{word}s', f'{word}es', *singular}


@functools.lru_cache(maxsize=1 << 15)
def trigrams(word: str) -> frozenset[str]:
  """Returns the runs of three characters of the word between two spaces."""
  padded = f' {word} '
  return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def alike(one: str, other: str, share: float) -> bool:
  """Returns whether `other` has that share of its trigrams in `one`."""
  grams = trigrams(other)
  return one == other or len(grams & trigrams(one)) >= share * len(grams)
