"""What a network over items reads of an item: codes, text, its number."""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.modules import layers

CONSTANTS = 'constants'
"""The collection of what is given and not trained."""
_NORMAL = nn.initializers.normal(0.02)


@dataclasses.dataclass(frozen=True)
class ItemEmbeddingConfig:
  """Which parts an item's embedding is the sum of.

  Attributes:
    num_items: N.
    width: of the embedding.
    codes: K of each level, empty where codes are not read.
    text_width: of the text vectors, 0 where text is not read.
    item_ids: whether each item has an embedding of its own, which says nothing
      of an item that training has not seen.
  """

  num_items: int
  width: int
  codes: tuple[int, ...] = ()
  text_width: int = 0
  item_ids: bool = True

  def __post_init__(self):
    for name in ('num_items', 'width'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.text_width < 0:
      raise UserError(f'text_width is {self.text_width}; give 0 or more.')
    if not (self.codes or self.text_width or self.item_ids):
      raise UserError(
        'an item is read by nothing; set codes, text_width or item_ids.'
      )


class ItemEmbedding(nn.Module):
  """The sum of an item's code embeddings, projected text and own embedding.

  Given arrays are the collection `CONSTANTS`: `code_nl`, int32 `[N, L]`, and
  `text_nd`, float32 `[N, text_width]`; see `constants`.

  Attributes:
    config: see `ItemEmbeddingConfig`.
  """

  config: ItemEmbeddingConfig

  def setup(self):
    c = self.config
    self.code_embeddings = [
      self.param(f'code_embedding_{level}', _NORMAL, (count, c.width))
      for level, count in enumerate(c.codes)
    ]
    if c.codes:
      self.code_nl = self.variable(
        CONSTANTS,
        'code_nl',
        lambda: jnp.zeros((c.num_items, len(c.codes)), jnp.int32),
      )
    if c.text_width:
      self.text_nd = self.variable(
        CONSTANTS,
        'text_nd',
        lambda: jnp.zeros((c.num_items, c.text_width), jnp.float32),
      )
      self.text = layers.Dense(
        c.width, nn.initializers.lecun_normal(), jnp.dtype(jnp.float32)
      )
    if c.item_ids:
      self.own = self.param('own', _NORMAL, (c.num_items, c.width))

  def __call__(self, item: jax.Array) -> jax.Array:
    """Returns float32 embeddings `[..., d]`.

    Args:
      item: int32 `[...]`, numbers of items.
    """
    parts = []
    for level, table_kd in enumerate(self.code_embeddings):
      parts.append(table_kd[self.code_nl.value[item, level]])
    if self.config.text_width:
      parts.append(self.text(self.text_nd.value[item]))
    if self.config.item_ids:
      parts.append(self.own[item])
    return sum(parts[1:], parts[0])

  def table(self) -> jax.Array:
    """Returns the embeddings of all items, float32 `[N, d]`."""
    return self(jnp.arange(self.config.num_items))
