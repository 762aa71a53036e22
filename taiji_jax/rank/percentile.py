"""Where a score stands among all scores of its row: r_id."""

import jax
import jax.numpy as jnp


@jax.jit
def of_all(score_bn: jax.Array) -> jax.Array:
  """Returns the percentile of every score within its row, `[b, n]` in [0, 1].

  (scores strictly below + half of the other scores that tie) / (n - 1), so the
  highest has 1, the lowest 0, and a row's mean is 1/2; 1/2 where n is 1. It
  depends on the row alone, and on nothing but the order of its scores.

  Args:
    score_bn: float, any scale; -inf is lowest and ties with itself.

  Returns:
    float32; what a NaN has means nothing.
  """
  sorted_bn = jnp.sort(score_bn, axis=-1)

  def place(sorted_n: jax.Array, score_n: jax.Array) -> jax.Array:
    below_n = jnp.searchsorted(sorted_n, score_n, side='left')
    upto_n = jnp.searchsorted(sorted_n, score_n, side='right')
    return below_n + upto_n - 1

  return _scaled(jax.vmap(place)(sorted_bn, score_bn), score_bn.shape[-1])


@jax.jit
def of_items(score_bn: jax.Array, item_bm: jax.Array) -> jax.Array:
  """Returns what `of_all` has at some items, `[b, m]`, without a sort.

  Args:
    score_bn: as in `of_all`.
    item_bm: int, positions from 0 to n - 1.
  """
  score_bm = jnp.take_along_axis(score_bn, item_bm, axis=-1)

  def place(score_b: jax.Array) -> jax.Array:
    below_b = (score_bn < score_b[:, None]).sum(-1)
    upto_b = (score_bn <= score_b[:, None]).sum(-1)
    return below_b + upto_b - 1

  place_mb = jax.lax.map(place, score_bm.T)
  return _scaled(place_mb.T, score_bn.shape[-1])


def _scaled(place: jax.Array, n: int) -> jax.Array:
  """Returns places (twice those strictly below, plus ties) as shares."""
  if n == 1:
    return jnp.full(place.shape, 0.5, jnp.float32)
  return place.astype(jnp.float32) / jnp.float32(2 * (n - 1))
