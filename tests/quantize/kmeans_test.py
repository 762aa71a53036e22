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

from taiji_jax.errors import UserError
from taiji_jax.quantize import kmeans


def blobs(count=5, each=20, width=3, seed=0):
  """Returns rows around far corners, the rows of one after the other."""
  rng = np.random.default_rng(seed)
  corner_kd = 100 * rng.permutation(np.eye(count, width + count))[:, :width]
  corner_kd = corner_kd + 1000 * np.arange(count)[:, None]
  noise = rng.normal(size=(count * each, width))
  return (np.repeat(corner_kd, each, 0) + noise).astype(np.float32)


def squares(x_nd, center_kd):
  return ((x_nd[:, None].astype(np.float64) - center_kd) ** 2).sum(-1)


def reference(x_nd, center_kd, steps):
  """Returns Lloyd's centres; no centre may lose all of its rows."""
  for _ in range(steps):
    code_n = squares(x_nd, center_kd).argmin(1)
    center_kd = np.stack(
      [x_nd[code_n == k].mean(0) for k in range(len(center_kd))]
    )
  return center_kd, squares(x_nd, center_kd).argmin(1)


class NearestTest(parameterized.TestCase):
  @parameterized.parameters(1, 3, 50, 1000)
  def test_equals_float64(self, chunk):
    rng = np.random.default_rng(0)
    x_nd = rng.normal(size=(50, 4)).astype(np.float32)
    center_kd = rng.normal(size=(7, 4)).astype(np.float32)
    code_n, square_n = kmeans.nearest(x_nd, center_kd, chunk=chunk)
    square_nk = squares(x_nd, center_kd)
    np.testing.assert_array_equal(code_n, square_nk.argmin(1))
    np.testing.assert_allclose(square_n, square_nk.min(1), atol=1e-5)
    self.assertEqual(code_n.dtype, jnp.int32)

  def test_ties_go_to_the_lower_code(self):
    code_n, _ = kmeans.nearest(jnp.zeros((1, 1)), jnp.array([[1.0], [-1.0]]))
    self.assertEqual(int(code_n[0]), 0)

  def test_a_price_sends_away_and_is_no_distance(self):
    # 1 to the first, 4 to the second; with a price of 5 it is 6 to 4.
    x_nd, center_kd = jnp.zeros((1, 1)), jnp.array([[1.0], [2.0]])
    code_n, square_n = kmeans.nearest(x_nd, center_kd, jnp.array([5.0, 0.0]))
    self.assertEqual((int(code_n[0]), float(square_n[0])), (1, 4.0))

  def test_no_square_is_below_0(self):
    x_nd = np.float32(np.random.default_rng(1).normal(size=(30, 8)) + 1e3)
    self.assertTrue((np.asarray(kmeans.distances(x_nd, x_nd)) >= 0).all())


class StartTest(parameterized.TestCase):
  def test_plus_plus_finds_every_blob(self):
    x_nd = blobs()
    for seed in range(5):
      center_kd = kmeans.plus_plus(jax.random.key(seed), x_nd, 5)
      blob = squares(np.asarray(center_kd), x_nd).argmin(1) // 20
      self.assertCountEqual(blob.tolist(), range(5))

  def test_plus_plus_goes_by_the_squared_distance(self):
    # From 0 on, 3 is chosen with 9 / (1 + 9), 1 with 1 / 10; the first is any.
    x_nd = jnp.array([[0.0], [1.0], [3.0]])
    draw = jax.jit(jax.vmap(lambda k: kmeans.plus_plus(k, x_nd, 2)))
    found = np.asarray(draw(jax.random.split(jax.random.key(0), 4000)))[..., 0]
    from_0 = found[found[:, 0] == 0, 1]
    self.assertAlmostEqual(len(from_0) / 4000, 1 / 3, delta=0.04)
    self.assertAlmostEqual((from_0 == 3).mean(), 0.9, delta=0.03)

  def test_fewer_different_rows_than_centres(self):
    x_nd = jnp.array([[1.0], [2.0], [1.0]])
    center_kd = kmeans.plus_plus(jax.random.key(0), x_nd, 6)
    self.assertEqual(set(np.asarray(center_kd)[:, 0].tolist()), {1.0, 2.0})

  def test_random_rows_are_different_ones(self):
    x_nd = np.arange(40, dtype=np.float32)[:, None]
    center_kd = kmeans.begin(jax.random.key(0), x_nd, 12, start='random')
    self.assertLen(set(np.asarray(center_kd)[:, 0].tolist()), 12)

  def test_a_sample_of_the_rows(self):
    x_nd = np.arange(100, dtype=np.float32)[:, None]
    center_kd = kmeans.begin(jax.random.key(0), x_nd, 4, start_rows=10)
    self.assertTrue(np.isin(center_kd, x_nd).all())

  def test_unknown(self):
    with self.assertRaisesRegex(UserError, "'best'; choose plus_plus or rand"):
      kmeans.begin(jax.random.key(0), np.ones((2, 1)), 1, start='best')


