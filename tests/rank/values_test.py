from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import reward_table, values
from taiji_jax.types import Rows

R, N = 300, 9
ROWS = Rows(
  event_r=np.arange(R),
  user_r=np.arange(R, dtype=np.int32),
  target_r=np.zeros(R, np.int32),
  history_rs=np.full((R, 2), -1, np.int32),
)


class ValuesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.score_un = rng.integers(0, 6, (R, N)).astype(np.float32)
    self.rate_un = rng.random((R, N)).astype(np.float32)
    self.shapes = set()
    self.values = values.Values(
      ROWS, N, self.score, lambda u, _: self.rate_un[u], miss=0.125
    )
    self.row_q = rng.integers(0, R, (40, 10))
    self.item_q = rng.integers(-1, N, (40, 10))

  def score(self, user_b, history_bs):
    self.shapes.add((user_b.shape, history_bs.shape))
    return self.score_un[user_b]

  def test_equals_a_table(self):
    table = reward_table.build(self.score, ROWS, N, miss=0.125)
    found = self.values.reward(self.row_q, self.item_q)
    np.testing.assert_array_equal(found, table.reward(self.row_q, self.item_q))
    self.assertEqual(found.dtype, np.float32)
    np.testing.assert_array_equal(self.values.rewards_of(7), table.reward_rn[7])

  def test_rates_are_those_of_the_judge(self):
    found = self.values.ctcvr(self.row_q, self.item_q)
    expected = np.where(
      self.item_q < 0, 0, self.rate_un[self.row_q, self.item_q]
    )
    np.testing.assert_array_equal(found, expected)

  def test_chunks_have_one_shape(self):
    self.values.reward(self.row_q, self.item_q)
    self.values.reward(np.array(3), np.array(1))
    self.assertLen(self.shapes, 1)

  def test_items_of_one_row_and_none(self):
    every = self.values.reward(np.array(5), np.arange(N))
    np.testing.assert_array_equal(every, self.values.rewards_of(5))
    missed = self.values.reward(np.arange(3), np.full(3, -1))
    np.testing.assert_array_equal(missed, np.float32([0.125] * 3))
    self.assertEqual(
      self.values.reward(np.zeros(0, int), np.zeros(0, int)).shape, (0,)
    )

  def test_nan_is_named(self):
    self.score_un[4, 2] = np.nan
    with self.assertRaisesRegex(UserError, 'row 4 and item 2 is NaN'):
      self.values.reward(np.array([4]), np.array([0]))


if __name__ == '__main__':
  absltest.main()
