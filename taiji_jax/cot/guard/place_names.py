"""What a place in a list of candidates is called, to be planted in a text.

Independent of how `places` finds it.
"""

_ORDINALS = ('first', 'second', 'third', 'fourth', 'fifth')
_CARDINALS = ('one', 'two', 'three', 'four', 'five')


def of(place: int, size: int) -> list[str]:
  """Returns what a place among so many candidates may be called.

  Args:
    place: from 0 on.
    size: how many there are.
  """
  found = [f'candidate {place + 1}', f'#{place + 1}', f'option {place + 1}']
  if place < len(_ORDINALS):
    ordinal, number = _ORDINALS[place], _CARDINALS[place]
    found += [
      f'the {ordinal} candidate',
      f'the {ordinal} of the candidates',
      f'the {ordinal} item on the list',
      f'number {number} on the list',
      f'candidate number {number}',
    ]
  if size > 1 and place == 0:
    found += ['the former', 'the top of the list']
  if size > 1 and place == size - 1:
    found += ['the last candidate', 'the last one of the candidates']
  return found
