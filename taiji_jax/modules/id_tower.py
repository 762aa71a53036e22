"""The ID tower: click and conversion of a user context and an item (ESMM)."""

import dataclasses

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError

HEADS = ('click', 'conversion')
_NORMAL = nn.initializers.normal(0.1)
_CONVERSION = {
  'user': nn.initializers.zeros,
  'item': nn.initializers.lecun_normal(),
}


@dataclasses.dataclass(frozen=True)
class IdTowerConfig:
  """Sizes of `IdTower`.

  Attributes:
    num_items: N, the size of the catalogue.
    profile_cardinalities: codes of each profile field, the unknown 0 counted.
    category_cardinalities: codes of each category level, the unknown 0 counted.
    width: of embeddings and of the vectors that the click head compares.
    conversion_width: of those that the conversion head compares.
    mlp_widths: hidden layers of both sides; may be empty.
    half_life: history positions after which the weight of the recency pool has
      halved.
    dtype: of the matrix products, 'float32' or 'bfloat16'; parameters and
      logits stay float32.
  """

  num_items: int
  profile_cardinalities: tuple[int, ...]
  category_cardinalities: tuple[int, ...]
  width: int = 32
  conversion_width: int = 4
  mlp_widths: tuple[int, ...] = (64,)
  half_life: float = 5.0
  dtype: str = 'float32'

  def __post_init__(self):
    for name in ('num_items', 'width', 'conversion_width'):
      if getattr(self, name) < 1:
        raise UserError(
          f'tower.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    for name in (
      'profile_cardinalities',
      'category_cardinalities',
      'mlp_widths',
    ):
      value = getattr(self, name)
      if not isinstance(value, tuple) or any(size < 1 for size in value):
        raise UserError(
          f'tower.{name} is {value!r}; make it a tuple of sizes of at least 1.'
        )
    if not self.half_life > 0:
      raise UserError(
        f'tower.half_life is {self.half_life}; it must be above 0.'
      )
    if self.dtype not in ('float32', 'bfloat16'):
      raise UserError(
        f"tower.dtype is {self.dtype!r}; choose 'float32' or 'bfloat16'."
      )


