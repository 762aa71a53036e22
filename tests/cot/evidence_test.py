"""Items that the logs point to, by hand."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.evidence import Followers
from taiji_jax.retrieve.counts import Pairs

# Of five items: 0 -> 1 (3 times), 0 -> 4 (1), 2 -> 4 (1), 3 -> 0 (2).
_FOLLOWERS = Followers(
  Pairs(
    5,
    np.array([0 * 5 + 1, 0 * 5 + 4, 2 * 5 + 4, 3 * 5 + 0]),
    np.array([3, 1, 1, 2]),
  )
)


class CandidatesTest(parameterized.TestCase):
  @parameterized.parameters(
    ((0,), 2, [1]),
    ((0,), 1, [1, 4]),
    # 4 came once after either.
    ((0, 2), 2, [1, 4]),
    ((3, 0), 2, [0, 1]),
    ((1, 4), 1, []),
    ((), 1, []),
  )
  def test_by_hand(self, history, least, items):
    self.assertEqual(_FOLLOWERS.candidates(history, least), items)

  def test_nothing_was_counted(self):
    nothing = np.zeros(0, np.int64)
    empty = Followers(Pairs(5, nothing, nothing))
    self.assertEqual(empty.candidates((0, 4)), [])
    self.assertEqual(empty.count((0, 4), 1).tolist(), [0, 0])

  @parameterized.parameters(
    ((0,), 2, [1, 4]), ((3, 0), 2, [1, 4]), ((0, 2), 1, [1]), ((), 1, [])
  )
  def test_ranked(self, history, count, items):
    self.assertEqual(_FOLLOWERS.ranked(history, count), items)


if __name__ == '__main__':
  absltest.main()
