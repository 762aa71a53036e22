import math

from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import informative


def judged(auc=0.7, truth=0.8, popular=0.5, users=30, spread=0.1, rare=0.4):
  rng = np.random.default_rng(0)
  noise_r = np.tile(rng.normal(0, spread, users), 2)
  noise_r -= noise_r.mean()
  return informative.judge(
    np.full(2 * users, truth),
    np.full(2 * users, popular),
    auc + noise_r,
    np.full(2 * users, rare),
    np.tile(np.arange(users), 2),
  )


class InformativeTest(absltest.TestCase):
  def test_holds(self):
    found = judged()
    self.assertTrue(found.holds)
    found.refuse()
    self.assertAlmostEqual(found.gauc[0], 0.7)
    self.assertLess(found.gauc[1], 0.7)
    self.assertAlmostEqual(found.gain[0], 0.3)
    self.assertEqual(found.rows, 60)

  def test_interval_golden(self):
    # Two users, sums of error -.1 and .1 in 3 rows: sqrt(.02 / 9 * 2).
    found = informative.judge(
      np.ones(3),
      np.zeros(3),
      np.array([0.6, 0.7, 0.8]),
      np.full(3, 0.5),
      np.array([0, 1, 1]),
    )
    half = 1.96 * math.sqrt(0.02 / 9 * 2)
    np.testing.assert_allclose(found.gauc, [0.7, 0.7 - half, 0.7 + half])
    np.testing.assert_allclose(found.gain, [0.2, 0.2 - half, 0.2 + half])

  def test_refuses_what_popularity_explains(self):
    with self.assertRaisesRegex(
      UserError, r'taken item is 0.400 and of the most popular one 0.500'
    ) as raised:
      judged(truth=0.4).refuse()
    self.assertIn('rl.require_informative_reward=False', str(raised.exception))
    self.assertIn('tower.epochs', str(raised.exception))

  def test_refuses_chance(self):
    found = judged(auc=0.51, spread=0.3)
    self.assertGreater(found.gauc[0], 0.5)
    with self.assertRaisesRegex(UserError, 'must be above .5'):
      found.refuse()

  def test_refuses_what_rareness_explains(self):
    found = judged(auc=0.65, rare=0.65)
    self.assertGreater(found.gauc[1], 0.5)
    with self.assertRaisesRegex(UserError, '0.000 .* more than rareness'):
      found.refuse()

  def test_one_user_is_no_interval(self):
    self.assertFalse(judged(users=1).holds)

  def test_no_negatives_or_no_popular_item(self):
    none = np.full(4, np.nan)
    found = informative.judge(np.ones(4), none, none, none, np.arange(4))
    self.assertFalse(found.holds)
    self.assertIsNone(found.gauc)
    with self.assertRaisesRegex(UserError, 'no item was found'):
      found.refuse()

  def test_no_rows(self):
    empty = np.zeros(0)
    with self.assertRaisesRegex(UserError, 'no rows to see'):
      informative.judge(empty, empty, empty, empty, np.zeros(0, int))


if __name__ == '__main__':
  absltest.main()
