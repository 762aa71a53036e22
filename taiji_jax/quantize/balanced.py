"""Clusters of equal size: prices by Sinkhorn, then bids for the room left."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from taiji_jax.quantize import chunks, kmeans
from taiji_jax.quantize.kmeans import Clusters

# A cluster's price moves as if it had at least this share of its rows.
_LEAST = 1e-6


def prices(
  x_nd: jax.Array,
  center_kd: jax.Array,
  price_k: jax.Array,
  *,
  temperature: float,
  iterations: int,
  chunk: int = chunks.CHUNK,
) -> jax.Array:
  """Returns prices under which the rows spread evenly, float32 `[k]`.

  Sinkhorn's steps (Cuturi, arXiv:1306.0895) for rows of weight 1 and clusters
  of N / K rows: a row chooses cluster k with probability in proportion to
  exp(-(|x - c_k|^2 + price_k) / t), and a price rises by t log of how many
  times its room a cluster is chosen.

  Args:
    x_nd: float32.
    center_kd: float32.
    price_k: float32, before the first step; 0 where nothing is known.
    temperature: t, in mean squared distances of the rows from all centres.
    iterations: steps.
    chunk: rows whose K distances are held at once.

  Returns:
    They sum to 0.
  """
  room = x_nd.shape[0] / center_kd.shape[0]
  cost_of = _costs(x_nd, center_kd, chunk)

  def mean_cost(total: jax.Array, cost_ck: jax.Array) -> tuple:
    return total + cost_ck.sum(), None

  cells = x_nd.shape[0] * center_kd.shape[0]
  total, _ = cost_of(mean_cost, jnp.float32(0))
  t = jnp.maximum(temperature * total / cells, 1e-30)

  def step(_, price_k: jax.Array) -> jax.Array:
    def chosen(wanted_k: jax.Array, cost_ck: jax.Array) -> tuple:
      return wanted_k + jax.nn.softmax(-(cost_ck + price_k) / t).sum(0), None

    wanted_k, _ = cost_of(chosen, jnp.zeros_like(price_k))
    price_k = price_k + t * jnp.log(jnp.maximum(wanted_k / room, _LEAST))
    return price_k - price_k.mean()

  return jax.lax.fori_loop(0, iterations, step, price_k)


def _costs(
  x_nd: jax.Array, center_kd: jax.Array, chunk: int
) -> Callable[..., tuple]:
  """Returns (function, carry) -> what `chunks.over` gives of the distances."""
  if x_nd.shape[0] <= chunk:
    cost_nk = kmeans.distances(x_nd, center_kd)
    return lambda function, carry: function(carry, cost_nk)

  def over(function: Callable[..., tuple], carry: jax.Array) -> tuple:
    return chunks.over(
      lambda c, x_cd: function(c, kmeans.distances(x_cd, center_kd)),
      carry,
      chunk,
      x_nd,
    )

  return over


def assign(
  x_nd: jax.Array,
  center_kd: jax.Array,
  price_k: jax.Array,
  *,
  chunk: int = chunks.CHUNK,
) -> jax.Array:
  """Returns each row's cluster, int32 `[n]`: all of N // K rows, or one more.

  Rows bid for the cheapest cluster that has room; a cluster takes those that
  would lose most by the next best, as many as it has room for; the others bid
  again. First for N // K rows a cluster, then the rows that are left for one
  more each. With good prices few rows are turned away.

  Args:
    x_nd: float32.
    center_kd: float32.
    price_k: float32, of `prices`.
    chunk: rows whose K distances are held at once.
  """
  rows, codes = x_nd.shape[0], center_kd.shape[0]
  nobody_n = jnp.full(rows, -1, jnp.int32)
  even_k = jnp.full(codes, rows // codes, jnp.int32)
  code_n = _bid(x_nd, center_kd, price_k, nobody_n, even_k, chunk)
  one_k = jnp.ones(codes, jnp.int32)
  return _bid(x_nd, center_kd, price_k, code_n, one_k, chunk)


def _bid(
  x_nd: jax.Array,
  center_kd: jax.Array,
  price_k: jax.Array,
  code_n: jax.Array,
  room_k: jax.Array,
  chunk: int,
) -> jax.Array:
  """Returns the clusters once no row is without one, or no room is left."""

  def more(state: tuple) -> jax.Array:
    code_n, room_k = state
    return jnp.any(code_n < 0) & jnp.any(room_k > 0)

  def bids(state: tuple) -> tuple:
    code_n, room_k = state
    wanted_n, loss_n = _wanted(x_nd, center_kd, price_k, room_k, chunk)
    codes = len(room_k)
    wanted_n = jnp.where(code_n < 0, wanted_n, codes)
    place_n = jnp.arange(len(code_n), dtype=jnp.int32)
    wanted_n, _, place_n = jax.lax.sort(
      (wanted_n, -loss_n, place_n), num_keys=2
    )
    first_k = jnp.searchsorted(wanted_n, jnp.arange(codes))
    k_n = jnp.minimum(wanted_n, codes - 1)
    rank_n = jnp.arange(len(code_n)) - first_k[k_n]
    taken_n = (wanted_n < codes) & (rank_n < room_k[k_n])
    old_n = code_n[place_n]
    code_n = code_n.at[place_n].set(jnp.where(taken_n, wanted_n, old_n))
    used_k = jax.ops.segment_sum(taken_n.astype(jnp.int32), k_n, codes)
    return code_n, room_k - used_k

  return jax.lax.while_loop(more, bids, (code_n, room_k))[0]


def _wanted(
  x_nd: jax.Array,
  center_kd: jax.Array,
  price_k: jax.Array,
  room_k: jax.Array,
  chunk: int,
) -> tuple[jax.Array, jax.Array]:
  """Returns each row's best cluster with room, and what the next best costs."""
  barred_k = jnp.where(room_k > 0, price_k, jnp.inf)

  def of(carry: None, x_cd: jax.Array) -> tuple:
    cost_ck = kmeans.distances(x_cd, center_kd) + barred_k
    least_c2, code_c2 = jax.lax.top_k(-cost_ck, min(2, cost_ck.shape[1]))
    return carry, (code_c2[:, 0], least_c2[:, 0] - least_c2[:, -1])

  code_n, loss_n = chunks.over(of, None, chunk, x_nd)[1]
  return code_n.astype(jnp.int32), loss_n


