from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import reward_table
from taiji_jax.types import Rows

HISTORY_RS = np.array([[0, 2], [1, -1], [-1, -1]], np.int32)
ROWS = Rows(
  event_r=np.arange(3),
  user_r=np.array([2, 0, 1], np.int32),
  target_r=np.array([1, 2, 0], np.int32),
  history_rs=HISTORY_RS,
)
TABLE_UN = np.array(
  [[0.5, 0.9, 0.3], [0.2, 0.25, 0.4], [0.05, 0.6, 0.7]], np.float32
)


def score(user_b, history_bs):
  del history_bs
  return TABLE_UN[user_b]


class RewardTableTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3, 64)
  def test_golden(self, chunk):
    table = reward_table.build(score, ROWS, 3, chunk=chunk)
    np.testing.assert_array_equal(table.ctcvr_rn, TABLE_UN[[2, 0, 1]])
    self.assertEqual(table.ctcvr_rn.dtype, np.float32)
    self.assertAlmostEqual(table.low, 0.05)
    self.assertAlmostEqual(table.high, 0.9)
    # (.6 - .05) / .85, the lowest, the highest, and a miss.
    rewards = table.reward(np.array([0, 0, 1, 1]), np.array([1, 0, 1, -1]))
    np.testing.assert_allclose(rewards, [0.55 / 0.85, 0, 1, 0], atol=1e-6)

  def test_each_chunk_has_one_shape(self):
    shapes = set()

    def watch(user_b, history_bs):
      shapes.add((user_b.shape, history_bs.shape))
      return score(user_b, history_bs)

    reward_table.build(watch, ROWS, 3, chunk=2)
    self.assertEqual(shapes, {((2,), (2, 2))})

  def test_given_bounds_stay_and_clip(self):
    table = reward_table.build(score, ROWS, 3, bounds=(0.1, 0.5))
    rewards = table.reward(np.array([0, 0, 1]), np.array([0, 1, 2]))
    np.testing.assert_allclose(rewards, [0, 1, 0.5], atol=1e-6)

  def test_items_consumed_once_have_the_lowest_value(self):
    table = reward_table.build(score, ROWS, 3, consumed_once=True)
    # Row 0 has items 0 and 2 behind it (.05, .7), row 1 item 1 (.9); what is
    # left runs from .2 to .6.
    self.assertAlmostEqual(table.low, 0.2)
    self.assertAlmostEqual(table.high, 0.6)
    np.testing.assert_allclose(
      table.ctcvr_rn,
      [[0.2, 0.6, 0.2], [0.5, 0.2, 0.3], [0.2, 0.25, 0.4]],
    )

  def test_miss_value(self):
    table = reward_table.build(score, ROWS, 3, miss=0.25)
    reward = table.reward(np.array([0]), np.array([-1]))
    np.testing.assert_allclose(reward, [0.25], atol=1e-6)

  @parameterized.parameters(
    (np.full((3, 3), 0.5, np.float32), 'no scale'),
    (np.array([[0.1, np.nan, 0.2]] * 3, np.float32), 'row 0 and item 1 is nan'),
    (np.array([[0.1, 0.3, 1.5]] * 3, np.float32), 'item 2 is 1.5'),
  )
  def test_bad_scores_are_named(self, table_un, message):
    with self.assertRaisesRegex(UserError, message):
      reward_table.build(lambda user_b, _: table_un[user_b], ROWS, 3)

  def test_no_rows_and_bad_miss(self):
    with self.assertRaisesRegex(UserError, 'no rows'):
      reward_table.build(score, ROWS.take(np.arange(0)), 3)
    with self.assertRaisesRegex(UserError, 'miss value is 2'):
      reward_table.build(score, ROWS, 3, miss=2.0)


if __name__ == '__main__':
  absltest.main()
