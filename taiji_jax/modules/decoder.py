"""A decoder-only transformer: the enhancer's body."""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.modules import layers, objective_slots
from taiji_jax.modules.kv_cache import KVCache

# Fan-in scaled, so that small widths begin with attention that can tell tokens
# apart; what is added to the stream is divided by its number of additions.
_IN_INIT = nn.initializers.lecun_normal()


def _out_init(layers: int):
  return nn.initializers.variance_scaling(
    1 / (2 * layers), 'fan_in', 'truncated_normal'
  )


REMAT = ('none', 'full', 'dots')


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
  """Sizes and options of `Decoder`.

  Attributes:
    vocab_size, num_layers, width, num_heads, num_kv_heads, mlp_width: sizes;
      the query heads share `num_kv_heads` key/value heads (arXiv:2305.13245).
    head_width: width of a head; `width // num_heads` where 0.
    rope_theta: base of the rotary wavelengths.
    norm_epsilon: of RMSNorm.
    tie_embeddings: whether the output head is the embedding, transposed.
    dtype: of the matrix products, 'float32' or 'bfloat16'; parameters, norms,
      softmax and logits stay float32.
    unroll: layers compiled one after the other in each turn of the scan: 1
      compiles fastest, `num_layers` runs fastest on a CPU.
    remat: what the backward recomputes: 'none', 'dots' (all but matrix
      products) or 'full'.
  """

  vocab_size: int
  num_layers: int
  width: int
  num_heads: int
  num_kv_heads: int
  mlp_width: int
  head_width: int = 0
  rope_theta: float = 10_000.0
  norm_epsilon: float = 1e-6
  tie_embeddings: bool = True
  dtype: str = 'float32'
  unroll: int = 1
  remat: str = 'none'

  def __post_init__(self):
    for name in ('vocab_size', 'num_layers', 'width', 'num_heads',
                 'num_kv_heads', 'mlp_width', 'unroll'):  # fmt: skip
      if getattr(self, name) < 1:
        raise UserError(
          f'model.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.num_heads % self.num_kv_heads:
      raise UserError(
        f'model.num_heads={self.num_heads} does not divide into'
        f' model.num_kv_heads={self.num_kv_heads} groups; make it a multiple.'
      )
    if not self.head_width and self.width % self.num_heads:
      raise UserError(
        f'model.width={self.width} is no multiple of'
        f' model.num_heads={self.num_heads}; change one or set'
        ' model.head_width.'
      )
    if self.head_size % 2:
      raise UserError(
        f'the head width is {self.head_size}; rotary positions need an even'
        ' one, so change model.width, model.num_heads or model.head_width.'
      )
    if self.dtype not in ('float32', 'bfloat16'):
      raise UserError(
        f"model.dtype is {self.dtype!r}; choose 'float32' or 'bfloat16'."
      )
    if self.remat not in REMAT:
      raise UserError(
        f'model.remat is {self.remat!r}; choose one of {", ".join(REMAT)}.'
      )

  @property
  def head_size(self) -> int:
    return self.head_width or self.width // self.num_heads


class Attention(nn.Module):
  """Causal grouped-query attention with rotary positions."""

  config: DecoderConfig

  @nn.compact
  def __call__(
    self,
    x_btd: jax.Array,
    position_bt: jax.Array,
    mask_bts: jax.Array,
    cache: KVCache | None,
    layer: jax.Array,
    slot: jax.Array | None,
    coef_kn: jax.Array | None,
  ) -> tuple[jax.Array, KVCache | None]:
    c = self.config
    dtype = jnp.dtype(c.dtype)
    init = _IN_INIT
    out_init = _out_init(c.num_layers)

    def heads(name: str, count: int) -> jax.Array:
      y = layers.Dense(count * c.head_size, init, dtype, name=name)(
        x_btd, coef_kn
      )
      return y.reshape(*x_btd.shape[:2], count, c.head_size)

    query = heads('query', c.num_heads)
    key = heads('key', c.num_kv_heads)
    value = heads('value', c.num_kv_heads)
    query = layers.rotary(query, position_bt, c.rope_theta)
    key = layers.rotary(key, position_bt, c.rope_theta)
    if cache is not None:
      at = (layer, 0, slot, 0, 0)
      cache = cache.replace(
        key_lbshd=jax.lax.dynamic_update_slice(
          cache.key_lbshd, key[None].astype(cache.key_lbshd.dtype), at
        ),
        value_lbshd=jax.lax.dynamic_update_slice(
          cache.value_lbshd, value[None].astype(cache.value_lbshd.dtype), at
        ),
      )
      key = cache.key_lbshd[layer].astype(dtype)
      value = cache.value_lbshd[layer].astype(dtype)
    y = jax.nn.dot_product_attention(query, key, value, mask=mask_bts[:, None])
    y = y.reshape(*x_btd.shape[:2], c.num_heads * c.head_size)
    y = layers.Dense(c.width, out_init, dtype, name='out')(y, coef_kn)
    return y, cache


class Block(nn.Module):
  """Attention and gated MLP, each behind a norm, added to the stream."""

  config: DecoderConfig

  @nn.compact
  def __call__(self, carry, layer, position_bt, mask_bts, slot, coef_kn):
    c = self.config
    x_btd, cache = carry
    y, cache = Attention(c, name='attention')(
      layers.RMSNorm(c.norm_epsilon, name='attention_norm')(x_btd, coef_kn),
      position_bt,
      mask_bts,
      cache,
      layer,
      slot,
      coef_kn,
    )
    x_btd = x_btd + y
    x_btd = x_btd + layers.GatedMLP(
      c.mlp_width,
      _IN_INIT,
      _out_init(c.num_layers),
      jnp.dtype(c.dtype),
      name='mlp',
    )(layers.RMSNorm(c.norm_epsilon, name='mlp_norm')(x_btd, coef_kn), coef_kn)
    return (x_btd, cache), None


class Decoder(nn.Module):
  """Tokens to hidden states to logits; the parameters are plain arrays.

  Every block's parameters are stacked over layers (`nn.scan`).
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
      block = nn.remat(block, policy=policy, prevent_cse=False)
    self.blocks = nn.scan(
      block,
      variable_axes={'params': 0, objective_slots.COLLECTION: 0},
      split_rngs={'params': True},
      in_axes=(0, *[nn.broadcast] * 4),
      length=c.num_layers,
      unroll=min(c.unroll, c.num_layers),
    )(c)
    self.final_norm = layers.RMSNorm(c.norm_epsilon)

  def __call__(
    self,
    token_bt: jax.Array,
    position_bt: jax.Array,
    segment_bt: jax.Array,
    coef_kb: jax.Array | None = None,
  ) -> jax.Array:
    """Returns hidden states `[b, t, d]` of whole texts, several to a row.

    Args:
      token_bt: int32 token ids.
      position_bt: int32, position of each token in its own text.
      segment_bt: int32, which text of the row the token belongs to, 0 for
        padding. A token sees the tokens before it of its own text.
      coef_kb: the rows' coefficients in K objectives; see `objective_slots`.
    """
    slots = jnp.arange(token_bt.shape[1])
    mask_bts = (
      (segment_bt[:, :, None] == segment_bt[:, None, :])
      & (segment_bt != 0)[:, None, :]
      & (slots[:, None] >= slots[None, :])
    )
    hidden_btd, _ = self._run(
      token_bt, position_bt, mask_bts, None, None, coef_kb
    )
    return hidden_btd

  def extend(
    self,
    token_bt: jax.Array,
    position_bt: jax.Array,
    valid_bt: jax.Array,
    cache: KVCache,
    slot: jax.Array,
  ) -> tuple[jax.Array, KVCache]:
    """Returns hidden states `[b, t, d]` and the cache with these tokens in it.

    Args:
      token_bt, position_bt: as above.
      valid_bt: bool, false for padding.
      cache: holds what came before.
      slot: int32 scalar, the cache slot of the first of these tokens; the same
        in all rows.
    """
    valid_bs = jax.lax.dynamic_update_slice(cache.valid_bs, valid_bt, (0, slot))
    slots = jnp.arange(valid_bs.shape[1])
    here = slot + jnp.arange(token_bt.shape[1])
    mask_bts = valid_bs[:, None, :] & (slots[None, :] <= here[:, None])[None]
    return self._run(
      token_bt, position_bt, mask_bts, cache.replace(valid_bs=valid_bs), slot
    )

  def _run(self, token_bt, position_bt, mask_bts, cache, slot, coef_kb=None):
    c = self.config
    slot_kvd = objective_slots.slot_of(self, 'embedding')
    if slot_kvd is None:
      x_btd = jnp.take(self.embedding_vd, token_bt, axis=0)
    else:
      x_btd = objective_slots.embed(
        self.embedding_vd, token_bt, slot_kvd, coef_kb
      )
    x_btd = x_btd.astype(jnp.dtype(c.dtype))
    (x_btd, cache), _ = self.blocks(
      (x_btd, cache),
      jnp.arange(c.num_layers),
      position_bt,
      mask_bts,
      slot,
      coef_kb,
    )
    return self.final_norm(x_btd, coef_kb), cache

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
    head_dv = self.embedding_vd.T if tied else self.head_dv
    slot = objective_slots.slot_of(self, 'embedding' if tied else 'head')
    if slot is not None:
      slot_kdv = jnp.swapaxes(slot, 1, 2) if tied else slot
      return objective_slots.dense(
        hidden_btd.astype(dtype), head_dv.astype(dtype), slot_kdv, coef_kb
      ).astype(jnp.float32)
    flat = hidden_btd.reshape(-1, hidden_btd.shape[-1]).astype(dtype)
    logits = jnp.matmul(
      flat, head_dv.astype(dtype), preferred_element_type=jnp.float32
    )
    return logits.reshape(*hidden_btd.shape[:-1], -1)

  def empty_cache(self, rows: int, slots: int) -> KVCache:
    """Returns a cache for `rows` texts of up to `slots` tokens."""
    c = self.config
    return KVCache.empty(
      c.num_layers,
      rows,
      slots,
      c.num_kv_heads,
      c.head_size,
      jnp.dtype(c.dtype),
    )
