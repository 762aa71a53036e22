"""The fuzz over dependent gradients: its references, and what it measures."""

from absl.testing import absltest, parameterized
import jax
import numpy as np

from experiments.benchmarks import dependent, dependent_reference


class ReferenceTest(absltest.TestCase):
  """Two gradients, (2, 0) and (-1, 1)."""

  JACOBIAN = np.array([[2.0, 0.0], [-1.0, 1.0]])

  def test_hand(self):
    # min_norm: weights .4 and .6. UPGrad: .75 and 1. DualProj: the mean, which
    # does not conflict. Aligned-MTL: G has the eigenvalues 3 +- sqrt 5.
    found = {
      rule: update(self.JACOBIAN)
      for rule, update in dependent_reference.UPDATES.items()
    }
    np.testing.assert_allclose(found['min_norm'], [0.2, 0.6], atol=1e-12)
    np.testing.assert_allclose(found['upgrad'], [0.5, 1.0], atol=1e-12)
    np.testing.assert_allclose(found['dualproj'], [0.5, 0.5], atol=1e-12)
    # Orthogonal rows of length s_min, averaged: s_min / sqrt 2 long.
    length = np.linalg.norm(found['aligned_mtl'])
    np.testing.assert_allclose(length**2, (3 - 5**0.5) / 2, rtol=1e-9)


class FuzzTest(parameterized.TestCase):
  @parameterized.parameters('min_norm', 'dualproj', 'aligned_mtl')
  def test_rule(self, rule: str):
    found = dependent.fuzz(rule, 4, 24)
    self.assertLess(found['off_median'], 1e-6)
    self.assertEqual(found.get('conflicts', 0), 0)
    self.assertLess(found['off_alike'], 0.01)

  def test_worst_is_of_the_rule(self):
    # The second of opposed gradients is followed: against the first.
    opposed_kp = np.array([[1.0, 0.0], [-1.0, 0.0]])
    measured = dependent.measure(
      'dualproj', opposed_kp, lambda _: np.array([0.0, 1.0])
    )
    self.assertAlmostEqual(measured['cosine'], -1.0)
    self.assertAlmostEqual(measured['off'], 1.0)
    self.assertAlmostEqual(measured['order'], 1.0)
    average_p = np.array([[3.0, 0.0], [1.0, 0.0]])
    measured = dependent.measure(
      'cagrad', average_p, lambda _: np.array([2.0, 0.0])
    )
    # d = 6, the average 2: 4 away, twice the bound.
    self.assertAlmostEqual(measured['radius'], 2.0)


if __name__ == '__main__':
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
