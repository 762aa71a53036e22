"""SASRec and HSTU: all items scored at once."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax.modules.sasrec import SequenceModel, SequenceModelConfig
from taiji_jax.recommender import base
from taiji_jax.recommender.base import Base


class SequenceRecommender(Base):
  """SASRec or HSTU: all items scored at once.

  Attributes:
    network: the `SequenceModel`.
    mesh: where it lies.
    items: N, how many items the model knows.
  """

  def __init__(
    self,
    config: SequenceModelConfig,
    text_nd: np.ndarray | None = None,
    mesh: Mesh | None = None,
  ):
    """Makes the functions; no parameters yet.

    Args:
      config: sizes of the network.
      text_nd, mesh: as for `Generator`.
    """
    constants = base.given(config, text_nd)
    super().__init__(SequenceModel(config), constants, mesh, config.num_items)

  def loss(
    self, params: Any, batch: dict, key: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (sum of the rows' cross entropies, rows that count).

    Args:
      params, batch, key: as for `Generator.loss`.
    """
    variables = self.variables(params)
    train = self.network.config.dropout > 0
    state_bd = base.state_of(self.network, variables, batch, train, key)
    logits_bn = self.network.apply(variables, state_bd, method='logits')
    logp_bn = jax.nn.log_softmax(logits_bn)
    logp_bj = jnp.take_along_axis(logp_bn, batch['label_bj'], 1)
    return base.cross_entropy(logp_bj, batch['weight_bj'])

  def _best(self, params: Any, trie: Any, batch: dict, only: dict, count: int):
    del trie
    variables = self.variables(params)
    state_bd = base.state_of(self.network, variables, batch, False, None)
    logits_bn = self.network.apply(variables, state_bd, method='logits')
    logits_bn = _masked(logits_bn, **only)
    most = min(count, logits_bn.shape[1])
    score_bk, item_bk = jax.lax.top_k(logits_bn, most)
    item_bk = jnp.where(jnp.isneginf(score_bk), -1, item_bk)
    lack = ((0, 0), (0, count - most))
    return (
      jnp.pad(item_bk, lack, constant_values=-1),
      jnp.pad(score_bk, lack, constant_values=-jnp.inf),
    )


def _masked(
  logits_bn: jax.Array,
  excluded_bx: jax.Array | None = None,
  allowed_bn: jax.Array | None = None,
) -> jax.Array:
  """Returns logits, -inf where a row must not get the item."""
  if allowed_bn is not None:
    logits_bn = jnp.where(allowed_bn, logits_bn, -jnp.inf)
  if excluded_bx is not None:
    b, n = logits_bn.shape
    at_bx = jnp.where(excluded_bx < 0, n, excluded_bx)
    row_b1 = jnp.arange(b)[:, None]
    logits_bn = logits_bn.at[row_b1, at_bx].set(-jnp.inf, mode='drop')
  return logits_bn
