from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.evaluate import ranking, sid_lists

# Items 0 and 3 have one ID, 1 and 4 another.
CODES = np.array([[1, 0], [0, 7], [0, 2], [1, 0], [0, 7], [2, 2]])
SID = sid_lists.numbers(CODES)


class SidListsTest(parameterized.TestCase):
  def test_numbers_are_equal_for_equal_ids_alone(self):
    self.assertEqual(SID.tolist(), [2, 1, 0, 2, 1, 3])

  def test_an_id_stands_where_its_first_item_stood(self):
    found = sid_lists.of_items(
      np.array([[3, 2, 0, 5], [1, 4, 2, 0], [5, -1, -1, -1]]), SID
    )
    np.testing.assert_array_equal(
      found, [[2, 0, 3, -1], [1, 0, 2, -1], [3, -1, -1, -1]]
    )

  def test_collisions_are_credited_at_the_level_of_ids_alone(self):
    items, target = np.array([[4, 3, 5]]), np.array([0])
    self.assertEqual(ranking.in_lists(items, target)[0], -1)
    sids = sid_lists.of_items(items, SID)
    self.assertEqual(ranking.in_lists(sids, SID[target])[0], 1)

  def test_an_id_gives_its_items_the_more_frequent_first(self):
    count_n = np.array([1, 5, 0, 2, 5, 9])
    sids = np.array([[2, 1, -1], [0, 3, 2], [-1, -1, -1]])
    np.testing.assert_array_equal(
      sid_lists.expanded(sids, SID, count_n, 5),
      [[3, 0, 1, 4, -1], [2, 5, 3, 0, -1], [-1] * 5],
    )
    np.testing.assert_array_equal(
      sid_lists.expanded(sids, SID, count_n, 1), [[3], [2], [-1]]
    )

  @parameterized.parameters(range(4))
  def test_of_random_lists(self, seed):
    rng = np.random.default_rng(seed)
    sid_n = sid_lists.numbers(rng.integers(0, 3, (30, 2)))
    items = np.stack([rng.permutation(30)[:12] for _ in range(9)])
    for found, ranked in zip(
      sid_lists.of_items(items, sid_n), items, strict=True
    ):
      expected = list(dict.fromkeys(sid_n[ranked].tolist()))
      self.assertEqual(found[found >= 0].tolist(), expected)
    whole = sid_lists.expanded(
      np.unique(sid_n)[None], sid_n, rng.integers(0, 9, 30), 30
    )
    self.assertCountEqual(whole[0].tolist(), range(30))
    # Items of lists of IDs are lists of those IDs.
    sids = sid_lists.of_items(items, sid_n)
    back = sid_lists.of_items(
      sid_lists.expanded(sids, sid_n, np.zeros(30), 30), sid_n
    )
    np.testing.assert_array_equal(back[:, :12], sids)


if __name__ == '__main__':
  absltest.main()
