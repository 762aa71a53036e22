from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.retrieve import em


class EmTest(parameterized.TestCase):
  @parameterized.parameters(range(3))
  def test_no_other_weights_are_likelier(self, seed):
    rng = np.random.default_rng(seed)
    p_rc = rng.dirichlet(np.ones(6), 300).astype(np.float32)
    found = em.fit(p_rc, 5000, 1e-10)
    self.assertAlmostEqual(found.weight_c.sum(), 1)
    # Where the likelihood is highest, no component's mean share of a row's
    # likelihood is above 1; it is 1 where the component has weight.
    gain_c = (p_rc / (p_rc @ found.weight_c)[:, None]).mean(0)
    self.assertLess(gain_c.max(), 1 + 1e-3)
    for other in rng.dirichlet(np.ones(6), 50):
      self.assertGreaterEqual(-np.log(p_rc @ other).mean(), found.nll - 1e-6)

  def test_golden(self):
    # Three rows know only the first, one only the second: weights 3/4, 1/4.
    p_rc = np.array([[0.5, 0], [0.1, 0], [0.9, 0], [0, 0.2]])
    found = em.fit(p_rc, 100, 1e-12)
    np.testing.assert_allclose(found.weight_c, [0.75, 0.25])

  def test_steps_end_it(self):
    p_rc = np.random.default_rng(0).random((50, 3))
    self.assertEqual(em.fit(p_rc, 2, 0.0).steps, 2)

  def test_a_row_that_nothing_knows(self):
    with self.assertRaisesRegex(ValueError, 'add a uniform one'):
      em.fit(np.array([[0.5, 0.5], [0.0, 0.0]]), 5, 0.0)


if __name__ == '__main__':
  absltest.main()
