"""Items that the logs point to, by hand."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.evidence import Followers, candidates

# Of five items: 0 -> 1 (3 times), 0 -> 4 (1), 2 -> 4 (1), 3 -> 0 (2).
_FOLLOWERS = Followers(
  5,
  np.array([0 * 5 + 1, 0 * 5 + 4, 2 * 5 + 4, 3 * 5 + 0]),
  np.array([3, 1, 1, 2]),
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
    self.assertEqual(candidates(_FOLLOWERS, history, least), items)

  def test_nothing_was_counted(self):
    empty = Followers(5, np.array([-1]), np.array([0]))
    self.assertEqual(candidates(empty, (0, 4)), [])


if __name__ == '__main__':
  absltest.main()
