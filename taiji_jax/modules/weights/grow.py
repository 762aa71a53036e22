"""More tokens for a loaded decoder."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig


def mean_rows(
  embedding_vd: jax.Array, ids: Sequence[Sequence[int]]
) -> np.ndarray:
  """Returns the mean embedding of each text's tokens, float32 `[n, d]`.

  A new token begins as the text that says what it means; one without a text
  begins as the mean of all tokens.

  Args:
    embedding_vd: of the model.
    ids: of each new token, the token ids of its text; may be empty.
  """
  table_vd = np.asarray(embedding_vd, np.float32)
  mean_d = table_vd.mean(0)
  return np.stack(
    [table_vd[list(own)].mean(0) if len(own) else mean_d for own in ids]
  )


def grow(
  config: DecoderConfig,
  variables: Mapping[str, Any],
  row_nd: np.ndarray,
  first: int,
) -> tuple[DecoderConfig, dict[str, Any]]:
  """Returns (config, variables) of a decoder that knows n more tokens.

  Rows that the embedding has beyond its tokenizer's ids are used first. A head
  of its own begins with the same rows, at the mean norm of its columns.

  Args:
    config: of the decoder.
    variables: its `{'params': ...}`.
    row_nd: float, embeddings of the new tokens.
    first: id of the first of them: how many tokens the tokenizer had.

  Raises:
    UserError: rows of another width, or ids that leave a gap.
  """
  if row_nd.ndim != 2 or row_nd.shape[1] != config.width:
    raise UserError(
      f'new rows have the shape {row_nd.shape}; give [tokens, {config.width}].'
    )
  if not 0 <= first <= config.vocab_size:
    raise UserError(
      f'the first new id is {first}, the model has {config.vocab_size} rows; it'
      ' must be the next free one.'
    )
  size = max(config.vocab_size, first + len(row_nd))
  params = dict(variables['params'])
  params['embedding'] = _placed(params['embedding'], row_nd, first, size)
  if not config.tie_embeddings:
    head_vd = params['head'].T
    norm = np.linalg.norm(np.asarray(head_vd, np.float32), axis=1).mean()
    own = np.linalg.norm(row_nd, axis=1, keepdims=True)
    scaled_nd = row_nd / np.maximum(own, 1e-6) * norm
    params['head'] = _placed(head_vd, scaled_nd, first, size).T
  grown = dataclasses.replace(config, vocab_size=size)
  return grown, {**variables, 'params': params}


def _placed(
  table_vd: jax.Array, row_nd: np.ndarray, first: int, size: int
) -> jax.Array:
  """Returns the table, longer where needed, with the new rows."""
  lack = size - len(table_vd)
  table_vd = jnp.pad(jnp.asarray(table_vd), ((0, lack), (0, 0)))
  row_nd = jnp.asarray(row_nd, table_vd.dtype)
  return table_vd.at[first : first + len(row_nd)].set(row_nd)
