"""A decoder as the step of a beam search over codes."""

from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.decode.beams import Step
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import KVCache


def start(
  decoder: Decoder,
  params: Any,
  prompt_bp: jax.Array,
  length_b: jax.Array,
  token_lk: jax.Array,
  whole_vocabulary: bool = False,
) -> tuple[jax.Array, KVCache, Step]:
  """Returns (logits of level 0 `[b, k]`, cache, step) for `beams.beams`.

  A prompt is read once; its keys and values are there once for all beams. Only
  the rows of the head that belong to a level's codes are multiplied.

  Args:
    decoder: the network.
    params: its variables, stacked or not.
    prompt_bp: int32 `[b, P]` token ids, padded on the right.
    length_b: int32, their tokens, at least 1.
    token_lk: int32 `[L, K]`, the token of each code of each level.
    whole_vocabulary: whether logits are those of all tokens, for a trie whose
      codes are token ids (`normalize='vocabulary'` as published); then only the
      number of levels is read of `token_lk`.
  """
  decoder, params = decoder_lib.unstacked(decoder, params)
  levels = len(token_lk)
  dtype = jnp.dtype(decoder.config.dtype)

  def logits(hidden: jax.Array, level: int) -> jax.Array:
    if whole_vocabulary:
      return decoder.apply(params, hidden, method='logits')
    return decoder.apply(params, hidden, token_lk[level], method='logits_of')

  def step(
    cache: KVCache, level: int, parent_bm: jax.Array, code_bm: jax.Array
  ) -> tuple[jax.Array, KVCache]:
    b, m = code_bm.shape
    token_bm = code_bm if whole_vocabulary else token_lk[level - 1][code_bm]
    hidden_nd, cache = decoder.apply(
      params,
      token_bm.reshape(b * m),
      cache.of_parents(parent_bm),
      method='extend',
    )
    return logits(hidden_nd, level).reshape(b, m, -1), cache

  last_bd, cache = decoder.apply(
    params, prompt_bp, length_b, 1, max(levels - 1, 1), dtype, method='prefill'
  )
  return sharding.constrain_rows(logits(last_bd, 0)), cache, step
