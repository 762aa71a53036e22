"""What all recommenders share."""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules.item_embedding import CONSTANTS
from taiji_jax.sharding import MeshConfig

NODE = 'recommender'
"""The parameters lie below it; see `sharding.rules`."""


@dataclasses.dataclass(frozen=True)
class Lists:
  """The best items of some rows, the best first.

  Attributes:
    item_rk: int32, -1 where there is none.
    score_rk: float32, log-probabilities or logits, -inf where there is none.
  """

  item_rk: np.ndarray
  score_rk: np.ndarray


class Recommender(Protocol):
  """A model over items."""

  mesh: Mesh

  def init(self, seed: int) -> Any:
    """Returns parameters drawn at random, on the mesh."""
    ...

  def loss(
    self, params: Any, batch: dict, key: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (sum of the rows' cross entropies, rows that count)."""
    ...

  def lists(
    self, params: Any, history_rs: np.ndarray, length_r: np.ndarray, count: int
  ) -> Lists:
    """Returns the best items of each row."""
    ...


class Base:
  """What all kinds share: parameters, batches of rows, compiled once.

  Attributes:
    network: of `modules`.
    mesh: where it lies.
  """

  def __init__(self, network: Any, constants: dict, mesh: Mesh | None):
    self.mesh = MeshConfig().make() if mesh is None else mesh
    self.network, self._constants = network, constants
    self._rows = 256
    self._found: dict[int, Callable] = {}

  def init(self, seed: int) -> Any:
    """Returns parameters drawn at random, on the mesh.

    Args:
      seed: of the draw.
    """

    def make() -> Any:
      one = jnp.zeros((1, 2), jnp.int32)
      variables = self.network.init(jax.random.key(seed), one, one, one + 1)
      return {NODE: self._begun_at(variables['params'])}

    return sharding.jit_init(make, self.mesh)

  def _begun_at(self, drawn: dict) -> dict:
    """Returns the parameters that training begins with.

    Args:
      drawn: those drawn at random.
    """
    return drawn

  def variables(self, params: Any) -> Any:
    """Returns the network's variables: parameters and given arrays.

    Args:
      params: as `init` returns them.
    """
    return {'params': params[NODE], CONSTANTS: self._constants}

  def lists(
    self, params: Any, history_rs: np.ndarray, length_r: np.ndarray, count: int
  ) -> Lists:
    """Returns the best items of each row.

    Args:
      params: the parameters.
      history_rs, length_r: see `sft.rows.LabelledRows`.
      count: items a row.
    """
    found = self._compiled(count)
    items, scores = [], []
    for at in range(0, len(history_rs), self._rows):
      own = slice(at, at + self._rows)
      lack = self._rows - len(length_r[own])
      batch = {
        'history_bs': np.pad(history_rs[own], ((0, lack), (0, 0))),
        'length_b': np.pad(length_r[own], (0, lack), constant_values=1),
      }
      batch = sharding.place_batch(batch, self.mesh)
      item_bk, score_bk = found(params, batch)
      items.append(np.asarray(item_bk)[: self._rows - lack])
      scores.append(np.asarray(score_bk)[: self._rows - lack])
    return Lists(np.concatenate(items), np.concatenate(scores))

  def _compiled(self, count: int) -> Callable:
    if count not in self._found:
      best = functools.partial(self._best, count=count)
      self._found[count] = jax.jit(sharding.on(best, self.mesh))
    return self._found[count]

  def _best(self, params: Any, batch: dict, count: int):
    raise NotImplementedError


def state_of(
  network: Any, variables: Any, batch: dict, train: bool, key: jax.Array | None
) -> jax.Array:
  """Returns the states behind the last items of histories, float32 `[b, d]`.

  Args:
    network: an `ItemDecoder` or a `SequenceModel`.
    variables: its variables.
    batch: with `history_bs` and `length_b`; see `sft.rows`.
    train: whether dropout is on.
    key: of dropout; None where it is off.
  """
  history_bs, length_b = batch['history_bs'], batch['length_b']
  at_s = jnp.arange(history_bs.shape[1], dtype=jnp.int32)
  segment_bs = (at_s < length_b[:, None]).astype(jnp.int32)
  position_bs = jnp.broadcast_to(at_s, history_bs.shape)
  state_bsd = network.apply(
    variables,
    history_bs,
    position_bs,
    segment_bs,
    train,
    rngs={'dropout': key} if train else None,
  )
  last_b11 = (length_b - 1)[:, None, None]
  return jnp.take_along_axis(state_bsd, last_b11, 1)[:, 0]


def given(config: Any, text_nd: np.ndarray | None) -> dict:
  """Returns the given arrays of a network, the codes left out.

  Args:
    config: of the network.
    text_nd: float, the items' text vectors, or None.

  Raises:
    UserError: text vectors of another shape than the config's, or none.
  """
  if not config.text_width:
    return {'embedding': {}}
  want = (config.num_items, config.text_width)
  if text_nd is None or text_nd.shape != want:
    shape = None if text_nd is None else text_nd.shape
    raise UserError(
      f'text vectors have the shape {shape}, the model reads {want}; give those'
      ' that it was trained with, or text_width=0.'
    )
  return {'embedding': {'text_nd': jnp.asarray(text_nd, jnp.float32)}}


def cross_entropy(
  logp_bj: jax.Array, weight_bj: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns (sum over rows of -sum_j w_j log p_j, rows that count).

  Args:
    logp_bj: float32, log-probabilities of the labels.
    weight_bj: float32, their weights.
  """
  # A label of weight 0 may be impossible.
  term_bj = jnp.where(weight_bj > 0, weight_bj * logp_bj, 0.0)
  return -term_bj.sum(), (weight_bj.sum(1) > 0).sum().astype(jnp.float32)
