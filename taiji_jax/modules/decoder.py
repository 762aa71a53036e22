"""A decoder-only transformer: the enhancer's body."""

from collections.abc import Callable
import dataclasses
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.modules import layers, objective_slots
from taiji_jax.modules.block import Block, Layout
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.kv_cache import KVCache, Slots


class Decoder(nn.Module):
  """Tokens to hidden states to logits; the parameters are plain arrays.

  Where `config.stacked`, every block's parameters are stacked over layers
  (`nn.scan`); decoding wants them unstacked, see `unstacked`.
  """

  config: DecoderConfig

  def setup(self):
    c = self.config
    init = nn.initializers.normal(0.02)
    self.embedding_vd = self.param(
      'embedding', init, (c.vocab_size, c.width), jnp.float32
    )
    if not c.tie_embeddings:
      self.head_dv = self.param(
        'head', init, (c.width, c.vocab_size), jnp.float32
      )
    block = Block
    if c.remat != 'none':
      policy = (
        jax.checkpoint_policies.dots_with_no_batch_dims_saveable
        if c.remat == 'dots'
        else None
      )
      block = nn.remat(block, policy=policy, prevent_cse=not c.stacked)
    if c.stacked:
      self.blocks = nn.scan(
        block,
        variable_axes={
          'params': 0,
          layers.LORA: 0,
          objective_slots.COLLECTION: 0,
        },
        split_rngs={'params': True},
        in_axes=nn.broadcast,
        length=c.num_layers,
        unroll=min(c.unroll, c.num_layers),
      )(c)
    else:
      self.blocks = [block(c) for _ in range(c.num_layers)]
    self.final_norm = layers.RMSNorm(c.norm_epsilon)

  def __call__(
    self,
    token_bt: jax.Array,
    position_bt: jax.Array,
    segment_bt: jax.Array,
    coef_kb: jax.Array | None = None,
    fork: tuple[int, int] | None = None,
  ) -> jax.Array:
    """Returns hidden states `[b, t, d]` of whole texts, several to a row.

    Args:
      token_bt: int32 token ids.
      position_bt: int32, position of each token in its own text.
      segment_bt, fork: which tokens see one another; see `attention.whole`.
      coef_kb: the rows' coefficients in K objectives; see `objective_slots`.
    """
    layout = Layout(position_bt, segment_bt, fork)
    x_btd = self._embed(token_bt, coef_kb)
    if self.config.stacked:
      x_btd, _ = self.blocks(x_btd, layout, coef_kb)
    else:
      for block in self.blocks:
        x_btd, _ = block(x_btd, layout, coef_kb)
    return self.final_norm(x_btd, coef_kb)

  def prefill(
    self,
    token_bp: jax.Array,
    length_b: jax.Array,
    group: int,
    slots: int,
    dtype: jnp.dtype,
  ) -> tuple[jax.Array, KVCache]:
    """Returns the last hidden state of each prompt `[b, d]`, and a cache.

    Args:
      token_bp: int32, prompts padded on the right.
      length_b: int32, their tokens, at least 1.
      group: G, the completions each prompt will have.
      slots: the most tokens of a completion.
      dtype: what the cache is stored in.
    """
    self._check_unstacked()
    c = self.config
    slot_p = jnp.arange(token_bp.shape[1])
    segment_bp = (slot_p < length_b[:, None]).astype(jnp.int32)
    position_bp = jnp.minimum(slot_p, length_b[:, None] - 1)
    layout = Layout(position_bp, segment_bp, keep=True)
    x_bpd, prompts = self._embed(token_bp), []
    for block in self.blocks:
      x_bpd, (key, value) = block(x_bpd, layout, None)
      prompts.append(sharding.constrain_heads(Slots.of(key, value, dtype)))
    rows = group * len(token_bp)
    empty = Slots.empty(rows, c.num_kv_heads, slots, c.head_size, dtype)
    empty = sharding.constrain_heads(empty)
    cache = KVCache(
      prompts=tuple(prompts),
      completions=tuple(
        jax.tree.map(jnp.copy, empty) for _ in range(c.num_layers)
      ),
      prompt_length_b=length_b,
      filled=jnp.int32(0),
    )
    last_bd = jnp.take_along_axis(x_bpd, (length_b - 1)[:, None, None], axis=1)[
      :, 0
    ]
    return self.final_norm(last_bd), cache

  def extend(
    self, token_n: jax.Array, cache: KVCache
  ) -> tuple[jax.Array, KVCache]:
    """Returns hidden states `[n, d]` of one more token a row, and the cache.

    Args:
      token_n: int32, the token that follows what the cache holds of each row.
      cache: with room for one more.
    """
    self._check_unstacked()
    x_n1d, completions = self._embed(token_n[:, None]), []
    for layer, block in enumerate(self.blocks):
      x_n1d, slots = block.step(x_n1d, cache, layer)
      completions.append(slots)
    cache = cache.replace(
      completions=tuple(completions), filled=cache.filled + 1
    )
    return self.final_norm(x_n1d[:, 0]), cache

  def follow(
    self,
    token_bt: jax.Array,
    offset_bt: jax.Array,
    branch_bt: jax.Array,
    prompts: tuple[Slots, ...],
    prompt_length_b: jax.Array,
  ) -> jax.Array:
    """Returns hidden states `[b, t, d]` of branches that follow a prompt.

    The prompt is not read again; the branches of a row do not see one another.

    Args:
      token_bt: int32 token ids.
      offset_bt: int32, tokens between the prompt's end and each.
      branch_bt: int32; see `attention.visible_in_branches`.
      prompts: of each layer, `KVCache.prompts` that `prefill` made.
      prompt_length_b: int32, their tokens.
    """
    self._check_unstacked()
    x_btd = self._embed(token_bt)
    position_bt = prompt_length_b[:, None] + offset_bt
    for block, prompt in zip(self.blocks, prompts, strict=True):
      x_btd = block.follow(
        x_btd, position_bt, branch_bt, prompt, prompt_length_b
      )
    return self.final_norm(x_btd)

  def _check_unstacked(self) -> None:
    if self.config.stacked:
      raise ValueError('decoding needs unstacked blocks: decoder.unstacked.')

  def _embed(self, token_bt, coef_kb=None) -> jax.Array:
    slot_kvd = objective_slots.slot_of(self, 'embedding')
    if slot_kvd is None:
      x_btd = jnp.take(self.embedding_vd, token_bt, axis=0)
    else:
      x_btd = objective_slots.embed(
        self.embedding_vd, token_bt, slot_kvd, coef_kb
      )
    x_btd = sharding.constrain_embedded(
      x_btd.astype(jnp.dtype(self.config.dtype))
    )
    return sharding.constrain_rows(x_btd)

  def logits(
    self, hidden_btd: jax.Array, coef_kb: jax.Array | None = None
  ) -> jax.Array:
    """Returns float32 logits `[..., v]` of the next token.

    Args:
      hidden_btd: what the calls above returned, or some positions of it.
      coef_kb: as above.
    """
    dtype = jnp.dtype(self.config.dtype)
    tied = self.config.tie_embeddings
    slot = objective_slots.slot_of(self, 'embedding' if tied else 'head')
    if slot is not None:
      head_dv = self.embedding_vd.T if tied else self.head_dv
      slot_kdv = jnp.swapaxes(slot, 1, 2) if tied else slot
      return objective_slots.dense(
        hidden_btd.astype(dtype),
        head_dv.astype(dtype),
        slot_kdv,
        coef_kb,
        jnp.dtype(jnp.float32),
      )
    flat = hidden_btd.reshape(-1, hidden_btd.shape[-1]).astype(dtype)
    table = self.embedding_vd if tied else self.head_dv
    logits = jax.lax.dot_general(
      flat,
      table.astype(dtype),
      (((1,), (1 if tied else 0,)), ((), ())),
      preferred_element_type=jnp.float32,
    )
    return logits.reshape(*hidden_btd.shape[:-1], -1)

  def logits_of(self, hidden_btd: jax.Array, token_k: jax.Array) -> jax.Array:
    """Returns float32 logits `[..., k]` of some tokens alone.

    Args:
      hidden_btd: as for `logits`.
      token_k: int32 token ids, such as the codes of one level.
    """
    tied = self.config.tie_embeddings
    row_kd = self.embedding_vd[token_k] if tied else self.head_dv.T[token_k]
    dtype = jnp.dtype(self.config.dtype)
    flat = hidden_btd.reshape(-1, hidden_btd.shape[-1]).astype(dtype)
    logits = jax.lax.dot_general(
      flat,
      row_kd.astype(dtype),
      (((1,), (1,)), ((), ())),
      preferred_element_type=jnp.float32,
    )
    return logits.reshape(*hidden_btd.shape[:-1], -1)


