from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import reward_table
from taiji_jax.types import Rows

ROWS = Rows(
  event_r=np.arange(3),
  user_r=np.array([2, 0, 1], np.int32),
  target_r=np.array([1, 2, 0], np.int32),
  history_rs=np.array([[0, 2], [1, -1], [-1, -1]], np.int32),
)
SCORE_UN = np.array(
  [[0.5, 9.0, -3.0], [0.2, -np.inf, 0.2], [0.05, 0.6, 0.7]], np.float32
)


def score(user_b, history_bs):
  del history_bs
  return SCORE_UN[user_b]


class RewardTableTest(absltest.TestCase):
  def test_golden(self):
    table = reward_table.build(score, ROWS, 3, miss=0.25)
    self.assertEqual(table.reward_rn.dtype, np.float32)
    # Users 2, 0, 1; a tie of two above one is (1 + 1/2) / 2.
    np.testing.assert_allclose(
      table.reward_rn, [[0, 0.5, 1], [0.5, 1, 0], [0.75, 0, 0.75]]
    )
    rewards = table.reward(np.array([0, 1, 2]), np.array([2, 1, -1]))
    np.testing.assert_allclose(rewards, [1, 1, 0.25])

  def test_a_row_has_the_same_values_alone(self):
    whole = reward_table.build(score, ROWS, 3).reward_rn
    for r in range(3):
      alone = reward_table.build(score, ROWS.take(np.array([r])), 3)
      np.testing.assert_array_equal(alone.reward_rn[0], whole[r])

  def test_the_scale_of_a_row_does_not_count(self):
    def longer_trained(user_b, history_bs):
      # Each user's scores in a rising form of their own.
      return score(user_b, history_bs) * (1 + user_b[:, None]) + user_b[:, None]

    np.testing.assert_array_equal(
      reward_table.build(score, ROWS, 3).reward_rn,
      reward_table.build(longer_trained, ROWS, 3).reward_rn,
    )

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'row 0 and item 1 is NaN'):
      reward_table.build(
        lambda user_b, _: np.where(SCORE_UN == 0.6, np.nan, SCORE_UN)[user_b],
        ROWS,
        3,
      )
    with self.assertRaisesRegex(UserError, 'no rows'):
      reward_table.build(score, ROWS.take(np.arange(0)), 3)
    with self.assertRaisesRegex(UserError, 'miss value is 2'):
      reward_table.build(score, ROWS, 3, miss=2.0)


if __name__ == '__main__':
  absltest.main()
