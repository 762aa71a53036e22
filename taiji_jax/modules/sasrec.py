"""SASRec: a decoder over items, scored against the embeddings of all items."""

import dataclasses

from flax import linen as nn
import jax

from taiji_jax.errors import UserError
from taiji_jax.modules import layers
from taiji_jax.modules.block import Block, Layout
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.hstu import HSTUBlock
from taiji_jax.modules.item_embedding import ItemEmbedding, ItemEmbeddingConfig

FORMS = ('sasrec', 'hstu')


@dataclasses.dataclass(frozen=True)
class SequenceModelConfig:
  """Sizes of `SequenceModel`.

  Attributes:
    num_items: N.
    form: 'sasrec' (attention blocks, arXiv:1808.09781) or 'hstu'
      (arXiv:2402.17152).
    width, num_layers, num_heads, mlp_width, text_width, item_ids, dropout: as
      in `ItemDecoderConfig`; `mlp_width` of 'sasrec' alone.
  """

  num_items: int
  form: str = 'sasrec'
  width: int = 64
  num_layers: int = 2
  num_heads: int = 2
  mlp_width: int = 128
  text_width: int = 0
  item_ids: bool = True
  dropout: float = 0.2

  def __post_init__(self):
    if self.form not in FORMS:
      raise UserError(
        f'form is {self.form!r}; choose one of {", ".join(FORMS)}.'
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
      stacked=False,
    )


class SequenceModel(nn.Module):
  """A history to logits of all items.

  `Choice:` full softmax in the place of SASRec's sampled binary loss, the same
  embeddings at both ends, rotary positions, RMSNorm before each part.

  Attributes:
    config: see `SequenceModelConfig`.
  """

  config: SequenceModelConfig

  def setup(self):
    c = self.config
    self.embedding = ItemEmbedding(c.embedding)
    if c.form == 'sasrec':
      self.blocks = [Block(c.blocks) for _ in range(c.num_layers)]
    else:
      self.blocks = [
        HSTUBlock(c.width, c.num_heads) for _ in range(c.num_layers)
      ]
    self.input_norm = layers.RMSNorm(1e-6)
    self.final_norm = layers.RMSNorm(1e-6)
    self.drop = nn.Dropout(c.dropout)
    self.bias = self.param('bias', nn.initializers.zeros, (c.num_items,))

  def __call__(
    self,
    item_bs: jax.Array,
    position_bs: jax.Array,
    segment_bs: jax.Array,
    train: bool = False,
  ) -> jax.Array:
    """Returns the states behind the items, float32 `[b, s, d]`.

    Args:
      item_bs, position_bs, segment_bs, train: as for `ItemDecoder`.
    """
    x_bsd = self.input_norm(self.embedding(item_bs))
    x_bsd = self.drop(x_bsd, deterministic=not train)
    layout = Layout(position_bs, segment_bs)
    for block in self.blocks:
      x_bsd, _ = block(x_bsd, layout, None)
    return self.drop(self.final_norm(x_bsd), deterministic=not train)

  def logits(self, state: jax.Array) -> jax.Array:
    """Returns float32 logits `[..., N]` of the next item.

    Args:
      state: `[..., d]`, of the call above.
    """
    table_nd = self.embedding.table()
    scale = table_nd.shape[1] ** -0.5
    return (state @ table_nd.T) * scale + self.bias