def shapes(config: DecoderConfig) -> Any:
  """Returns shapes and dtypes of all variables; nothing is drawn."""
  one = jax.ShapeDtypeStruct((1, 8), jnp.int32)
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(Decoder(config).init, key, one, one, one)


def unstacked(decoder: Decoder, params: Any) -> tuple[Decoder, Any]:
  """Returns the same network with each block's parameters an own array.

  Args:
    decoder: either form.
    params: its variables, `{collection: ...}`.
  """
  if not decoder.config.stacked:
    return decoder, params
  config = dataclasses.replace(decoder.config, stacked=False)
  return Decoder(config), unstack(params, config.num_layers)


def unstack(params: Any, num_layers: int) -> Any:
  """Returns variables with `blocks_0, blocks_1...` instead of `blocks`."""

  def split(collection: dict) -> dict:
    rest = {k: v for k, v in collection.items() if k != 'blocks'}
    for i in range(num_layers if 'blocks' in collection else 0):
      take = _taker(i)
      rest[f'blocks_{i}'] = jax.tree.map(take, collection['blocks'])
    return rest

  return {name: split(collection) for name, collection in params.items()}


def as_computed(variables: Any, model: DecoderConfig) -> Any:
  """Returns variables unstacked, matrices in the dtype they are multiplied in.

  Vectors stay: in training the scales of norms multiply in float32.

  Args:
    variables: of the model.
    model: its sizes.
  """
  if model.stacked:
    variables = unstack(variables, model.num_layers)
  return jax.tree.map(
    lambda x: x.astype(model.dtype) if x.ndim > 1 else x, variables
  )


def trained_shapes(model: DecoderConfig) -> Any:
  """Returns shapes and dtypes of what is trained of a model: all, or adapters.

  Args:
    model: its sizes.
  """
  every = shapes(model)
  return {layers.LORA: every[layers.LORA]} if model.lora_rank else every


def _taker(index: int) -> Callable[[jax.Array], jax.Array]:
  return lambda x: x[index]