class LloydTest(parameterized.TestCase):
  def test_golden(self):
    # 0 | 1 10 11 -> 0, 22/3; 0 1 | 10 11 -> 1/2, 21/2.
    x_nd = jnp.array([[0.0], [1.0], [10.0], [11.0]])
    found = kmeans.lloyd(x_nd, x_nd[:2])
    np.testing.assert_allclose(found.center_kd[:, 0], [0.5, 10.5])
    np.testing.assert_array_equal(found.code_n, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.price_k, 0)

  @parameterized.product(steps=(1, 2, 4), chunk=(7, 1000))
  def test_equals_numpy(self, steps, chunk):
    rng = np.random.default_rng(3)
    x_nd = rng.normal(size=(120, 3)).astype(np.float32)
    wanted_kd, code_n = reference(x_nd, x_nd[:6], steps)
    found = kmeans.lloyd(
      x_nd, x_nd[:6], iterations=steps, tolerance=0.0, chunk=chunk
    )
    np.testing.assert_allclose(found.center_kd, wanted_kd, atol=1e-4)
    np.testing.assert_array_equal(found.code_n, code_n)

  def test_error_never_rises(self):
    rng = np.random.default_rng(4)
    x_nd = rng.normal(size=(90, 2)).astype(np.float32)
    errors = []
    for steps in range(1, 9):
      found = kmeans.lloyd(x_nd, x_nd[:20], iterations=steps, tolerance=0.0)
      errors.append(squares(x_nd, np.asarray(found.center_kd)).min(1).mean())
    self.assertTrue((np.diff(errors) <= 1e-6).all(), errors)

  def test_it_ends_when_little_is_gained(self):
    x_nd = blobs()
    loose, tight = (
      kmeans.lloyd(x_nd, x_nd[::20], iterations=i) for i in (3, 10_000_000)
    )
    np.testing.assert_allclose(loose.center_kd, tight.center_kd, atol=1e-3)

  def test_a_centre_without_rows_goes_to_the_farthest(self):
    # All rows are nearest to 3: 10 is 49 away, so the second centre goes there.
    x_nd = jnp.array([[0.0], [0.1], [10.0]])
    found = kmeans.lloyd(x_nd, jnp.array([[3.0], [100.0]]))
    np.testing.assert_allclose(found.center_kd[:, 0], [0.05, 10.0], atol=1e-6)

  def test_padding_counts_for_nothing(self):
    x_nd = jnp.array([[0.0], [1.0], [10.0], [11.0], [500.0], [500.0]])
    found = kmeans.lloyd(x_nd, x_nd[:2], rows=4)
    np.testing.assert_allclose(found.center_kd[:, 0], [0.5, 10.5])

  def test_one_row_and_equal_rows(self):
    for x_nd in (jnp.ones((1, 2)), jnp.ones((5, 2))):
      found = kmeans.fit(jax.random.key(0), x_nd, codes=3)
      np.testing.assert_allclose(found.center_kd, 1.0)


class FitTest(absltest.TestCase):
  def test_finds_the_blobs(self):
    x_nd = blobs(count=6)
    fitted = jax.jit(lambda key, x: kmeans.fit(key, x, codes=6, chunk=32))
    found = fitted(jax.random.key(0), x_nd)
    for k in range(6):
      self.assertLen(set(np.asarray(found.code_n)[20 * k :][:20].tolist()), 1)
    self.assertLen(set(np.asarray(found.code_n).tolist()), 6)


if __name__ == '__main__':
  absltest.main()
