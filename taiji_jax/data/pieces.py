"""SentencePiece's byte-pair merges as a Hugging Face tokenizer."""

from collections.abc import Iterator, Sequence
import dataclasses
import enum
import struct
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

LONGEST = 512
"""Letters of a piece that is merged of others; those of models have 128."""
SPACE = '\N{LOWER ONE EIGHTH BLOCK}'  # SentencePiece writes ' ' this way.


class Kind(enum.IntEnum):
  """What a piece is; the numbers are those of SentencePiece and GGUF."""

  NORMAL = 1
  UNKNOWN = 2
  CONTROL = 3
  USER = 4
  UNUSED = 5
  BYTE = 6


@dataclasses.dataclass(frozen=True)
class Piece:
  """One piece: its text, how early it is merged (high first), what it is."""

  text: str
  score: float
  kind: Kind


def of_model(proto: bytes) -> list[Piece]:
  """Returns the pieces of a SentencePiece model, in the order of their ids.

  The Python interface does not tell which of them are user-defined, so they
  are read from the model's protocol buffer.

  Args:
    proto: contents of a .model file that SentencePiece has loaded.
  """
  return [
    Piece(
      fields.get(1, b'').decode('utf-8'),
      struct.unpack('<f', fields.get(2, bytes(4)))[0],
      Kind(fields.get(3, Kind.NORMAL)),
    )
    for key, message in fields_of(proto)
    if key >> 3 == 1
    for fields in ({k >> 3: v for k, v in fields_of(message)},)
  ]


def fields_of(message: bytes) -> Iterator[tuple[int, Any]]:
  """Yields (key, value) of each field of a protocol buffer message.

  The key is 8 times the field's number and its kind: 2 has a length.
  """
  place = 0

  def varint() -> int:
    nonlocal place
    value, shift, more = 0, 0, True
    while more:
      byte, place = message[place], place + 1
      value, shift, more = value | (byte & 127) << shift, shift + 7, byte > 127
    return value

  while place < len(message):
    key = varint()
    if key & 7 == 0:
      yield key, varint()
      continue
    size = {1: 8, 5: 4}.get(key & 7) or varint()
    yield key, message[place : place + size]
    place += size


def check(pieces: Sequence[Piece]) -> None:
  """Raises ValueError where a piece is longer than any that is merged.

  Every place to cut it is looked at, which takes the square of its length.
  """
  for i, piece in enumerate(pieces):
    if piece.kind == Kind.NORMAL and len(piece.text) > LONGEST:
      raise ValueError(
        f'piece {i} {piece.text[:20]!r}... has {len(piece.text)} letters, at'
        f' most {LONGEST} are read'
      )


def from_pieces(
  pieces: Sequence[Piece], prefix: bool = False
) -> tokenizers.Tokenizer:
  """Returns a tokenizer that cuts text as SentencePiece's BPE does.

  A piece may be merged of any two pieces that make it up, those of a higher
  score first; what is user-defined is cut out before, the longest first.
  Where a piece overlaps itself ('aa' + 'a' and 'a' + 'aa' in 'aaaaa') the two
  may differ in which comes first.

  Args:
    pieces: piece i has id i; the scores are those of merges.
    prefix: whether text begins with a space that isn't there.

  Raises:
    ValueError: a piece is too long.
  """
  check(pieces)
  added = {
    i: piece for i, piece in enumerate(pieces)
    if piece.kind in (Kind.CONTROL, Kind.UNKNOWN, Kind.USER)
  }  # fmt: skip
  vocabulary = {piece.text: i for i, piece in enumerate(pieces)}
  for i, piece in added.items():
    if piece.kind == Kind.USER:
      del vocabulary[piece.text]
      vocabulary[piece.text.replace(SPACE, ' ')] = i
  unknown = [p.text for p in pieces if p.kind == Kind.UNKNOWN]
  whole = tokenizers.Tokenizer(
    models.BPE(
      vocab=vocabulary,
      merges=_merges(pieces),
      unk_token=unknown[0] if unknown else None,
      fuse_unk=True,
      byte_fallback=any(p.kind == Kind.BYTE for p in pieces),
    )
  )
  whole.pre_tokenizer = pre_tokenizers.Metaspace(
    SPACE, 'first' if prefix else 'never', split=False
  )
  back = [decoders.Replace(SPACE, ' '), decoders.ByteFallback()]
  back.append(decoders.Fuse())
  if prefix:
    back.append(decoders.Strip(' ', 1, 0))
  whole.decoder = decoders.Sequence(back)
  for piece in added.values():
    user = piece.kind == Kind.USER
    text = piece.text.replace(SPACE, ' ') if user else piece.text
    token = AddedToken(text, normalized=False, special=not user)
    (whole.add_tokens if user else whole.add_special_tokens)([token])
  return whole


def _merges(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
  """Returns every pair that makes up a piece, the first to merge first."""
  normal = {p.text: p.score for p in pieces if p.kind == Kind.NORMAL}
  merges = []
  for text in sorted(normal, key=lambda t: -normal[t]):
    for cut in range(1, len(text)):
      left, right = text[:cut], text[cut:]
      if left in normal and right in normal:
        merges.append((left, right))
  return merges
