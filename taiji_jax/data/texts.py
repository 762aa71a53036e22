"""Texts of one's own as token ids: prompts by their number, and examples.

The same face as `encoder.RowPrompts`, which makes prompts of a log's rows.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from taiji_jax.data.batches import Example
from taiji_jax.data.padding import padded
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.errors import UserError

Text = str | Sequence[int]
"""A text, or its token ids (of a chat template)."""


class TextPrompts:
  """Prompts by their number, padded to one length.

  Attributes:
    tokenizer: text to ids.
    texts: the prompts, as they were given.
  """

  def __init__(
    self,
    texts: Sequence[Text],
    tokenizer: Tokenizer,
    max_tokens: int | None = None,
  ):
    """Encodes all texts.

    Args:
      texts: at least one; a text begins with bos, token ids stay as they are.
      tokenizer: text to ids.
      max_tokens: the longest prompt, P; the longest of the texts where None.

    Raises:
      UserError: there is no text, or one has no token, ids that the tokenizer
        lacks, or more than `max_tokens`.
    """
    if isinstance(texts, str):
      raise UserError('the prompts are one text; give a list of texts.')
    texts = list(texts)
    if not texts:
      raise UserError('there are no prompts; give at least one text.')
    self.texts, self.tokenizer = tuple(texts), tokenizer
    self._ids = [self._encode(i, text) for i, text in enumerate(texts)]
    lengths = [len(ids) for ids in self._ids]
    if not min(lengths):
      raise UserError(f'prompt {lengths.index(0)} has no token; leave it out.')
    self._max = max(lengths) if max_tokens is None else max_tokens
    if max(lengths) > self._max:
      at = lengths.index(max(lengths))
      raise UserError(
        f'prompt {at} has {lengths[at]} tokens and max_tokens is {self._max};'
        ' shorten it or raise max_tokens.'
      )

  def _encode(self, i: int, text: Text) -> list[int]:
    if text is None or isinstance(text, float):
      raise UserError(f'prompt {i} is {text!r}; give a text or token ids.')
    ids = encode(self.tokenizer, text)
    if ids and not 0 <= min(ids) <= max(ids) < self.tokenizer.vocab_size:
      raise UserError(
        f'prompt {i} has ids outside of 0 to {self.tokenizer.vocab_size - 1};'
        ' encode it by the same tokenizer.'
      )
    return ids

  def __len__(self) -> int:
    return len(self._ids)

  def text(self, r: int) -> str:
    """Returns prompt r as the model reads it."""
    return self.tokenizer.decode(self._ids[r])

  def batch(
    self, index_b: np.ndarray, opening: str = ''
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns prompts `[b, P]` padded on the right, and their lengths.

    Args:
      index_b: which of them.
      opening: of the completion; P is longer by its tokens.
    """
    begun = self.tokenizer.encode(opening) if opening else []
    ids = [self._ids[int(r)] + begun for r in index_b]
    return padded(ids, self._max + len(begun), self.tokenizer.pad_id)


def encode(tokenizer: Tokenizer, text: Text) -> list[int]:
  """Returns the ids of a prompt: bos and the text's, or those given."""
  if isinstance(text, str):
    return [tokenizer.bos_id, *tokenizer.encode(text)]
  return [int(i) for i in text]


def examples(
  pairs: Iterable[tuple[Text, str]], tokenizer: Tokenizer
) -> list[Example]:
  """Returns what supervised training reads: prompt, completion and eos.

  Args:
    pairs: (prompt, completion).
    tokenizer: text to ids.
  """
  return [
    Example(
      encode(tokenizer, prompt),
      [*tokenizer.encode(completion), tokenizer.eos_id],
    )
    for prompt, completion in pairs
  ]
