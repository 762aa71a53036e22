"""Rows as token ids: prompts, one by one or padded to one length."""

from collections.abc import Callable, Sequence
import dataclasses
import sys
from typing import Protocol

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.data.padding import padded
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.types import Rows


class Prompts(Protocol):
  """Prompts by their number: `RowPrompts`, or `data.texts.TextPrompts`."""

  def __len__(self) -> int: ...

  def batch(self, index_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns prompts, int32 `[b, P]`, padded on the right, and lengths `[b]`.

    Args:
      index_b: which of them; P is the same in every batch.
    """
    ...


CandidatesFn = Callable[[Rows, int], Sequence[int]]
"""(rows, r) -> what the prompt of row r shows as candidates, in its order."""


class Encoder:
  """Rows as prompts, padded to one length."""

  def __init__(
    self,
    logs: Logs,
    tokenizer: Tokenizer,
    config: PromptConfig,
    max_tokens: int,
    candidates: CandidatesFn | None = None,
  ):
    """Takes what all prompts share.

    Args:
      logs: whose profiles and items are shown.
      tokenizer: text to ids.
      config: what a prompt holds.
      max_tokens: the longest prompt, P.
      candidates: see `CandidatesFn`; without it prompts show none, whatever
        `config.candidates` says.
    """
    self._logs, self._config, self._max = logs, config, max_tokens
    self._candidates = candidates
    self.tokenizer = tokenizer

  def candidates(self, rows: Rows, r: int) -> list[int]:
    """Returns the items that row r's prompt shows as candidates, in order.

    Those that the prompt has room for.
    """
    listed = self._listed(rows, r)
    if not listed:
      return []
    return listed[: self._fitted(rows, r, self._max)[1]]

  def _listed(self, rows: Rows, r: int) -> list[int]:
    if self._candidates is None or not self._config.candidates:
      return []
    shown = self._candidates(rows, r)[: self._config.candidates]
    return [int(item) for item in shown if item >= 0]

  def prompt_text(self, rows: Rows, r: int) -> str:
    """Returns the prompt of row r as the model reads it."""
    return self.tokenizer.decode(self.ids(rows, r))

  def ids(self, rows: Rows, r: int) -> list[int]:
    """Returns the token ids of the prompt of row r; user -1 has no profile."""
    return self._ids(rows, r, self._max)

  def _ids(self, rows: Rows, r: int, max_tokens: int) -> list[int]:
    return self._fitted(rows, r, max_tokens)[0]

  def _fitted(
    self, rows: Rows, r: int, max_tokens: int
  ) -> tuple[list[int], int]:
    return prompts.fitted(
      self.tokenizer,
      self._logs.profile(rows, r),
      rows.history_rs[r],
      self._logs.catalog,
      self._config,
      max_tokens,
      None if self._candidates is None else self._listed(rows, r),
    )

  @property
  def max_tokens(self) -> int:
    """Returns the longest prompt, P."""
    return self._max

  @property
  def max_history(self) -> int:
    """Returns the most items of the history that a prompt shows."""
    return self._config.max_history

  def needed(self, rows: Rows, r: int) -> int:
    """Returns how many tokens the whole prompt of row r has."""
    return len(self._ids(rows, r, sys.maxsize))

  def batch(
    self, rows: Rows, index_b: np.ndarray, opening: str = ''
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns prompts `[b, P]` padded on the right, and their lengths.

    Args:
      rows: the contexts.
      index_b: which of them.
      opening: of the completion; P is longer by its tokens.
    """
    begun = self.tokenizer.encode(opening) if opening else []
    ids = [self.ids(rows, int(r)) + begun for r in index_b]
    return padded(ids, self._max + len(begun), self.tokenizer.pad_id)

  def of(self, rows: Rows) -> 'RowPrompts':
    """Returns the prompts of rows, by their number alone."""
    return RowPrompts(self, rows)


@dataclasses.dataclass(frozen=True)
class RowPrompts:
  """Prompts of given rows, by their number, padded to one length.

  Attributes:
    encoder: rows to prompts.
    rows: the contexts.
  """

  encoder: Encoder
  rows: Rows

  def __len__(self) -> int:
    return len(self.rows)

  @property
  def tokenizer(self) -> Tokenizer:
    """Returns what makes ids of text."""
    return self.encoder.tokenizer

  def candidates(self, r: int) -> list[int]:
    """Returns the items that row r's prompt shows as candidates."""
    return self.encoder.candidates(self.rows, r)

  def text(self, r: int) -> str:
    """Returns the prompt of row r as the model reads it."""
    return self.encoder.prompt_text(self.rows, r)

  def batch(
    self, index_b: np.ndarray, opening: str = ''
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns prompts `[b, P]` padded on the right; see `Encoder.batch`."""
    return self.encoder.batch(self.rows, index_b, opening)
