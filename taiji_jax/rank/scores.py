"""The frozen tower's probabilities: of exposures, and of a whole catalogue."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.modules import id_tower
from taiji_jax.rank import batches, tower_step

# (user [b], history [b, s]) -> CTCVR [b, n]
ScoreFn = Callable[[np.ndarray, np.ndarray], jax.Array]


def make_score_fn(
  config: id_tower.IdTowerConfig,
  params: chex.ArrayTree,
  profile_uf: np.ndarray,
  item_category_nl: np.ndarray,
) -> ScoreFn:
  """Returns a jitted `(user_b, history_bs) -> CTCVR [b, n]` of all items.

  Args:
    config: the tower's sizes.
    params: its trained parameters.
    profile_uf: int32, the profile codes of every user.
    item_category_nl: int32, the category codes of every item.
  """
  tower = id_tower.IdTower(config)

  @jax.jit
  def ctcvr(
    params: chex.ArrayTree, profile_bf: jax.Array, history_bs: jax.Array
  ) -> jax.Array:
    logits = tower.apply(
      {'params': params},
      profile_bf,
      history_bs,
      item_category_nl,
      method='score_all',
    )
    return jnp.exp(tower_step.log_ctcvr(*logits)[0])

  return lambda user_b, history_bs: ctcvr(
    params, profile_uf[user_b], history_bs
  )


def exposure_probabilities(
  config: id_tower.IdTowerConfig,
  params: chex.ArrayTree,
  exposures: Exposures,
  profile_uf: np.ndarray,
  item_category_nl: np.ndarray,
  chunk: int = 8192,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns (pCTR, pCVR) of every exposure, float32 `[X]` each.

  Args:
    config: the tower's sizes.
    params: its trained parameters.
    exposures: X of them.
    profile_uf: int32, the profile codes of every user.
    item_category_nl: int32, the category codes of every item.
    chunk: exposures scored at once; the last chunk is filled up with repeats,
      so that there is one trace.
  """
  tower = id_tower.IdTower(config)

  @jax.jit
  def pair(params: chex.ArrayTree, batch: tower_step.Batch) -> jax.Array:
    logits = tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      batch['item_b'],
      item_category_nl,
    )
    return jax.nn.sigmoid(jnp.stack(logits))

  count = len(exposures.user_x)
  p_kx = np.empty((2, count), np.float32)
  for start in range(0, count, chunk):
    index_b = np.arange(start, start + chunk) % count
    scored = pair(params, batches.examples(exposures, profile_uf, index_b))
    p_kx[:, start : start + chunk] = scored[:, : count - start]
  return p_kx[0], p_kx[1]
