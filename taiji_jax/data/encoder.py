"""Rows as token ids: prompts, one by one or padded to one length."""

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.types import Rows


class Encoder:
  """Rows as prompts, padded to one length."""

  def __init__(
    self,
    logs: Logs,
    tokenizer: Tokenizer,
    config: PromptConfig,
    max_tokens: int,
  ):
    """Takes what all prompts share.

    Args:
      logs: whose profiles and items are shown.
      tokenizer: text to ids.
      config: what a prompt holds.
      max_tokens: the longest prompt, P.
    """
    self._logs, self._config, self._max = logs, config, max_tokens
    self.tokenizer = tokenizer

  def prompt_text(self, rows: Rows, r: int) -> str:
    """Returns the prompt of row r as the model reads it."""
    return self.tokenizer.decode(self.ids(rows, r))

  def ids(self, rows: Rows, r: int) -> list[int]:
    """Returns the token ids of the prompt of row r; user -1 has no profile."""
    return prompts.encode_prompt(
      self.tokenizer,
      self._logs.profile(rows, r),
      rows.history_rs[r],
      self._logs.catalog,
      self._config,
      self._max,
    )

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
    prompt_bp = np.full(
      (len(ids), self._max + len(begun)),
      self.tokenizer.pad_id,
      np.int32,
    )
    for row, tokens in zip(prompt_bp, ids, strict=True):
      row[: len(tokens)] = tokens
    return prompt_bp, np.array([len(i) for i in ids], np.int32)