def lloyd(
  x_nd: jax.Array,
  center_kd: jax.Array,
  *,
  iterations: int = 10,
  temperature: float = 0.01,
  price_steps: int = 20,
  chunk: int = chunks.CHUNK,
) -> Clusters:
  """Returns clusters of equal size after some of Lloyd's steps.

  A step finds prices, from those of the step before on, gives the rows to the
  clusters by `assign`, and moves each centre to the mean of its rows. It ends
  when no row changes its cluster.

  Args:
    x_nd: float32; on one device.
    center_kd: float32, before the first step.
    iterations: the most steps, at least 1.
    temperature: see `prices`.
    price_steps: Sinkhorn's, in each of Lloyd's.
    chunk: rows whose K distances are held at once.

  Returns:
    Sizes differ by one at most. A row's cluster is mostly, and not always, the
    cheapest one by the prices. With fewer rows than clusters some are empty.
  """
  codes = center_kd.shape[0]

  def more(state: tuple) -> jax.Array:
    _, _, code_n, before_n, i = state
    return (i < iterations) & jnp.any(code_n != before_n)

  def step(state: tuple) -> tuple:
    center_kd, price_k, before_n, _, i = state
    price_k = prices(
      x_nd,
      center_kd,
      price_k,
      temperature=temperature,
      iterations=price_steps,
      chunk=chunk,
    )
    code_n = assign(x_nd, center_kd, price_k, chunk=chunk)
    return _means(x_nd, code_n, center_kd), price_k, code_n, before_n, i + 1

  zero_k = jnp.zeros(codes, jnp.float32)
  nobody_n = jnp.full(x_nd.shape[0], -1, jnp.int32)
  state = (center_kd, zero_k, nobody_n, nobody_n - 1, jnp.int32(0))
  center_kd, price_k, code_n, *_ = jax.lax.while_loop(more, step, state)
  return Clusters(center_kd, code_n, price_k)


def _means(
  x_nd: jax.Array, code_n: jax.Array, center_kd: jax.Array
) -> jax.Array:
  """Returns the mean of each cluster's rows; an empty one stays."""
  codes = center_kd.shape[0]
  count_k = jnp.bincount(code_n, length=codes)
  sum_kd = jax.ops.segment_sum(x_nd, code_n, codes)
  mean_kd = sum_kd / jnp.maximum(count_k, 1)[:, None]
  return jnp.where(count_k[:, None] > 0, mean_kd, center_kd)


def fit(
  key: jax.Array,
  x_nd: jax.Array,
  *,
  codes: int,
  start: str = 'plus_plus',
  start_rows: int = 8192,
  iterations: int = 10,
  temperature: float = 0.01,
  price_steps: int = 20,
  chunk: int = chunks.CHUNK,
) -> Clusters:
  """Returns K clusters of equal size: `kmeans.begin`, then `lloyd`.

  Args:
    key: of the draws.
    x_nd: float32; on one device.
    codes: K, at least 1.
    start, start_rows: see `kmeans.begin`.
    iterations, temperature, price_steps, chunk: see `lloyd`.
  """
  center_kd = kmeans.begin(key, x_nd, codes, start=start, start_rows=start_rows)
  return lloyd(
    x_nd,
    center_kd,
    iterations=iterations,
    temperature=temperature,
    price_steps=price_steps,
    chunk=chunk,
  )
