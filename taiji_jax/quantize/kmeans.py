"""k-means: a start, Lloyd's steps, and the nearest of some centres."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.quantize import chunks, revival, split_rows
from taiji_jax.quantize.split_rows import Axis

STARTS = ('plus_plus', 'random')


class Clusters(NamedTuple):
  """K clusters, and whose each row is.

  Attributes:
    center_kd: float32.
    code_n: int32 in [0, K), the cluster of each row.
    price_k: float32, what a cluster adds to the squared distance when a row
      chooses; 0 where a cluster may have any size.
  """

  center_kd: jax.Array
  code_n: jax.Array
  price_k: jax.Array


def distances(x_nd: jax.Array, center_kd: jax.Array) -> jax.Array:
  """Returns the squared distances |x - c|^2, float32 `[n, k]`, at least 0.

  By |x|^2 - 2 x.c + |c|^2, one matrix product: of vectors whose mean is far
  from 0 take the mean away first, or the small differences are rounded away.

  Args:
    x_nd: float32.
    center_kd: float32.
  """
  product_nk = jnp.matmul(x_nd, center_kd.T, precision='highest')
  square_nk = jnp.sum(x_nd * x_nd, -1)[:, None] - 2 * product_nk
  return jnp.maximum(square_nk + jnp.sum(center_kd * center_kd, -1), 0.0)


def nearest(
  x_nd: jax.Array,
  center_kd: jax.Array,
  price_k: jax.Array | None = None,
  *,
  chunk: int = chunks.CHUNK,
) -> tuple[jax.Array, jax.Array]:
  """Returns argmin_k |x - c_k|^2 + price_k, and that squared distance.

  Ties go to the lower code.

  Args:
    x_nd: float32.
    center_kd: float32.
    price_k: float32, of `Clusters`; None for no prices.
    chunk: rows whose K distances are held at once.

  Returns:
    int32 `[n]`; float32 `[n]`, without the price.
  """

  def of(carry: None, x_cd: jax.Array) -> tuple[None, tuple]:
    return carry, _nearest(x_cd, center_kd, price_k)

  return chunks.over(of, None, chunk, x_nd)[1]


def _nearest(
  x_nd: jax.Array, center_kd: jax.Array, price_k: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
  """Returns what `nearest` does, all rows at once."""
  square_nk = distances(x_nd, center_kd)
  cost_nk = square_nk if price_k is None else square_nk + price_k
  code_n = jnp.argmin(cost_nk, -1).astype(jnp.int32)
  square_n = jnp.take_along_axis(square_nk, code_n[:, None], -1)[:, 0]
  return code_n, square_n


def plus_plus(key: jax.Array, x_nd: jax.Array, codes: int) -> jax.Array:
  """Returns rows to begin with, `[K, d]`, far from each other: k-means++.

  The next row is drawn with probability in proportion to its squared distance
  from the nearest of those before (Arthur and Vassilvitskii, 2007, 2.2). Where
  all rows have been taken, any row comes again.

  Args:
    key: of the draws.
    x_nd: float32.
    codes: K, at least 1.
  """

  x_nd = jnp.asarray(x_nd)

  def step(k: jax.Array, found: tuple) -> tuple:
    center_kd, square_n = found
    # Of equal weights at first, and where nothing is left to be far from.
    far = (k > 0) & jnp.any(square_n > 0)
    far_n = jnp.where(far, jnp.log(square_n), 0.0)
    row = jax.random.categorical(jax.random.fold_in(key, k), far_n)
    offset_nd = x_nd - x_nd[row]
    square_n = jnp.minimum(square_n, jnp.sum(offset_nd * offset_nd, -1))
    return center_kd.at[k].set(x_nd[row]), square_n

  none_kd = jnp.zeros((codes, x_nd.shape[1]), x_nd.dtype)
  far_n = jnp.full(x_nd.shape[0], jnp.inf, x_nd.dtype)
  return jax.lax.fori_loop(0, codes, step, (none_kd, far_n))[0]


def begin(
  key: jax.Array,
  x_nd: jax.Array,
  codes: int,
  *,
  start: str = 'plus_plus',
  start_rows: int = 8192,
  rows: int | None = None,
  axis: Axis = None,
) -> jax.Array:
  """Returns the centres before the first step, float32 `[K, d]`.

  Args:
    key: of the draws.
    x_nd: float32, the rows of this device.
    codes: K, at least 1.
    start: 'plus_plus', or 'random' for random rows.
    start_rows: `Choice:` of more rows than these, k-means++ looks at a sample
      of so many, since it reads all of them K times.
    rows: of all devices, without the padding at the end; None where `axis` is
      None and nothing is padding.
    axis: mesh axes that the rows are split over, None for one device.

  Raises:
    UserError: there is no such start.
  """
  if start not in STARTS:
    raise UserError(f'start is {start!r}; choose {" or ".join(STARTS)}.')
  rows = x_nd.shape[0] if rows is None else rows
  key, other = jax.random.split(key)
  many = codes if start == 'random' else min(max(start_rows, codes), rows)
  sample_md = split_rows.at(x_nd, split_rows.sample(key, rows, many), axis)
  return sample_md if start == 'random' else plus_plus(other, sample_md, codes)


def lloyd(
  x_nd: jax.Array,
  center_kd: jax.Array,
  *,
  iterations: int = 50,
  tolerance: float = 1e-4,
  chunk: int = chunks.CHUNK,
  rows: int | None = None,
  axis: Axis = None,
) -> Clusters:
  """Returns the clusters after Lloyd's steps.

  A step gives each row to the nearest centre and moves each centre to the mean
  of its rows. A centre without rows is put on a row that is farthest from its
  own (`revival.farthest`). The mean squared distance never rises.

  Args:
    x_nd: float32, the rows of this device.
    center_kd: float32, before the first step.
    iterations: the most steps.
    tolerance: it ends when the mean squared distance has fallen by no more than
      this share of itself.
    chunk: rows whose K distances are held at once.
    rows, axis: see `begin`.
  """
  weight_n = split_rows.real(x_nd.shape[0], rows, axis)

  def more(state: tuple) -> jax.Array:
    _, before, error, i = state
    falls = before - error > tolerance * before
    return (i < iterations) & ((i < 2) | falls)

  def step(state: tuple) -> tuple:
    center_kd, _, before, i = state
    sums, square_n = _sums(x_nd, weight_n, center_kd, chunk)
    sum_kd, count_k, error = split_rows.total(sums, axis)
    mean_kd = sum_kd / jnp.maximum(count_k, 1.0)[:, None]
    center_kd = jnp.where(count_k[:, None] > 0, mean_kd, center_kd)
    center_kd = revival.farthest(center_kd, count_k, x_nd, square_n, axis)
    return center_kd, before, error, i + 1

  infinite = jnp.float32(jnp.inf)
  state = (center_kd, infinite, infinite, jnp.int32(0))
  center_kd = jax.lax.while_loop(more, step, state)[0]
  code_n, _ = nearest(x_nd, center_kd, chunk=chunk)
  return Clusters(center_kd, code_n, jnp.zeros(len(center_kd), jnp.float32))


def _sums(
  x_nd: jax.Array, weight_n: jax.Array, center_kd: jax.Array, chunk: int
) -> tuple[tuple, jax.Array]:
  """Returns (sums and counts of each cluster's rows, error), and distances.

  The distance of padding is -1.
  """
  codes, width = center_kd.shape

  def part(carry: tuple, x_cd: jax.Array, weight_c: jax.Array) -> tuple:
    sum_kd, count_k, error = carry
    code_c, square_c = _nearest(x_cd, center_kd, None)
    member_ck = jax.nn.one_hot(code_c, codes) * weight_c[:, None]
    sum_kd += jnp.matmul(member_ck.T, x_cd, precision='highest')
    count_k += member_ck.sum(0)
    error += jnp.sum(weight_c * square_c)
    square_c = jnp.where(weight_c > 0, square_c, -1.0)
    return (sum_kd, count_k, error), square_c

  none = (
    jnp.zeros((codes, width), jnp.float32),
    jnp.zeros(codes, jnp.float32),
    jnp.float32(0),
  )
  return chunks.over(part, none, chunk, x_nd, weight_n)


def fit(
  key: jax.Array,
  x_nd: jax.Array,
  *,
  codes: int,
  start: str = 'plus_plus',
  start_rows: int = 8192,
  iterations: int = 50,
  tolerance: float = 1e-4,
  chunk: int = chunks.CHUNK,
  rows: int | None = None,
  axis: Axis = None,
) -> Clusters:
  """Returns K clusters: `begin`, then `lloyd`.

  Args:
    key: of the draws.
    x_nd: float32, the rows of this device.
    codes: K, at least 1.
    start, start_rows, rows, axis: see `begin`.
    iterations, tolerance, chunk: see `lloyd`.
  """
  split = {'rows': rows, 'axis': axis}
  center_kd = begin(
    key, x_nd, codes, start=start, start_rows=start_rows, **split
  )
  return lloyd(
    x_nd,
    center_kd,
    iterations=iterations,
    tolerance=tolerance,
    chunk=chunk,
    **split,
  )
