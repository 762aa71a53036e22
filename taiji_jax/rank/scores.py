"""What a frozen tower says of exposures, and of a whole catalogue."""

from collections.abc import Callable, Iterator
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.rank import batches, tower_step
from taiji_jax.rank.network import Network

# (user [b], history [b, s]) -> scores of all items [b, n]
ScoreFn = Callable[[np.ndarray, np.ndarray], jax.Array]
# (parameters, profile [b, f], history [b, s]) -> scores of all items [b, n]
TowerFn = Callable[[Any, jax.Array, jax.Array], jax.Array]

_NUMBERS = 1 << 22
# Below any score, and above that of what can't come.
_LOWEST = -1e30


def reward_fn(
  network: Network, params: Any, consumed_once: bool, popularity: bool = True
) -> ScoreFn:
  """Returns a jitted `(user_b, history_bs) -> score [b, n]` of all items.

  click logit - log(1 + clicks of the item), plus log pCVR where the events
  tell conversions: how much likelier the item is in this context than in any.
  Only the order of a row's scores means something.

  `Choice:` where items are consumed once (nobody rates a film twice), an item
  of the row's history has -inf. The log holds no example of one, so the tower
  knows no better than that it is like what the user chose.

  `Choice:` an item without a click is below all that have one. Nothing moved
  its logit and no popularity is taken off: it would come first for everybody.

  Args:
    network: the reward tower's.
    params: its trained parameters.
    consumed_once: whether items of the history have -inf.
    popularity: whether log(1 + clicks) and log pCVR count; without, the score
      is the click logit.
  """
  function = _rewarding(network, consumed_once, popularity)
  return functools.partial(_of_users, function, network, params)


def ctcvr_fn(network: Network, params: Any) -> ScoreFn:
  """Returns a jitted `(user_b, history_bs) -> CTCVR [b, n]` of all items.

  Args:
    network: the judge's.
    params: its trained parameters.
  """

  return functools.partial(_of_users, _judging(network), network, params)


def chunks(count: int, num_items: int, most: int = 256) -> Iterator[np.ndarray]:
  """Yields the positions 0..count - 1 in chunks of one length.

  The last chunk is filled up with repeats, so that there is one trace. A chunk
  of scores holds a bounded number of values, however large the catalogue.

  Args:
    count: positions.
    num_items: N.
    most: the most positions of a chunk.
  """
  size = min(most, max(_NUMBERS // num_items, 1))
  for start in range(0, count, size):
    yield np.arange(start, start + size) % count


def exposure_probabilities(
  network: Network, params: Any, exposures: Exposures, chunk: int = 8192
) -> tuple[np.ndarray, np.ndarray]:
  """Returns (pCTR, pCVR) of every exposure, float32 `[X]` each.

  Args:
    network: a tower's.
    params: its trained parameters.
    exposures: X of them.
    chunk: exposures scored at once; the last chunk is filled up with repeats,
      so that there is one trace.
  """

  @jax.jit
  def pair(params: Any, batch: tower_step.Batch) -> jax.Array:
    logits = network.tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      batch['item_b'],
      network.category_nl,
    )
    return jax.nn.sigmoid(jnp.stack(logits))

  count = len(exposures)
  p_kx = np.empty((2, count), np.float32)
  for start in range(0, count, chunk):
    index_b = np.arange(start, start + chunk) % count
    scored = pair(
      params, batches.examples(exposures, network.profile_uf, index_b)
    )
    p_kx[:, start : start + chunk] = scored[:, : count - start]
  return p_kx[0], p_kx[1]


# Kept, so that asking one tower about other rows compiles nothing anew.
@functools.lru_cache(maxsize=4)
def _rewarding(
  network: Network, consumed_once: bool, popularity: bool
) -> TowerFn:
  click_n = network.counts.click_n
  less_n = jnp.log1p(jnp.asarray(click_n, jnp.float32))
  unseen_n = jnp.asarray(click_n == 0)
  converts = network.counts.tells_conversions

  @jax.jit
  def score(
    params: Any, profile_bf: jax.Array, history_bs: jax.Array
  ) -> jax.Array:
    score_bn, conversion_bn = _both(network, params, profile_bf, history_bs)
    if popularity:
      score_bn = score_bn - less_n
      if converts:
        score_bn += jax.nn.log_sigmoid(conversion_bn)
    score_bn = jnp.where(unseen_n, _LOWEST, score_bn)
    if not consumed_once:
      return score_bn
    return jnp.where(_read(history_bs, score_bn), -jnp.inf, score_bn)

  return score


@functools.lru_cache(maxsize=4)
def _judging(network: Network) -> TowerFn:
  @jax.jit
  def ctcvr(
    params: Any, profile_bf: jax.Array, history_bs: jax.Array
  ) -> jax.Array:
    logits = _both(network, params, profile_bf, history_bs)
    return jnp.exp(tower_step.log_ctcvr(*logits)[0])

  return ctcvr


def _both(
  network: Network, params: Any, profile_bf: jax.Array, history_bs: jax.Array
) -> tuple[jax.Array, jax.Array]:
  return network.tower.apply(
    {'params': params},
    profile_bf,
    history_bs,
    network.category_nl,
    method='score_all',
  )


def _read(history_bs: jax.Array, score_bn: jax.Array) -> jax.Array:
  """Returns bool `[b, n]`, the items of the histories."""
  row_b1 = jnp.arange(len(history_bs))[:, None]
  # A pad goes beyond the last item, and so nowhere.
  item_bs = jnp.where(history_bs >= 0, history_bs, score_bn.shape[-1])
  read_bn = jnp.zeros(score_bn.shape, bool)
  return read_bn.at[row_b1, item_bs].set(True, mode='drop')


def _of_users(
  function: TowerFn,
  network: Network,
  params: Any,
  user_b: np.ndarray,
  history_bs: np.ndarray,
) -> jax.Array:
  return function(params, network.profile_uf[user_b], history_bs)
