from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import masked

X = jnp.float32([[1, 2, np.nan], [4, np.inf, 6]])
MASK = np.array([[True, True, False], [True, False, True]])


class MaskedTest(absltest.TestCase):
  def test_total(self):
    total, count = masked.total(X, MASK)
    self.assertEqual((float(total), float(count)), (13, 4))

  def test_totals_add_over_parts(self):
    rng = np.random.default_rng(0)
    x = jnp.float32(rng.normal(size=(6, 5)))
    mask = rng.random((6, 5)) < 0.5
    parts = [masked.total(x[s], mask[s]) for s in (slice(2), slice(2, 6))]
    total, count = (sum(p) for p in zip(*parts, strict=True))
    self.assertAlmostEqual(
      float(total / count), float(masked.mean(x, mask)), places=6
    )

  def test_mean(self):
    np.testing.assert_allclose(masked.mean(X, MASK), 13 / 4)
    np.testing.assert_allclose(masked.mean(X, MASK, axis=-1), [1.5, 5])
    np.testing.assert_allclose(masked.mean(X, MASK, axis=0), [2.5, 2, 6])

  def test_nothing_left_is_zero(self):
    mask = np.array([[False] * 3, [True, False, True]])
    np.testing.assert_allclose(masked.mean(X, mask, axis=1), [0, 5])

  def test_differences(self):
    x = jnp.float32([[np.nan, 3, 5], [12345.678] * 3, [1, 2, 3]])
    mask = np.array([[False, True, True], [True] * 3, [False] * 3])
    expected = np.array([[0, 0, 2], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(masked.differences(x, mask, 1), expected)
    np.testing.assert_array_equal(
      masked.differences(x.T, mask.T, 0), expected.T
    )

  def test_gradient_stops_at_the_mask(self):
    gradient = jax.grad(lambda x: masked.mean(x * x, MASK, axis=1).sum())(X)
    np.testing.assert_allclose(
      np.where(MASK, gradient, 0), [[1, 2, 0], [4, 0, 6]]
    )

  def test_low_precision_is_summed_in_float32(self):
    # Added one by one in bfloat16, ones stop growing at 256.
    x = jnp.ones(4096, jnp.bfloat16)
    total, count = masked.total(x, np.ones(4096, bool))
    self.assertEqual((float(total), float(count)), (4096, 4096))


if __name__ == '__main__':
  absltest.main()
