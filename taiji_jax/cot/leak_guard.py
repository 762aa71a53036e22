"""Does a reasoning text state the answer that it should lead to?"""

import functools
import math
import re
import unicodedata

from taiji_jax.types import Catalog

_ARTICLES = frozenset(
  ('a', 'an', 'the', 'la', 'le', 'les', 'el', 'il', 'der', 'die', 'das')
)
_NEAR = 0.75
_YEAR = re.compile(r'\(\s*\d{4}\s*\)')
_ASIDE = re.compile(r'\(([^()]*)\)')
_WORD = re.compile(r'\w+')


def leaks(think: str, catalog: Catalog, target: int) -> str | None:
  """Returns what of the target `think` states, or None if nothing.

  Compared without case, accents, punctuation and articles ('Godfather, The'
  is 'the godfather'). A history title that contains the target's counts: the
  words are there, whatever they name.

  Choice: the paper is silent on how reasoning is kept from quoting the answer.
  Here a leak is the title, the title without its year, an alternative title
  in brackets, three quarters or more of a title's words in a row, or the item
  id standing as a word.

  Args:
    think: the reasoning.
    catalog: the items.
    target: index of the item that must not be stated.
  """
  words = _words(think)
  line = f' {" ".join(words)} '
  title = catalog.titles[target]
  for name in _names(title):
    if f' {" ".join(name)} ' in line:
      return f'title {title!r}'
    least = math.ceil(len(name) * _NEAR)
    if least >= 2 and _longest_run(name, line) >= least:
      return f'most of the title {title!r}'
  item_id = catalog.item_ids[target]
  if re.search(rf'(?<!\w){re.escape(item_id)}(?!\w)', think):
    return f'item id {item_id!r}'
  return None


@functools.lru_cache(maxsize=1 << 16)
def _names(title: str) -> tuple[tuple[str, ...], ...]:
  """Returns the word sequences that name an item, without years."""
  undated = _YEAR.sub(' ', title)
  forms = [_ASIDE.sub(' ', undated), *_ASIDE.findall(undated)]
  names = [tuple(_words(form)) for form in forms]
  return tuple(dict.fromkeys(name for name in names if name)) or (
    (tuple(_words(title)),) if _words(title) else ()
  )


def _words(text: str) -> list[str]:
  flat = unicodedata.normalize('NFKD', text.casefold())
  plain = ''.join(c for c in flat if not unicodedata.combining(c))
  plain = plain.replace("'", '').replace('\N{RIGHT SINGLE QUOTATION MARK}', '')
  return [w for w in _WORD.findall(plain) if w not in _ARTICLES]


def _longest_run(name: tuple[str, ...], line: str) -> int:
  """Returns the most consecutive words of `name` that stand in `line`."""
  for size in range(len(name) - 1, 1, -1):
    for start in range(len(name) - size + 1):
      if f' {" ".join(name[start : start + size])} ' in line:
        return size
  return 0
