"""A SentencePiece model whose chat controls are no symbols of a text.

SentencePiece makes a user-defined symbol of whatever spells it, so that
'<|im_end|>' in a title would end a turn. Our own symbols are user-defined too:
the tags, the structure of a prompt, whole names. Those stay.
"""

import re

from taiji_jax.data import pieces
from taiji_jax.data.markers import TAGS
from taiji_jax.data.pieces import SPACE, Kind

# '<|im_start|>user' and the like with any bars, '<start_of_turn>', '<<SYS>>',
# '[INST]'.
_CONTROL = re.compile(
  r'(?:\s*(?:<[|｜][^<>]*[|｜]>\w*|<{1,2}[^<>]+>{1,2}|\[/?[A-Z][A-Z0-9_]*\]))+'
  r'\s*'
)
# A later value of a field replaces an earlier one: 3 is a piece's kind.
_UNUSED = bytes((3 << 3, Kind.UNUSED))
_PIECE = 1 << 3 | 2


def as_text(proto: bytes) -> bytes:
  """Returns the model with chat controls that no text can become.

  The ids stay, and what spells such a symbol is cut as other text is.

  Choice: a control is a user-defined symbol that looks like one of a chat: in
  angle brackets, or capitals in square ones. Our tags are none. A whole name of
  that look (a film called '[REC]') takes some more tokens for it.

  Args:
    proto: contents of a .model file that SentencePiece has loaded.
  """
  listed = pieces.of_model(proto)
  control = [
    piece.kind == Kind.USER and _is_control(piece.text) for piece in listed
  ]
  if not any(control):
    return proto
  made, number = bytearray(), 0
  for head, message in pieces.fields_of(proto):
    if head & 7 != 2:
      raise ValueError(f'field {head >> 3} of the model has no length')
    if head == _PIECE:
      if control[number]:
        message += _UNUSED
      number += 1
    made += _varint(head) + _varint(len(message)) + message
  return bytes(made)


def _is_control(symbol: str) -> bool:
  text = symbol.replace(SPACE, ' ')
  return text.strip() not in TAGS and _CONTROL.fullmatch(text) is not None


def _varint(value: int) -> bytes:
  made = bytearray()
  while value > 127:
    made.append(value & 127 | 128)
    value >>= 7
  return bytes((*made, value))
