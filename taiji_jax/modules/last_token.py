"""Sentence embeddings of a decoder: what it makes of a text's last token."""

from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig


def embed(
  config: DecoderConfig,
  params: dict[str, Any],
  token_bt: jax.Array,
  mask_bt: jax.Array,
) -> jax.Array:
  """Returns sentence embeddings, float32 `[b, d]` of norm 1.

  The last token's hidden state behind the final norm, scaled, as Qwen3
  Embedding does (arXiv:2506.05176). The texts are padded on the right.

  Args:
    config: the decoder.
    params: as `Decoder(config).init` makes them, its 'params' inside.
    token_bt: int32 `[b, t]`, each text ended by the end-of-text token.
    mask_bt: bool `[b, t]`, True where there is a token; none at all gives 0.
  """
  position_bt = jnp.broadcast_to(
    jnp.arange(token_bt.shape[1], dtype=jnp.int32), token_bt.shape
  )
  hidden_btd = Decoder(config).apply(
    {'params': params}, token_bt, position_bt, mask_bt.astype(jnp.int32)
  )
  length_b = mask_bt.sum(1)
  last_b = jnp.maximum(length_b - 1, 0)
  last_bd = jnp.take_along_axis(hidden_btd, last_b[:, None, None], 1)[:, 0]
  last_bd = last_bd.astype(jnp.float32) * (length_b > 0)[:, None]
  norm_b1 = jnp.linalg.norm(last_bd, axis=-1, keepdims=True)
  return last_bd / jnp.maximum(norm_b1, 1e-12)
