"""A decoder over items whose heads say the codes of the next item."""

import dataclasses
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import layers
from taiji_jax.modules.block import Block, Layout
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.item_embedding import ItemEmbedding, ItemEmbeddingConfig

_NORMAL = nn.initializers.normal(0.02)
_IN = nn.initializers.lecun_normal()


@dataclasses.dataclass(frozen=True)
class ItemDecoderConfig:
  """Sizes of `ItemDecoder`.

  Attributes:
    num_items: N.
    codes: K of each level.
    width: of the residual stream.
    num_layers: blocks over the items of a history.
    num_heads: of their attention.
    mlp_width: of their hidden layers.
    head_width: of the hidden layer of each level's head.
    text_width: of the items' text vectors, 0 where text is not read.
    item_ids: whether each item has an embedding of its own.
    dropout: share of the embeddings and states that training sets to zero.
    dtype: of the matrix products, 'float32' or 'bfloat16'.
  """

  num_items: int
  codes: tuple[int, ...]
  width: int = 128
  num_layers: int = 2
  num_heads: int = 4
  mlp_width: int = 384
  head_width: int = 256
  text_width: int = 0
  item_ids: bool = True
  dropout: float = 0.0
  dtype: str = 'float32'

  def __post_init__(self):
    if not self.codes or min(self.codes) < 1:
      raise UserError(
        f'codes is {self.codes}; give how many codes each level has.'
      )
    if self.head_width < 1:
      raise UserError(
        f'head_width is {self.head_width}; it must be at least 1.'
      )
    if not 0 <= self.dropout < 1:
      raise UserError(f'dropout is {self.dropout}; it must lie in [0, 1).')
    _ = self.embedding, self.blocks

  @property
  def embedding(self) -> ItemEmbeddingConfig:
    """Returns what is read of an item."""
    return ItemEmbeddingConfig(
      num_items=self.num_items,
      width=self.width,
      codes=self.codes,
      text_width=self.text_width,
      item_ids=self.item_ids,
    )

  @property
  def blocks(self) -> DecoderConfig:
    """Returns the sizes of the blocks."""
    return DecoderConfig(
      vocab_size=1,
      num_layers=self.num_layers,
      width=self.width,
      num_heads=self.num_heads,
      num_kv_heads=self.num_heads,
      mlp_width=self.mlp_width,
      dtype=self.dtype,
      stacked=False,
    )


class ItemDecoder(nn.Module):
  """Items of a history to a state; the state and codes to the next code.

  An item is one position, not one of each code: the trunk runs over a third of
  the tokens, and beams need no cache but the state and the codes so far.

    h = trunk(sum of code embeddings + text + own embedding)
    z_l = h + f_l(h, e(c_1) + ... + e(c_l)),  log p(c_{l+1}) = softmax(z_l E_l)

  Attributes:
    config: see `ItemDecoderConfig`.
  """

  config: ItemDecoderConfig

  def setup(self):
    c = self.config
    self.embedding = ItemEmbedding(c.embedding)
    self.blocks = [Block(c.blocks) for _ in range(c.num_layers)]
    self.input_norm = layers.RMSNorm(c.blocks.norm_epsilon)
    self.final_norm = layers.RMSNorm(c.blocks.norm_epsilon)
    self.drop = nn.Dropout(c.dropout)
    self.so_far = [
      self.param(f'so_far_{level}', _NORMAL, (count, c.width))
      for level, count in enumerate(c.codes[:-1])
    ]
    self.heads = [
      CodeHead(count, c.head_width, jnp.dtype(c.dtype)) for count in c.codes
    ]

  def __call__(
    self,
    item_bs: jax.Array,
    position_bs: jax.Array,
    segment_bs: jax.Array,
    train: bool = False,
  ) -> jax.Array:
    """Returns the states behind the items, float32 `[b, s, d]`.

    Args:
      item_bs: int32 numbers of items.
      position_bs: int32, position of each item in its own history.
      segment_bs: int32, which history of the row it belongs to, 0 for padding.
      train: whether dropout is on; then the rng 'dropout' is needed.
    """
    x_bsd = self.input_norm(self.embedding(item_bs))
    x_bsd = sharding.constrain_rows(self.drop(x_bsd, deterministic=not train))
    x_bsd = x_bsd.astype(jnp.dtype(self.config.dtype))
    layout = Layout(position_bs, segment_bs)
    for block in self.blocks:
      x_bsd, _ = block(x_bsd, layout, None)
    x_bsd = self.final_norm(x_bsd).astype(jnp.float32)
    x_bsd = self.drop(x_bsd, deterministic=not train)
    if self.is_initializing():  # Of all heads.
      none_bjl = jnp.zeros((len(item_bs), 1, len(self.heads)), jnp.int32)
      self.levels(x_bsd[:, 0], none_bjl)
    return x_bsd

  def logits(self, state: jax.Array, code_l: jax.Array) -> jax.Array:
    """Returns float32 logits `[..., K]` of the level behind some codes.

    Args:
      state: float32 `[..., d]`.
      code_l: int32 `[..., l]`, the codes before; l says which level.
    """
    level = code_l.shape[-1]
    before = jnp.zeros_like(state)
    for at in range(level):
      before += self.so_far[at][code_l[..., at]]
    return self.heads[level](state, before)

  def levels(
    self, state_bd: jax.Array, code_bjl: jax.Array
  ) -> tuple[jax.Array, ...]:
    """Returns the logits along whole sequences, float32 `[b, j, K]` a level.

    Args:
      state_bd: float32.
      code_bjl: int32, j sequences of each row.
    """
    b, j, levels = code_bjl.shape
    out = []
    for level in range(levels):
      # Nothing is before level 0: one row of logits for all sequences.
      state = state_bd[:, None]
      if level:
        state = jnp.broadcast_to(state, (b, j, state_bd.shape[-1]))
      logits = self.logits(state, code_bjl[:, : state.shape[1], :level])
      out.append(jnp.broadcast_to(logits, (b, j, logits.shape[-1])))
    return tuple(out)


class CodeHead(nn.Module):
  """State and codes so far to the logits of a level.

  Attributes:
    codes: K.
    hidden: width of its hidden layer.
    dtype: of the matrix products.
  """

  codes: int
  hidden: int
  dtype: Any

  @nn.compact
  def __call__(self, state: jax.Array, before: jax.Array) -> jax.Array:
    """Returns float32 logits `[..., K]`."""
    width = state.shape[-1]
    both = jnp.concatenate([state, before], -1)
    inner = layers.Dense(self.hidden, _IN, self.dtype, name='inner')(both)
    z = state + before
    z += layers.Dense(width, _IN, self.dtype, name='outer')(nn.gelu(inner))
    z = layers.RMSNorm(1e-6, name='norm')(z)
    out = layers.Dense(self.codes, _IN, self.dtype, use_bias=True, name='out')
    return out(z).astype(jnp.float32)