class IdTower(nn.Module):
  """Two towers and two heads over the entire exposure space.

  ESMM (arXiv:1804.07931): pCTCVR = pCTR x pCVR, both heads read the same
  embeddings. The user side reads the profile and the pooled history, never a
  user id, so that a user who was not in the training part is scored as well.
  Each head compares one user vector with one item vector and adds a bias of
  each: all N items are scored by one matrix product.

  `Choice:` the conversion head compares narrow vectors and begins with biases
  alone: which clicks convert is mostly a matter of the user and of the item,
  and a head as wide as that of clicks learns single events by heart.

  `Choice:` the paper's ranker is not described. The history is pooled twice, as
  the mean over all valid positions and with weights that halve every
  `half_life` positions; pooled is the sum of item and category embeddings. Its
  length is a feature, as log(1 + count).

  Attributes:
    config: the sizes.
  """

  config: IdTowerConfig

  def setup(self):
    c = self.config
    self.item_embedding = self.param(
      'item_embedding', _NORMAL, (c.num_items, c.width)
    )
    self.item_bias = self.param(
      'item_bias', nn.initializers.zeros, (c.num_items, len(HEADS))
    )
    self.category_embeddings = [
      self.param(f'category_embedding_{i}', _NORMAL, (size, c.width))
      for i, size in enumerate(c.category_cardinalities)
    ]
    self.profile_embeddings = [
      self.param(f'profile_embedding_{i}', _NORMAL, (size, c.width))
      for i, size in enumerate(c.profile_cardinalities)
    ]
    dtype = jnp.dtype(c.dtype)
    for side in ('user', 'item'):
      layers = [
        nn.Dense(width, dtype=dtype, name=f'{side}_mlp_{i}')
        for i, width in enumerate(c.mlp_widths)
      ]
      heads = [
        nn.Dense(size, dtype=dtype, kernel_init=init, name=f'{side}_{name}')
        for name, size, init in (
          ('click_head', c.width, nn.initializers.lecun_normal()),
          ('conversion_head', c.conversion_width, _CONVERSION[side]),
          ('bias_head', len(HEADS), nn.initializers.zeros),
        )
      ]
      setattr(self, f'{side}_layers', (layers, heads))

  def __call__(
    self,
    profile_bf: jax.Array,
    history_bs: jax.Array,
    item_b: jax.Array,
    item_category_nl: jax.Array,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the logits (click, conversion given click), float32 `[b]` each.

    Args:
      profile_bf: int32, codes of the profile, 0 where unknown.
      history_bs: int32, earlier items, most recent first, padded with -1.
      item_b: int32, the item that is scored.
      item_category_nl: int32, the category codes of every item.
    """
    table_nd = self._items(item_category_nl)
    *user, user_bias_bk = self._user(profile_bf, history_bs, table_nd)
    *item, item_bias_bk = self._side('item', table_nd[item_b])
    bias_bk = user_bias_bk + item_bias_bk + self.item_bias[item_b]
    click_b, conversion_b = (
      (user_bd * item_bd).sum(-1) + bias_b
      for user_bd, item_bd, bias_b in zip(user, item, bias_bk.T, strict=True)
    )
    return click_b, conversion_b

  def score_all(
    self,
    profile_bf: jax.Array,
    history_bs: jax.Array,
    item_category_nl: jax.Array,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns both logits of every item, float32 `[b, n]` each.

    Args:
      profile_bf, history_bs, item_category_nl: as in `__call__`.
    """
    item_n = jnp.arange(self.config.num_items)
    return self.score_items(profile_bf, history_bs, item_n, item_category_nl)

  def score_items(
    self,
    profile_bf: jax.Array,
    history_bs: jax.Array,
    item_m: jax.Array,
    item_category_nl: jax.Array,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns both logits of every context and every one of m items, `[b, m]`.

    Args:
      profile_bf, history_bs, item_category_nl: as in `__call__`.
      item_m: int32, the items, the same ones for all contexts.
    """
    table_nd = self._items(item_category_nl)
    *user, user_bias_bk = self._user(profile_bf, history_bs, table_nd)
    *item, item_bias_mk = self._side('item', table_nd[item_m])
    item_bias_mk = item_bias_mk + self.item_bias[item_m]
    click_bm, conversion_bm = (
      user_bd @ item_md.T + user_bias_bk[:, k, None] + item_bias_mk[:, k]
      for k, (user_bd, item_md) in enumerate(zip(user, item, strict=True))
    )
    return click_bm, conversion_bm

  def _items(self, item_category_nl: jax.Array) -> jax.Array:
    """Returns item plus category embeddings `[n, d]`."""
    table_nd = self.item_embedding
    for level, embedding in enumerate(self.category_embeddings):
      table_nd = table_nd + embedding[item_category_nl[:, level]]
    return table_nd

  def _user(
    self, profile_bf: jax.Array, history_bs: jax.Array, table_nd: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns what `_side` does of the users, `[b, ...]` each."""
    valid_bs = history_bs >= 0
    position_s = jnp.arange(history_bs.shape[-1], dtype=jnp.float32)
    recency_s = 0.5 ** (position_s / self.config.half_life)
    weight_pbs = valid_bs * jnp.stack(
        [jnp.ones_like(recency_s), recency_s]
    )[:, None, :]  # fmt: skip
    norm_pb1 = jnp.maximum(weight_pbs.sum(-1, keepdims=True), 1e-6)
    pooled_pbd = jnp.einsum(
      'pbs,bsd->pbd', weight_pbs / norm_pb1, table_nd[history_bs]
    )
    count_b1 = valid_bs.sum(-1, keepdims=True, dtype=jnp.float32)
    features = [
      *pooled_pbd,
      jnp.log1p(count_b1),
      *(
        embedding[profile_bf[:, i]]
        for i, embedding in enumerate(self.profile_embeddings)
      ),
    ]
    return self._side('user', jnp.concatenate(features, -1))

  def _side(
    self, side: str, x: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns both heads' vectors `[..., d]` and their biases `[..., k]`."""
    layers, heads = getattr(self, f'{side}_layers')
    for layer in layers:
      x = nn.relu(layer(x))
    click, conversion, bias = (head(x).astype(jnp.float32) for head in heads)
    return click, conversion, bias
