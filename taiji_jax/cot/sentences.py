"""A text as sentences."""

import re

_END = re.compile(r'(?<=[.!?…。！？])\s+(?![a-z])|\n+')


def split(text: str) -> list[str]:
  """Returns the sentences; joined they are the text again.

  A sentence ends after white space that follows '.', '!', '?' or the like and
  that no small letter follows, or after a line's end: 'Fans of Tape Co. pick
  Tape.' is one.

  >>> split('Now into tapes. Next: 1.5 in!  Yes')
  ['Now into tapes. ', 'Next: 1.5 in!  ', 'Yes']
  """
  ends = [match.end() for match in _END.finditer(text)]
  starts = [0, *ends]
  parts = zip(starts, [*ends, len(text)], strict=True)
  return [text[start:end] for start, end in parts if start < end]
