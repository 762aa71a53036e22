"""One block of a decoder: attention and a gated MLP."""

import dataclasses
import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.modules import attention, layers
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.kv_cache import KVCache, Slots
from taiji_jax.modules.rotary import rotary

# Fan-in scaled, so that small widths begin with attention that can tell tokens
# apart; what is added to the stream is divided by its number of additions.
_IN_INIT = nn.initializers.lecun_normal()


def _out_init(num_layers: int):
  return nn.initializers.variance_scaling(
    1 / (2 * num_layers), 'fan_in', 'truncated_normal'
  )


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('position_bt', 'segment_bt'),
  meta_fields=('fork', 'keep'),
)
@dataclasses.dataclass(frozen=True)
class Layout:
  """Where the tokens of whole texts lie; see `attention.whole`.

  Attributes:
    position_bt, segment_bt, fork: as there.
    keep: whether the keys and values are returned as well.
  """

  position_bt: jax.Array
  segment_bt: jax.Array
  fork: tuple[int, int] | None = None
  keep: bool = False


class Attention(nn.Module):
  """Causal grouped-query attention with rotary positions."""

  config: DecoderConfig

  def setup(self):
    c = self.config
    dense = functools.partial(
      layers.Dense, dtype=jnp.dtype(c.dtype), lora=_lora(c)
    )
    wide, narrow = c.num_heads * c.head_size, c.num_kv_heads * c.head_size
    self.query = dense(wide, _IN_INIT, use_bias=c.qkv_bias)
    self.key = dense(narrow, _IN_INIT, use_bias=c.qkv_bias)
    self.value = dense(narrow, _IN_INIT, use_bias=c.qkv_bias)
    self.out = dense(c.width, _out_init(c.num_layers))
    if c.qk_norm:
      self.query_norm = layers.RMSNorm(c.norm_epsilon)
      self.key_norm = layers.RMSNorm(c.norm_epsilon)

  def __call__(
    self, x_btd: jax.Array, layout: Layout, coef_kn: jax.Array | None
  ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Returns what the tokens attend to `[b, t, d]`, and (keys, values)."""
    query, key, value = self._heads(x_btd, layout.position_bt, coef_kn)
    y = attention.whole(
      query, key, value, layout.segment_bt, layout.fork, self.config.attention
    )
    y = self.out(y.reshape(*x_btd.shape[:2], -1), coef_kn)
    return y, (key, value)

  def step(
    self, x_n1d: jax.Array, cache: KVCache, layer: int
  ) -> tuple[jax.Array, Slots]:
    """Returns what one more token a row attends to, and the layer's slots."""
    query, key, value = self._heads(x_n1d, cache.position_n[:, None], None)
    slots = cache.completions[layer].write(key, value, cache.filled)
    y_nhd = attention.step(
      query[:, 0],
      cache.prompts[layer],
      slots,
      cache.prompt_length_b,
      cache.filled + 1,
      self.config.attention,
    )
    return self.out(y_nhd.reshape(len(x_n1d), 1, -1), None), slots

  def follow(
    self,
    x_btd: jax.Array,
    position_bt: jax.Array,
    branch_bt: jax.Array,
    prompt: Slots,
    prompt_length_b: jax.Array,
  ) -> jax.Array:
    """Returns what tokens behind a cached prompt attend to."""
    heads = self._heads(x_btd, position_bt, None)
    y = attention.follow(*heads, prompt, prompt_length_b, branch_bt)
    return self.out(y.reshape(*x_btd.shape[:2], -1), None)

  def _heads(self, x_btd, position_bt, coef_kn):
    """Returns queries, keys and values by head, positions turned in."""
    c = self.config

    def heads(dense: layers.Dense) -> jax.Array:
      y = dense(x_btd, coef_kn)
      return y.reshape(*x_btd.shape[:2], -1, c.head_size)

    query, key, value = heads(self.query), heads(self.key), heads(self.value)
    if c.qk_norm:
      query, key = self.query_norm(query, coef_kn), self.key_norm(key, coef_kn)
    query = rotary(query, position_bt, c.rope_theta, c.rope_scaling)
    key = rotary(key, position_bt, c.rope_theta, c.rope_scaling)
    return query, key, value


class Block(nn.Module):
  """Attention and gated MLP, each behind a norm, added to the stream."""

  config: DecoderConfig

  def setup(self):
    c = self.config
    self.attention_norm = layers.RMSNorm(c.norm_epsilon)
    self.attention = Attention(c)
    self.mlp_norm = layers.RMSNorm(c.norm_epsilon)
    self.mlp = layers.GatedMLP(
      c.mlp_width,
      _IN_INIT,
      _out_init(c.num_layers),
      jnp.dtype(c.dtype),
      _lora(c),
    )

  def __call__(
    self, x_btd: jax.Array, layout: Layout, coef_kn: jax.Array | None
  ) -> tuple[jax.Array, tuple[jax.Array, jax.Array] | None]:
    x_btd = sharding.constrain_rows(x_btd)
    y, kept = self.attention(
      self.attention_norm(x_btd, coef_kn), layout, coef_kn
    )
    x_btd = x_btd + y
    x_btd = x_btd + self.mlp(self.mlp_norm(x_btd, coef_kn), coef_kn)
    return sharding.constrain_rows(x_btd), kept if layout.keep else None

  def step(
    self, x_n1d: jax.Array, cache: KVCache, layer: int
  ) -> tuple[jax.Array, Slots]:
    y, slots = self.attention.step(self.attention_norm(x_n1d), cache, layer)
    x_n1d = x_n1d + y
    return x_n1d + self.mlp(self.mlp_norm(x_n1d)), slots

  def follow(self, x_btd: jax.Array, *where: jax.Array | Slots) -> jax.Array:
    x_btd = sharding.constrain_rows(x_btd)
    y = self.attention.follow(self.attention_norm(x_btd), *where)
    x_btd = x_btd + y
    return sharding.constrain_rows(x_btd + self.mlp(self.mlp_norm(x_btd)))


def _lora(config: DecoderConfig) -> tuple[int, float]:
  rank = config.lora_rank
  return rank, config.lora_alpha / max(rank, 1)
