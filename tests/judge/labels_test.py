from absl.testing import absltest
import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.errors import UserError
from taiji_jax.judge import aspects, labels

# Items 0-2 lie in one corner, 3 beside them, 4 and 5 elsewhere.
CODE_NL = np.array(
  [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0], [1, 0, 0], [2, 0, 0]]
)
EVERY = np.arange(6)


class LabelsTest(absltest.TestCase):
  def test_later_is_of_the_same_user_and_no_other_rows(self):
    rows = NextItems.of(
      ['a', 'a', 'b', 'a'], [[0], [0, 1], [5], [0, 1, 2]], [1, 2, 4, 3]
    )
    found = labels.later(rows)
    self.assertEqual(
      [own.tolist() for own in found], [[1, 2, 3], [2, 3], [4], [3]]
    )

  def test_future(self):
    found = labels.future(np.array([1, 4]), EVERY, CODE_NL)
    # 0 and 2 share two codes with 1; 3 shares one.
    self.assertEqual(found.tolist(), [1, 2, 1, 0, 2, 0])
    found = labels.future(np.zeros(0, int), EVERY, CODE_NL)
    self.assertEqual(found.tolist(), [0] * 6)

  def test_novelty(self):
    found = labels.novelty(np.array([1]), EVERY, CODE_NL)
    self.assertEqual(found.tolist(), [0, 0, 0, 1, 2, 2])

  def test_profile(self):
    # All users: corner 0 .5, item 4 .3, item 5 .2; this one: .75, .25, none.
    share_n = np.array([0.2, 0.1, 0.1, 0.1, 0.3, 0.2])
    found = labels.profile(np.array([0, 1, 0, 4]), EVERY, CODE_NL, share_n)
    self.assertEqual(found.tolist(), [2, 2, 2, 2, 1, 0])
    found = labels.profile(np.array([5]), EVERY, CODE_NL, share_n)
    self.assertEqual(found[5], 4)

  def test_rows(self):
    rows = NextItems.of(['a', 'a'], [[0], [0, 4]], [4, 1])
    item_rk = np.array([[4, 1, -1], [2, -1, -1]])
    share_n = np.full(6, 1 / 6)
    found = labels.of_rows(rows, item_rk, labels.later(rows), CODE_NL, share_n)
    self.assertEqual(found.row_m.tolist(), [0, 0, 1])
    self.assertEqual(found.item_m.tolist(), [4, 1, 2])
    self.assertEqual(found.taken_m.tolist(), [True, True, False])
    self.assertEqual(found.level_ma[:, 1].tolist(), [2, 2, 1])
    self.assertEqual(found.level_ma[:, 2].tolist(), [2, 0, 0])

  def test_matched_in_popularity(self):
    count_n = np.random.default_rng(0).permutation(1000)
    found = labels.matched(np.array([0, 500, 999]), count_n, 200, seed=1)
    own_m1 = count_n[[0, 500, 999]][:, None]
    self.assertTrue((found != np.array([0, 500, 999])[:, None]).all())
    self.assertLessEqual(np.abs(count_n[found] - own_m1).max(), 400)
    np.testing.assert_array_equal(
      found, labels.matched(np.array([0, 500, 999]), count_n, 200, seed=1)
    )


class AspectTest(absltest.TestCase):
  def test_levels(self):
    self.assertEqual(aspects.PROFILE.level(-0.5), 1)
    with self.assertRaisesRegex(UserError, 'profile is 0.3; give one of -1.0'):
      aspects.PROFILE.level(0.3)

  def test_the_expected_level(self):
    found = aspects.NOVELTY.expected([[0.1, 0.1, 0.2], [0, 3, 0]])
    np.testing.assert_allclose(found, [(0.05 + 0.2) / 0.4, 0.5], rtol=1e-6)


if __name__ == '__main__':
  absltest.main()
