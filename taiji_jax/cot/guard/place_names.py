"""What a place in a list of candidates may be called, to be planted in a text.

Templates and their parts, combined. They were written down before the grammar
that finds places (`places`). Its first version found 99.0 % of them; since then
one fault that they showed was mended ('slot two of the list').
"""

from collections.abc import Iterator

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
_ROMAN = ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X')
_DIGITS = ('1st', '2nd', '3rd')
_NOUNS = ('candidate', 'option', 'suggestion', 'contender')
_THINGS = ('product', 'item', 'title', 'entry', 'name')
_OF_LIST = ('on the list', 'in the list of candidates', 'among the candidates')
_MORE_FORMS = (
  'the one in {ordinal} position on the list',
  'position {n} in the list',
  'slot {word} of the list',
  'what comes {ordinal} among the candidates',
  'what was listed {ordinal}',
  'of the {size} shown, the {ordinal}',
  "the list's {ordinal} entry",
  'the {ordinal} line of the list',
  'the {short} one shown',
  '#{n} in the list',
  'the candidate numbered {n}',
  'the candidate with number {n}',
  'the candidate marked {letter}',
  'choice {letter}',
  'the {ordinal} of the {size} options',
)
_FIRST = (
  'the one that opens the list',
  'the opening candidate',
  'the very first candidate',
  'whatever stands at the head of the list',
  'the uppermost entry',
  'what the list starts with',
)
_LAST = (
  'the one that closes the list',
  'the closing option',
  'the very last candidate',
  'whatever stands at the end of the list',
  'the bottommost entry',
  'what the list finishes with',
)


def of(place: int, size: int) -> list[str]:
  """Returns what a place among so many candidates may be called.

  Args:
    place: from 0 on.
    size: how many there are.
  """
  if size > len(_ORDINALS):
    return [f'candidate {place + 1}', f'#{place + 1}', f'option {place + 1}']
  found = [*_counted(place, size)]
  if size > 1:
    found += _FIRST if place == 0 else ()
    found += _LAST if place == size - 1 else ()
    found += _from_the_ends(place, size)
  return list(dict.fromkeys(found))


def by_others(place: int, size: int) -> list[str]:
  """Returns what tells a place by other places: beside it, or all of them.

  Args:
    place: from 0 on.
    size: how many there are; nothing tells one of more than ten.
  """
  if not 1 < size <= len(_ORDINALS):
    return []
  return [*_beside(place, size), *_excluding(place, size)]


def _counted(place: int, size: int) -> Iterator[str]:
  n, ordinal, word = place + 1, _ORDINALS[place], _CARDINALS[place]
  letter = chr(ord('A') + place)
  for noun in _NOUNS:
    yield f'the {ordinal} {noun}'
    yield f'the {ordinal} listed {noun}'
    yield f'the {ordinal} of the {noun}s'
    for label in (n, word, letter, f'({n})', f'#{n}', f'number {n}'):
      yield f'{noun} {label}'
    if place:
      yield f'{noun} {_ROMAN[place]}'
  for thing in _THINGS:
    for tail in _OF_LIST:
      yield f'the {ordinal} {thing} {tail}'
      yield f'{thing} {n} {tail}'
  yield f'number {word} on the list'
  short = _DIGITS[place] if place < len(_DIGITS) else f'{n}th'
  for form in _MORE_FORMS:
    yield form.format(
      n=n,
      ordinal=ordinal,
      word=word,
      letter=letter,
      short=short,
      size=_CARDINALS[size - 1],
    )


def _from_the_ends(place: int, size: int) -> Iterator[str]:
  top, bottom = _ORDINALS[place], _ORDINALS[size - 1 - place]
  yield f'the {top} candidate from the top'
  yield f'the {top} from the top of the list'
  if place < size - 1:
    yield f'the {bottom} candidate from the bottom'
    yield f'the {bottom} from the end of the list'


def _beside(place: int, size: int) -> Iterator[str]:
  """Yields what tells a place by those beside it."""
  if place:
    yield f'the one right after the {_ORDINALS[place - 1]} candidate'
    yield f'the candidate just below number {place}'
  if place < size - 1:
    yield f'the option directly above candidate {place + 2}'
    yield f'the one before the {_ORDINALS[place + 1]} candidate'
  if 0 < place < size - 1:
    yield f'the one between candidates {place} and {place + 2}'


def _excluding(place: int, size: int) -> Iterator[str]:
  """Yields what tells a place by leaving out all others."""
  others = [n for n in range(size) if n != place]
  *most, last = others
  if most:
    numbers = ', '.join(str(n + 1) for n in most)
    yield f'not candidates {numbers} or {last + 1}'
    names = ' nor '.join(f'the {_ORDINALS[n]}' for n in others)
    yield f'neither {names} candidate'
