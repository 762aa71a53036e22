"""The strings that give a text its structure, and how names are kept apart.

A title is what a shop says it is: it may hold our own markers or a line's end.
`escape` writes those so that they are no structure, by a backslash inside;
every other text stays as it is, to the byte.
"""

import re

THINK_OPEN, THINK_CLOSE = '<think>', '</think>'
ANSWER_OPEN, ANSWER_CLOSE = '<answer>', '</answer>'
TAGS = (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)
TITLE_MARKER = 'Item title: '
LEVEL_MARKERS = ('; Category L1: ', '; L2: ', '; L3: ')
LINE_END = '\n'

_LINE = '\N{SYMBOL FOR NEWLINE}'


def _inside(markers: tuple[str, ...]) -> re.Pattern[str]:
  """Returns a pattern of the markers with backslashes behind the first sign."""
  split = (f'(?<={re.escape(m[0])})(?={re.escape(m[1:])})' for m in markers)
  escaped = (
    rf'(?<={re.escape(m[0])})\\+(?={re.escape(m[1:])})' for m in markers
  )
  return re.compile('|'.join((*escaped, *split)))


_MARKERS = _inside((*TAGS, TITLE_MARKER, *LEVEL_MARKERS))
_TAGS = re.compile('|'.join(map(re.escape, TAGS)))
_LINES = re.compile(rf'(\\*)([{LINE_END}{_LINE}])')


def escape(name: str) -> str:
  r"""Returns a name (a title, a category) on one line, without markers.

  A marker gets one backslash more behind its first sign, a line's end becomes
  U+2424; `unescape` gives the name back.

  >>> escape('Hat; L2: <think>')
  'Hat;\\ L2: <\\think>'
  """
  name = _LINES.sub(_shown, name)
  return _MARKERS.sub(lambda match: f'{match[0]}\\', name)


def unescape(text: str) -> str:
  r"""Returns the name that `escape` made the text of.

  >>> unescape('Hat;\\ L2: <\\think>')
  'Hat; L2: <think>'
  """
  text = _MARKERS.sub(lambda match: match[0][1:], text)
  return _LINES.sub(_hidden, text)


def without_tags(text: str) -> str:
  """Returns a text whose tags, where it has any, are none."""
  return _TAGS.sub(lambda match: f'{match[0][0]}\\{match[0][1:]}', text)


def _shown(match: re.Match[str]) -> str:
  return match[1] * 2 + ('' if match[2] == LINE_END else '\\') + _LINE


def _hidden(match: re.Match[str]) -> str:
  if match[2] == LINE_END:
    return match[0]
  half, sign = divmod(len(match[1]), 2)
  return '\\' * half + (_LINE if sign else LINE_END)
