import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from taiji_jax.quantize import balanced, kmeans


def rows_of(rows, width=3, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(rows, width)).astype(np.float32)


def priced(x_nd, center_kd, temperature=0.01, iterations=50, chunk=4096):
  return balanced.prices(
    x_nd,
    center_kd,
    jnp.zeros(len(center_kd)),
    temperature=temperature,
    iterations=iterations,
    chunk=chunk,
  )


class AssignTest(parameterized.TestCase):
  def test_golden(self):
    # All but 10 are nearer to 0; two each: 2 loses least by going to 10.
    x_nd = jnp.array([[0.0], [1.0], [2.0], [10.0]])
    center_kd = jnp.array([[0.0], [10.0]])
    code_n = balanced.assign(x_nd, center_kd, jnp.zeros(2))
    np.testing.assert_array_equal(code_n, [0, 0, 1, 1])

  @parameterized.parameters((12, 4), (13, 4), (15, 4), (3, 4), (4, 4), (7, 1))
  def test_sizes_differ_by_one_at_most(self, rows, codes):
    x_nd = rows_of(rows)
    center_kd = rows_of(codes, seed=1)
    for chunk in (5, 100):
      code_n = balanced.assign(x_nd, center_kd, jnp.zeros(codes), chunk=chunk)
      size_k = np.bincount(code_n, minlength=codes)
      self.assertLen(size_k, codes)
      self.assertLessEqual(np.ptp(size_k), 1)

  def test_equal_rows(self):
    code_n = balanced.assign(jnp.ones((9, 2)), rows_of(3, 2), jnp.zeros(3))
    np.testing.assert_array_equal(np.bincount(code_n), [3, 3, 3])

  def test_nearly_the_least_cost(self):
    for seed in range(3):
      x_nd, center_kd = rows_of(120, seed=seed), rows_of(8, seed=seed + 9)
      center_kd[:, 0] += 1  # Most rows are on one side of them.
      cost_nk = ((x_nd[:, None] - center_kd) ** 2).sum(-1)
      row, column = optimize.linear_sum_assignment(np.repeat(cost_nk, 15, 1))
      least = cost_nk[row, column // 15].sum()
      price_k = priced(x_nd, center_kd, iterations=500)
      code_n = np.asarray(balanced.assign(x_nd, center_kd, price_k))
      found = cost_nk[np.arange(120), code_n].sum()
      self.assertLess(found, 1.02 * least)


class PricesTest(absltest.TestCase):
  def test_rows_spread_evenly_by_them(self):
    x_nd, center_kd = rows_of(400), rows_of(8, seed=1) + 0.5
    before_n, _ = kmeans.nearest(x_nd, center_kd)
    price_k = priced(x_nd, center_kd)
    after_n, _ = kmeans.nearest(x_nd, center_kd, price_k)
    spread = [np.ptp(np.bincount(c, minlength=8)) for c in (before_n, after_n)]
    self.assertLess(spread[1], spread[0] / 3)
    self.assertAlmostEqual(float(price_k.sum()), 0.0, places=3)

  def test_any_chunk_gives_the_same(self):
    x_nd, center_kd = rows_of(50), rows_of(4, seed=1)
    one, other = (priced(x_nd, center_kd, chunk=c) for c in (7, 50))
    np.testing.assert_allclose(one, other, atol=1e-4)

  def test_finite_at_a_low_temperature(self):
    price_k = priced(rows_of(50), rows_of(4, seed=1) + 5, temperature=1e-6)
    self.assertTrue(np.isfinite(price_k).all())


class FitTest(absltest.TestCase):
  def test_equal_sizes_and_less_error_than_at_random(self):
    x_nd = rows_of(130)
    fitted = jax.jit(lambda key, x: balanced.fit(key, x, codes=10))
    found = fitted(jax.random.key(0), x_nd)
    np.testing.assert_array_equal(np.bincount(found.code_n), [13] * 10)
    own_nd = np.asarray(found.center_kd)[found.code_n]
    self.assertLess(((x_nd - own_nd) ** 2).mean(), 0.4 * x_nd.var())
    # The prices choose as the sizes do, but for few rows.
    code_n, _ = kmeans.nearest(x_nd, found.center_kd, found.price_k)
    self.assertGreater((code_n == found.code_n).mean(), 0.85)


if __name__ == '__main__':
  absltest.main()
