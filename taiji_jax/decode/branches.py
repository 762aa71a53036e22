"""Given continuations of cached prompts, and their log-probabilities."""

from collections.abc import Sequence
import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import Slots

# Tokens whose logits exist at a time.
_TOKENS = 1024


@chex.dataclass(frozen=True)
class Branches:
  """Of each of b prompts a head and, behind it, up to C branches.

  A row holds the head and then its branches, one behind the other without
  gaps, whatever their lengths; what is scored are the branches' s tokens.

  Attributes:
    token_bt: int32 `[b, T]`, padded on the right.
    offset_bt: int32, tokens between the prompt's end and each.
    branch_bt: int32, see `attention.visible_in_branches`.
    before_bs: int32 `[b, S]`, the slot before each token that is scored.
    label_bs: int32, these tokens.
    owner_bs: int32, the branch of each, C for padding.
    given_bc: bool `[b, C]`, which branches there are.
  """

  token_bt: jax.Array
  offset_bt: jax.Array
  branch_bt: jax.Array
  before_bs: jax.Array
  label_bs: jax.Array
  owner_bs: jax.Array
  given_bc: jax.Array


def pack(
  heads: Sequence[Sequence[int]],
  branches: Sequence[Sequence[Sequence[int]]],
  count: int,
  step: int = 16,
) -> Branches:
  """Returns branches in arrays of numpy.

  Args:
    heads: token ids between a prompt and all its branches, at least one.
    branches: token ids of up to `count` branches a row; an empty one is none.
    count: C, at least 1.
    step: S and T - S are multiples of it, so that few programs are compiled.

  Raises:
    ValueError: a row has no head, or too many branches.
  """
  b = len(heads)
  for i, (head, own) in enumerate(zip(heads, branches, strict=True)):
    if not len(head):
      raise ValueError(f'row {i} has no head; give it at least one token.')
    if len(own) > count:
      raise ValueError(
        f'row {i} has {len(own)} branches and there is room for {count}.'
      )
  s = max([1, *(sum(map(len, own)) for own in branches)])
  s = -(-s // step) * step
  t = s + -(-max(map(len, heads)) // step) * step
  token_bt, offset_bt, branch_bt = np.zeros((3, b, t), np.int32)
  before_bs, label_bs = np.zeros((2, b, s), np.int32)
  owner_bs = np.full((b, s), count, np.int32)
  given_bc = np.zeros((b, count), bool)
  for i, (head, own) in enumerate(zip(heads, branches, strict=True)):
    h = at = len(head)
    token_bt[i, :h], branch_bt[i, :h] = head, 1
    offset_bt[i, :h] = np.arange(h)
    for c, ids in enumerate(own):
      if not len(ids):
        continue
      end = at + len(ids)
      token_bt[i, at:end], branch_bt[i, at:end] = ids, 2 + c
      offset_bt[i, at:end] = np.arange(h, h + len(ids))
      before_bs[i, at - h : end - h] = np.arange(at - 1, end - 1)
      before_bs[i, at - h] = h - 1
      label_bs[i, at - h : end - h] = ids
      owner_bs[i, at - h : end - h] = c
      given_bc[i, c], at = True, end
  return Branches(
    token_bt=token_bt,
    offset_bt=offset_bt,
    branch_bt=branch_bt,
    before_bs=before_bs,
    label_bs=label_bs,
    owner_bs=owner_bs,
    given_bc=given_bc,
  )


def logp(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  branches: Branches,
) -> jax.Array:
  """Returns log P(branch | prompt, head), float32 `[b, C]`, -inf for none.

  The sum over the branch's tokens, in nats. Gradients go through all of it.

  Args:
    decoder: the network.
    params: its parameters.
    prompt_bp: int32, padded on the right.
    prompt_length_b: int32, at least 1.
    branches: see `pack`.
  """
  decoder, params = decoder_lib.unstacked(decoder, params)
  dtype = jnp.dtype(decoder.config.dtype)
  _, cache = decoder.apply(
    params, prompt_bp, prompt_length_b, 1, 1, dtype, method='prefill'
  )
  return cached_logp(decoder, params, cache.prompts, prompt_length_b, branches)


def cached_logp(
  decoder: Decoder,
  params: dict,
  prompts: tuple[Slots, ...],
  prompt_length_b: jax.Array,
  branches: Branches,
) -> jax.Array:
  """Returns what `logp` does of prompts that are read already.

  Args:
    decoder: the network, its blocks unstacked (`modules.decoder.unstacked`).
    params: its parameters.
    prompts: of each layer, `KVCache.prompts`.
    prompt_length_b: int32.
    branches: see `pack`.
  """
  hidden_btd = decoder.apply(
    params,
    branches.token_bt,
    branches.offset_bt,
    branches.branch_bt,
    prompts,
    prompt_length_b,
    method='follow',
  )
  before_bsd = jnp.take_along_axis(
    hidden_btd, branches.before_bs[..., None], axis=1
  )
  chunk = max(_TOKENS // len(hidden_btd), 1)
  config = dataclasses.replace(decoder.config, loss_chunk=chunk)
  logp_bs = logprob.label_logp(
    Decoder(config), params, before_bsd, branches.label_bs
  )
  count = branches.given_bc.shape[1]
  logp_bc = jax.vmap(
    lambda logp_s, owner_s: jax.ops.segment_sum(logp_s, owner_s, count + 1)
  )(logp_bs, branches.owner_bs)[:, :count]
  return jnp.where(branches.given_bc, logp_bc, -jnp.inf)
