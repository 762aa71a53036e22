"""A re-ranker: which of the items that a generator lists is taken next."""

import dataclasses
import functools
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax.errors import UserError
from taiji_jax.modules.listwise import Listwise
from taiji_jax.modules.weights import tree


@dataclasses.dataclass(frozen=True)
class RerankConfig:
  """Sizes and training of a `Reranker`.

  Attributes:
    hidden: widths of the hidden layers.
    epochs: passes over the rows.
    batch: rows of an update.
    lr: Adam's peak rate, which falls to zero as a cosine.
    weight_decay: of AdamW.
    models: so many networks, begun with other seeds, whose mean score counts.
  """

  hidden: tuple[int, ...] = (64, 32)
  epochs: int = 5
  batch: int = 256
  lr: float = 3e-3
  weight_decay: float = 1e-2
  models: int = 1

  def __post_init__(self):
    for name in ('epochs', 'batch', 'models'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if not self.lr > 0:
      raise UserError(f'lr is {self.lr}; it must be above 0.')
    if not self.weight_decay >= 0:
      raise UserError(f'weight_decay is {self.weight_decay}; give 0 or more.')


@dataclasses.dataclass(frozen=True)
class Reranker:
  """A trained re-ranker.

  Attributes:
    params: of each of the networks, stacked.
    mean_f, scale_f: float32, what features are shifted and divided by.
    config: its sizes.
  """

  params: Any
  mean_f: np.ndarray
  scale_f: np.ndarray
  config: RerankConfig

  def scores(self, feature_bkf: np.ndarray, there_bk: np.ndarray) -> np.ndarray:
    """Returns float32 scores `[b, k]`, -inf where there is no item.

    Args:
      feature_bkf: float, as those that it was trained on.
      there_bk: bool, which items there are.

    Raises:
      UserError: another number of features, one of an item that is no finite
        number, or arrays that do not fit each other.
    """
    feature_bkf = _checked(feature_bkf, there_bk)
    if feature_bkf.shape[-1] != len(self.mean_f):
      raise UserError(
        f'{feature_bkf.shape[-1]} features, the re-ranker was trained on'
        f' {len(self.mean_f)}; give the same.'
      )
    found = []
    for at in range(0, len(feature_bkf), _ROWS):
      own = slice(at, at + _ROWS)
      lack = _ROWS - len(there_bk[own])
      x = (feature_bkf[own] - self.mean_f) / self.scale_f
      x = np.pad(x.astype(np.float32), ((0, lack), (0, 0), (0, 0)))
      there = np.pad(there_bk[own], ((0, lack), (0, 0)))
      score_bk = _scores(self.params, x, there, self.config.hidden)
      found.append(np.asarray(score_bk)[: _ROWS - lack])
    if not found:
      return np.zeros(there_bk.shape, np.float32)
    return np.concatenate(found)

  def order(
    self, item_bk: np.ndarray, feature_bkf: np.ndarray, count: int
  ) -> np.ndarray:
    """Returns the best items of each row in order, int32 `[b, count]`.

    Args:
      item_bk: int, candidates, -1 for none.
      feature_bkf: of them.
      count: of each row; -1 fills what there is not.
    """
    score_bk = self.scores(feature_bkf, item_bk >= 0)
    order_bk = np.argsort(-score_bk, axis=1, kind='stable')[:, :count]
    best_bk = np.take_along_axis(item_bk, order_bk, 1)
    lack = max(count - item_bk.shape[1], 0)
    return np.pad(best_bk, ((0, 0), (0, lack)), constant_values=-1).astype(
      np.int32
    )

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes it into a safetensors file that `load` reads."""
    tree.save(
      pathlib.Path(path),
      {'params': self.params, 'mean': self.mean_f, 'scale': self.scale_f},
    )


_ROWS = 512


def load(
  path: str | os.PathLike[str], features: int, config: RerankConfig
) -> Reranker:
  """Returns a re-ranker out of a file.

  Args:
    path: the file.
    features: how many it reads.
    config: its sizes.
  """
  like = {
    'params': jax.eval_shape(lambda: _begin(0, features, config)),
    'mean': jax.ShapeDtypeStruct((features,), jnp.float32),
    'scale': jax.ShapeDtypeStruct((features,), jnp.float32),
  }
  found = tree.load(pathlib.Path(path), like)
  return Reranker(
    found['params'],
    np.asarray(found['mean']),
    np.asarray(found['scale']),
    config,
  )


def fit(
  feature_bkf: np.ndarray,
  there_bk: np.ndarray,
  place_b: np.ndarray,
  config: RerankConfig,
  seed: int = 0,
) -> Reranker:
  """Returns a re-ranker, trained in seconds.

  Softmax cross entropy over the items of a list, of rows whose list holds what
  came next (ListNet with one relevant item, doi:10.1145/1273496.1273513).

  Args:
    feature_bkf: float32, of k items of each row. What counts come from must not
      hold the row's own user.
    there_bk: bool, which items there are.
    place_b: int, where in its list the next item stands, -1 where it does not;
      such rows teach nothing and are left out.
    config: sizes and training.
    seed: of the start and of the order of the rows.

  Raises:
    UserError: no list holds its next item, a place is outside of its list or
      has no item, a feature of an item is no finite number, or arrays do not
      fit each other.
  """
  feature_bkf = _checked(feature_bkf, there_bk)
  place_b = _places(place_b, there_bk)
  known = np.flatnonzero(place_b >= 0)
  if not len(known):
    raise UserError(
      'no list holds the item that came next, so there is nothing to learn;'
      ' give more beams or a better generator.'
    )
  feature_bkf, there_bk = feature_bkf[known], there_bk[known]
  flat = feature_bkf[there_bk]
  mean_f = flat.mean(0).astype(np.float32)
  scale_f = np.maximum(flat.std(0), 1e-6).astype(np.float32)
  x = ((feature_bkf - mean_f) / scale_f).astype(np.float32)
  batch = min(config.batch, len(known))
  updates = config.epochs * max(len(known) // batch, 1)
  rng = np.random.default_rng(seed)
  order = np.concatenate(
    [rng.permutation(len(known)) for _ in range(config.epochs + 1)]
  )
  row_ub = order[: updates * batch].reshape(updates, batch)
  params = _trained(
    _begin(seed, x.shape[-1], config),
    (x, there_bk, place_b[known].astype(np.int32)),
    row_ub,
    config,
  )
  return Reranker(jax.device_get(params), mean_f, scale_f, config)


def _checked(feature_bkf: np.ndarray, there_bk: np.ndarray) -> np.ndarray:
  """Returns the features, finite where there is no item as well."""
  feature_bkf, there_bk = np.asarray(feature_bkf), np.asarray(there_bk)
  if feature_bkf.ndim != 3 or feature_bkf.shape[:2] != there_bk.shape:
    raise UserError(
      f'features have the shape {feature_bkf.shape}, there_bk'
      f' {there_bk.shape}; give [rows, items, features] and [rows, items].'
    )
  if there_bk.dtype != bool:
    raise UserError(
      f'there_bk is of the type {there_bk.dtype}; give a bool for each item.'
    )
  finite_bkf = np.isfinite(feature_bkf)
  if finite_bkf.all():
    return feature_bkf
  wrong_bkf = ~finite_bkf & there_bk[..., None]
  if wrong_bkf.any():
    row, item, feature = np.argwhere(wrong_bkf)[0]
    raise UserError(
      f'feature {feature} of item {item} in row {row} is'
      f' {feature_bkf[row, item, feature]}; give finite numbers.'
    )
  return np.where(finite_bkf, feature_bkf, 0.0)


def _places(place_b: np.ndarray, there_bk: np.ndarray) -> np.ndarray:
  """Returns where the next items stand, each in its list or -1."""
  place_b = np.asarray(place_b)
  rows, width = there_bk.shape
  if place_b.shape != (rows,) or place_b.dtype.kind not in 'iu':
    raise UserError(
      f'places have the shape {place_b.shape} and the type {place_b.dtype};'
      f' give a whole number for each of the {rows} rows.'
    )
  wrong_b = (place_b < -1) | (place_b >= width)
  if wrong_b.any():
    row = int(wrong_b.argmax())
    raise UserError(
      f'the place of row {row} is {place_b[row]}; give 0 to {width - 1}, or -1'
      ' where its list does not hold the next item.'
    )
  known = np.flatnonzero(place_b >= 0)
  empty = known[~there_bk[known, place_b[known]]]
  if len(empty):
    row = int(empty[0])
    raise UserError(
      f'the place of row {row} is {place_b[row]}, where its list has no item;'
      ' give the place of the next item, or -1.'
    )
  return place_b


def _begin(seed: int, features: int, config: RerankConfig) -> Any:
  """Returns the parameters of all networks, drawn at random."""
  network = Listwise(config.hidden)
  one = jnp.zeros((1, 2, features)), jnp.ones((1, 2), bool)
  keys = jax.random.split(jax.random.key(seed), config.models)
  return jax.vmap(lambda key: network.init(key, *one))(keys)


@functools.partial(jax.jit, static_argnames='hidden')
def _scores(params: Any, x, there, hidden: tuple[int, ...]) -> jax.Array:
  """Returns the mean over the networks."""
  network = Listwise(hidden)
  return jax.vmap(lambda own: network.apply(own, x, there))(params).mean(0)


@functools.partial(jax.jit, static_argnames='config')
def _trained(params: Any, data: tuple, row_ub, config: RerankConfig) -> Any:
  """Returns the parameters after all updates."""
  network = Listwise(config.hidden)
  tx = optax.adamw(
    optax.cosine_decay_schedule(config.lr, len(row_ub)),
    weight_decay=config.weight_decay,
  )

  def loss(own: Any, x, there, place) -> jax.Array:
    logp_bk = jax.nn.log_softmax(network.apply(own, x, there))
    return -jnp.take_along_axis(logp_bk, place[:, None], 1).mean()

  def update(carry: tuple, row_b: jax.Array) -> tuple[tuple, None]:
    params, state = carry
    batch = [part[row_b] for part in data]
    gradient = jax.vmap(jax.grad(loss), in_axes=(0, *[None] * 3))(
      params, *batch
    )
    moved, state = tx.update(gradient, state, params)
    return (optax.apply_updates(params, moved), state), None

  (params, _), _ = jax.lax.scan(update, (params, tx.init(params)), row_ub)
  return params
