"""The place of an item in a list of candidates, as a text may name it.

'the second candidate', 'option 2', '#2', 'number two on the list', 'the last of
the candidates'. Other things have numbers too: 'the first item of the history'
names no place.
"""

from collections.abc import Iterable, Sequence
import functools
import re

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
_NUMBERS = (
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
_ENDINGS = {1: 'st', 2: 'nd', 3: 'rd'}
_TEENS = (11, 12, 13)
_SEP = r'[\s*_"“”\'-]+'
_START, _END = r'(?<![^\W_])', r'(?![^\W_])'
_NOUN = r'(?:candidate|option|suggestion|alternative|choice|proposal)'
_LIST = rf'(?:(?:{_NOUN}s)|list)'
# 'first of the five listed candidates', 'second item on the list'.
_GAP = (
  r'(?:of|among|from|in|on|the|these|those|this|that|your|our|listed|shown'
  rf'|given|proposed|possible|items?|one|product|entry|\d+|{"|".join(_NUMBERS)}'
  r')'
)
# Behind these an ordinal is part of another: 'second to last'.
_ALONE = r'(?<!to[\s-])(?<!but[\s-])'
_MARKS = r'[\s*_"“”\'#№:(\[.-]*'
_CALLED = rf'(?:{_MARKS}(?:no\.?|nr\.?|number)(?![^\W\d_]))?{_MARKS}'
_OTHERS = r'(?:\d+(?:\s*(?:,|and\b|or\b|&|/))+\s*)*'
# Neither a part of a longer number nor an amount of something.
_NUMBER_END = (
  r'(?![^\W_]|[.,]\d|[\s-]*(?:%|per ?cent|inch(?:es)?|packs?|pieces?|mm|cm|ml'
  r'|oz|lbs?|ft|feet|kg|g)(?![^\W_]))'
)


def names(
  think: str, places: Iterable[int], count: int, known: Sequence[str] = ()
) -> str | None:
  """Returns what of a text names one of the places, None where nothing does.

  Args:
    think: the text.
    places: from 0 on.
    count: how many candidates there are.
    known: names of the prompt: a '#2' that one of them holds is no place.
  """
  for place in places:
    if match := _pattern(place, count).search(think):
      return ' '.join(match[0].split())
    if (match := _sign(place).search(think)) and not any(
      _sign(place).search(name) for name in known
    ):
      return match[0]
  return None


@functools.lru_cache(maxsize=1 << 8)
def _pattern(place: int, count: int) -> re.Pattern[str]:
  """Returns what names a place without a sign of its own."""
  ordinal = rf'{_ALONE}(?:{"|".join(_ordinals(place, count))})'
  number = str(place + 1)
  if place < len(_NUMBERS):
    number = rf'(?:{number}|{_NUMBERS[place]})'
  letter = rf'|(?-i:{chr(ord("A") + place)})' if place < len(_NUMBERS) else ''
  forms = [
    # 'second candidate', 'second of the candidates', 'second on the list'.
    rf'{ordinal}(?:{_SEP}{_GAP}){{0,4}}?{_SEP}(?:{_NOUN}|{_LIST})s?{_END}',
    # 'listed second', 'the second one listed', 'the second entry'.
    rf'(?:listed|ranked|placed){_SEP}(?:in{_SEP})?(?:the{_SEP})?{ordinal}{_END}',
    rf'{ordinal}{_SEP}(?:item|one|product){_SEP}(?:listed|shown|given){_END}',
    rf'the{_SEP}{ordinal}{_SEP}entry{_END}',
    # 'candidate 2', 'option no. two', 'candidates 2 and 3', 'option B'.
    rf'{_NOUN}s?{_CALLED}{_OTHERS}(?:{number}{letter}){_NUMBER_END}',
    # 'number two on the list', 'no. 2 of the candidates'.
    rf'(?:number|no\.?|nr\.?){_MARKS}{number}(?:{_SEP}{_GAP}){{1,4}}?'
    rf'{_SEP}{_LIST}{_END}',
  ]
  if place == 0:
    forms.append(rf'(?:top|head|beginning){_SEP}of{_SEP}the{_SEP}{_LIST}{_END}')
    forms.append(rf'tops{_SEP}the{_SEP}{_LIST}{_END}')
    forms.append(rf'the{_SEP}former{_END}')
  if place == count - 1:
    forms.append(rf'(?:bottom|end){_SEP}of{_SEP}the{_SEP}{_LIST}{_END}')
    forms.append(rf'the{_SEP}latter{_END}')
  return re.compile(rf'{_START}(?:{"|".join(forms)})', re.IGNORECASE)


@functools.lru_cache(maxsize=1 << 8)
def _sign(place: int) -> re.Pattern[str]:
  return re.compile(rf'(?<!\w)[#№]\s?{place + 1}(?![.,]?\d)(?!\w)')


def _ordinals(place: int, count: int) -> list[str]:
  """Returns the words that tell a place of so many."""
  number = place + 1
  teen = number % 100 in _TEENS
  ending = 'th' if teen else _ENDINGS.get(number % 10, 'th')
  found = [f'{number}{ending}']
  if place < len(_ORDINALS):
    found.append(_ORDINALS[place])
  if count == 1:
    found += ['only', 'sole', 'single']
  elif place == count - 1:
    found += ['last', 'final', 'bottom', 'lowest']
  elif place == count - 2:
    found += [
      rf'(?:second|next){_SEP}to{_SEP}last',
      rf'second{_SEP}last',
      rf'last{_SEP}but{_SEP}one',
      'penultimate',
    ]
  if count > 2 and 2 * place == count - 1:
    found += ['middle']
  return found
