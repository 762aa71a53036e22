from absl.testing import absltest, parameterized
from scipy import stats

from taiji_jax import student

FREEDOM = (1, 2, 3, 4.5, 30, 999, 8316, 1e6)


class StudentTest(parameterized.TestCase):
  @parameterized.parameters(
    # Of printed tables: freedom, two-sided alpha, t.
    (1, 0.05, 12.706),
    (2, 0.05, 4.303),
    (4, 0.05, 2.776),
    (4, 0.01, 4.604),
    (10, 0.1, 1.812),
    (30, 0.05, 2.042),
    (120, 0.05, 1.980),
  )
  def test_golden(self, freedom, alpha, t):
    found = student.quantile(alpha, ((1.0, freedom),))
    self.assertAlmostEqual(found, t, places=3)
    self.assertAlmostEqual(student.tail(found, freedom), alpha, places=9)

  @parameterized.product(freedom=FREEDOM)
  def test_equals_scipy(self, freedom):
    for t in (0.0, 1e-3, 0.5, 1.0, 1.96, 4.0, 12.0, 30.0):
      expected = 2 * stats.t.sf(t, freedom)
      found = student.tail(t, freedom)
      self.assertAlmostEqual(found / expected, 1, delta=1e-7, msg=str(t))
    for alpha in (0.9, 0.4, 0.05, 1e-4):
      found = student.quantile(alpha, ((1.0, freedom),))
      expected = stats.t.isf(alpha / 2, freedom)
      self.assertAlmostEqual(found / expected, 1, delta=1e-7)

  def test_a_mixture(self):
    parts = (0.25, 1), (0.75, 50)
    tail = 0.25 * student.tail(3, 1) + 0.75 * student.tail(3, 50)
    self.assertAlmostEqual(student.mixed_tail(3, parts), tail)
    self.assertAlmostEqual(student.quantile(tail, parts), 3)
    # What has no weight needs no degrees of freedom.
    self.assertEqual(
      student.mixed_tail(2, ((0.0, 0), (1.0, 7))), student.tail(2, 7)
    )

  def test_a_mean_of_nothing_has_no_tail_above_one(self):
    above = 0.7 + 4e-16
    self.assertGreater(above + 0.3, 1.0)
    self.assertEqual(student.mixed_tail(0.0, ((above, 39), (0.3, 1))), 1.0)


if __name__ == '__main__':
  absltest.main()
