"""The k-core against leaving one by one, and repeats."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import k_core
from taiji_jax.errors import UserError


def _one_by_one(pairs: list[tuple[int, int]], k: int) -> list[int]:
  """Returns the positions of the k-core: any event that may not stay, goes."""
  left = list(range(len(pairs)))
  while True:
    for at in left:
      user, item = pairs[at]
      of_user = sum(pairs[i][0] == user for i in left)
      of_item = sum(pairs[i][1] == item for i in left)
      if min(of_user, of_item) < k:
        left.remove(at)
        break
    else:
      return left


class KCoreTest(parameterized.TestCase):
  def test_by_hand(self):
    # Item 2 has one event; without it user 1 has one; without that, item 1 has
    # one and user 0 still two (items 0, 3).
    user = np.array([0, 0, 1, 1, 2, 2, 0])
    item = np.array([0, 1, 1, 2, 0, 3, 3])
    kept = k_core.k_core(user, item, 2)
    self.assertEqual(np.flatnonzero(kept).tolist(), [0, 4, 5, 6])

  @parameterized.product(k=(1, 2, 3, 4), seed=(0, 1, 2, 3, 4, 5))
  def test_equals_leaving_one_by_one(self, k, seed):
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 14, (2, 60)) // rng.integers(1, 3, (2, 60))
    kept = k_core.k_core(user, item, k)
    pairs = list(zip(user.tolist(), item.tolist(), strict=True))
    self.assertEqual(np.flatnonzero(kept).tolist(), _one_by_one(pairs, k))

  def test_the_core_of_a_part_lies_in_the_core(self):
    rng = np.random.default_rng(3)
    user, item = rng.integers(0, 20, (2, 200))
    core = np.flatnonzero(k_core.k_core(user, item, 5))
    part = np.flatnonzero(item % 3 > 0)
    alone = part[k_core.k_core(user[part], item[part], 5)]
    both = np.intersect1d(core, part)
    within = both[k_core.k_core(user[both], item[both], 5)]
    self.assertNotEmpty(alone)
    np.testing.assert_array_equal(alone, within)

  def test_empty(self):
    none = np.zeros(0, np.int64)
    self.assertEqual(k_core.k_core(none, none, 5).tolist(), [])
    self.assertEqual(k_core.first_of_each(none, none, none).tolist(), [])

  def test_refuses_k(self):
    with self.assertRaisesRegex(UserError, 'k is 0'):
      k_core.k_core(np.zeros(1, int), np.zeros(1, int), 0)

  def test_the_earliest_of_repeats_stays(self):
    user = np.array([0, 0, 0, 1, 1])
    item = np.array([5, 5, 5, 5, 5])
    # Time 3 twice: the one that stands first.
    time = np.array([9, 3, 3, 7, 8])
    kept = k_core.first_of_each(user, item, time)
    self.assertEqual(kept.tolist(), [False, True, False, True, False])


if __name__ == '__main__':
  absltest.main()
