"""Codes of semantic IDs as tokens: '<a_12>', '<b_3>', '<c_7>'."""

from collections.abc import Sequence
import dataclasses
import string
from typing import Protocol

import numpy as np

from taiji_jax.errors import UserError

LETTERS = string.ascii_lowercase


class Vocabulary(Protocol):
  """What is asked of a tokenizer."""

  def id_of(self, token: str) -> int | None:
    """Returns the id of a whole token, None where there is none."""
    ...


@dataclasses.dataclass(frozen=True)
class CodeTokens:
  """The token of each code of each level.

  Attributes:
    token_lk: int32 `[L, K]`.
  """

  token_lk: np.ndarray

  @property
  def levels(self) -> int:
    """Returns L."""
    return len(self.token_lk)

  def ids(self, code_l: Sequence[int]) -> list[int]:
    """Returns the token ids of a semantic ID.

    Args:
      code_l: its codes, in [0, K).
    """
    return [int(self.token_lk[level, c]) for level, c in enumerate(code_l)]


def names(levels: int, codes: int) -> list[str]:
  """Returns the tokens of all codes, level by level.

  >>> names(2, 2)
  ['<a_0>', '<a_1>', '<b_0>', '<b_1>']

  Args:
    levels: L, at most 26.
    codes: K.
  """
  if not 1 <= levels <= len(LETTERS):
    raise UserError(
      f'there are {levels} levels; tokens name 1 to {len(LETTERS)} by letters.'
    )
  return [f'<{LETTERS[at]}_{c}>' for at in range(levels) for c in range(codes)]


def find(
  tokenizer: Vocabulary,
  levels: int,
  codes: int,
  code_nl: np.ndarray | None = None,
) -> CodeTokens:
  """Returns the tokens of a tokenizer that knows all codes.

  Args:
    tokenizer: of a model that says codes.
    levels, codes: L and K.
    code_nl: int `[N, L]`, of a catalogue: where given, only its codes must be
      known. Published checkpoints have no tokens of others; those have token 0
      here, which no beam over a trie reaches.

  Raises:
    UserError: it lacks some of them, or knows codes beyond them.
  """
  every = names(levels, codes)
  found = [tokenizer.id_of(name) for name in every]
  needed = set(every)
  if code_nl is not None:
    needed = {every[level * codes + code] for level, code, _ in used(code_nl)}
  lacking = [
    name
    for name, token in zip(every, found, strict=True)
    if token is None and name in needed
  ]
  if lacking:
    raise UserError(
      f'the tokenizer lacks {len(lacking)} of {len(found)} codes'
      f' ({", ".join(lacking[:3])}, ...); give the tokenizer of a model that'
      ' was trained on these semantic IDs, or let them be added'
      ' (tokenizer.with_tokens).'
    )
  beyond = [
    name for name in _beyond(levels, codes) if tokenizer.id_of(name) is not None
  ]
  if beyond:
    raise UserError(
      f'the tokenizer knows {beyond[0]}, a code beyond {levels} levels of'
      f' {codes}: it is of another code space; give the tokenizer of a model'
      ' that was trained on these semantic IDs.'
    )
  token = [0 if token is None else token for token in found]
  return CodeTokens(np.array(token, np.int32).reshape(levels, codes))


def _beyond(levels: int, codes: int) -> list[str]:
  """Returns the next code of every level, and the first of one level more."""
  found = [f'<{LETTERS[at]}_{codes}>' for at in range(levels)]
  return found + [f'<{letter}_0>' for letter in LETTERS[levels : levels + 1]]


def used(code_nl: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
  """Returns (level, code, which items have it) of every code that is used.

  Args:
    code_nl: int `[N, L]`, of the catalogue.
  """
  return [
    (level, int(code), np.flatnonzero(code_nl[:, level] == code))
    for level in range(code_nl.shape[1])
    for code in np.unique(code_nl[:, level])
  ]
