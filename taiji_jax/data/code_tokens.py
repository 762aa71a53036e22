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


def find(tokenizer: Vocabulary, levels: int, codes: int) -> CodeTokens:
  """Returns the tokens of a tokenizer that knows all codes.

  Args:
    tokenizer: of a model that says codes.
    levels, codes: L and K.

  Raises:
    UserError: it lacks some of them.
  """
  found = [tokenizer.id_of(name) for name in names(levels, codes)]
  lacking = [
    name
    for name, token in zip(names(levels, codes), found, strict=True)
    if token is None
  ]
  if lacking:
    raise UserError(
      f'the tokenizer lacks {len(lacking)} of {len(found)} codes'
      f' ({", ".join(lacking[:3])}, ...); give the tokenizer of a model that'
      ' was trained on these semantic IDs, or let them be added'
      ' (tokenizer.with_tokens).'
    )
  return CodeTokens(np.array(found, np.int32).reshape(levels, codes))


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
