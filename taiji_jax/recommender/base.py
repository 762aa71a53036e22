"""What all recommenders share."""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules.item_embedding import CONSTANTS
from taiji_jax.recommender import asked
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
    items: N, how many items the model knows: 0 to N - 1.
    placed: the trie of the catalogue on the mesh, which programs are handed;
      None for a model without one.
  """

  placed = None

  def __init__(
    self, network: Any, constants: dict, mesh: Mesh | None, items: int
  ):
    self.mesh = MeshConfig().make() if mesh is None else mesh
    self.network, self._constants = network, constants
    self.items = items
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
    self,
    params: Any,
    history_rs: np.ndarray,
    length_r: np.ndarray,
    count: int,
    *,
    excluded_rx: np.ndarray | None = None,
    allowed_n: np.ndarray | None = None,
  ) -> Lists:
    """Returns the best items of each row.

    Args:
      params: the parameters.
      history_rs: int `[R, S]`, items that the model knows, oldest first; what
        pads it on the right may be anything.
      length_r: int, items of each history, 1 to S.
      count: items a row, at least 1.
      excluded_rx: int32 `[R, X]`, items that a row must not get, such as those
        it has seen, in any order; -1 for none.
      allowed_n: bool `[N]`, the items that any row may get, or `[R, N]`.

    Raises:
      UserError: what is asked is of another shape, type or range; it says
        which row.
    """
    if count < 1:
      raise UserError(f'count is {count}; give at least one item a row.')
    history_rs, length_r = asked.histories(history_rs, length_r, self.items)
    rows = len(length_r)
    if not rows:
      none_rk = np.zeros((0, count))
      return Lists(none_rk.astype(np.int32), none_rk.astype(np.float32))
    excluded_rx = asked.excluded(excluded_rx, rows, self._room)
    allowed_rn = asked.allowed(allowed_n, rows, self.items, self._room)
    whole = NamedSharding(self.mesh, P())
    found = self._compiled(count)
    items, scores = [], []
    for at in range(0, rows, self._rows):
      own = slice(at, at + self._rows)
      lack = self._rows - len(length_r[own])
      more = ((0, lack), (0, 0))
      batch = {
        'history_bs': np.pad(history_rs[own], more),
        'length_b': np.pad(length_r[own], (0, lack), constant_values=1),
      }
      only = {}
      if excluded_rx is not None:
        only['excluded_bx'] = np.pad(excluded_rx[own], more, constant_values=-1)
      if allowed_rn is not None and len(allowed_rn) == rows:
        only['allowed_bn'] = np.pad(allowed_rn[own], more)
      batch, only = sharding.place_batch((batch, only), self.mesh)
      if allowed_rn is not None and len(allowed_rn) < rows:
        only['allowed_bn'] = jax.device_put(allowed_rn, whole)
      item_bk, score_bk = found(params, self.placed, batch, only)
      items.append(np.asarray(item_bk)[: self._rows - lack])
      scores.append(np.asarray(score_bk)[: self._rows - lack])
    return Lists(np.concatenate(items), np.concatenate(scores))

  @property
  def _room(self) -> int:
    """Returns one more than the largest number of an item in a filter."""
    return self.items

  def _compiled(self, count: int) -> Callable:
    """Returns the program of lists of a length, whatever the catalogue is."""
    if count not in self._found:
      best = functools.partial(self._best, count=count)
      self._found[count] = jax.jit(sharding.on(best, self.mesh))
    return self._found[count]

  def _best(self, params: Any, trie: Any, batch: dict, only: dict, count: int):
    """Returns (items, scores) of a batch; see `lists`.

    Args:
      params: the parameters.
      trie: `placed`; None for a model without one.
      batch: with `history_bs` and `length_b`.
      only: `excluded_bx` and `allowed_bn`, where given; see `item_filter.of`.
      count: items a row.
    """
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
