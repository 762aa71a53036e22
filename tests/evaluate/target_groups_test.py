from absl.testing import absltest
import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.evaluate import target_groups

# Sequences 0 1 1 and 2 1: item 1 three times, 0 and 2 once, 3 and 4 never.
TRAIN = NextItems.of(('u', 'u', 'v'), [[0], [0, 1], [2]], [1, 1, 1])
ROWS = NextItems.of(
  ('u', 'u', 'v', 'w'), [[1], [1, 1], [0] * 9, [3] * 10], [1, 2, 3, 4]
)


class TargetGroupsTest(absltest.TestCase):
  def test_novelty(self):
    found = target_groups.by_novelty(ROWS, TRAIN, 5)
    self.assertEqual(found['seen'].tolist(), [True, True, False, False])
    np.testing.assert_array_equal(found['seen'], ~found['unseen'])
    self.assertLen(found, 2)

  def test_items_that_were_taken_in(self):
    found = target_groups.by_novelty(ROWS, TRAIN, 5, taken_in=(4, 1))
    self.assertEqual(found['taken_in'].tolist(), [True, False, False, True])

  def test_frequency(self):
    found = target_groups.by_frequency(ROWS, TRAIN, 5, (1, 2, 4))
    self.assertEqual(list(found), ['taken_1', 'taken_2-3', 'taken_4+'])
    self.assertEqual(found['taken_1'].tolist(), [False, True, False, False])
    self.assertEqual(found['taken_2-3'].tolist(), [True, False, False, False])
    self.assertFalse(found['taken_4+'].any())

  def test_length(self):
    found = target_groups.by_length(ROWS)
    self.assertEqual(
      list(found), ['history_1', 'history_2-3', 'history_4-9', 'history_10+']
    )
    np.testing.assert_array_equal(list(found.values()), np.eye(4))

  def test_bounds_ascend(self):
    with self.assertRaisesRegex(ValueError, 'do not ascend'):
      target_groups.by_length(ROWS, (4, 1))


if __name__ == '__main__':
  absltest.main()
