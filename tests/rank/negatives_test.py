from absl.testing import absltest
import numpy as np

from taiji_jax.rank import negatives
from taiji_jax.types import Log, Rows

# User 0 clicked items 0, 1, 2 and saw 5; user 1 clicked 3.
LOG = Log(
  ('0', '1'),
  ({}, {}),
  np.array([0, 0, 0, 0, 1], np.int32),
  np.array([0, 1, 2, 5, 3], np.int32),
  np.arange(5),
  np.array([1, 1, 1, 0, 1], bool),
  np.zeros(5, bool),
)
ROWS = Rows(
  event_r=np.array([1, 4]),
  user_r=np.array([0, 1], np.int32),
  target_r=np.array([1, 3], np.int32),
  history_rs=np.array([[0, -1], [4, 2]], np.int32),
)


class DrawTest(absltest.TestCase):
  def test_as_likely_as_their_weight_among_the_free(self):
    weight_n = np.array([2.0, 2, 2, 1, 2, 1, 0])
    drawn_rm = negatives.draw(weight_n, LOG, ROWS, 8000, seed=0)
    # Row 0: items 3, 4, 5 are free, 1 : 2 : 1. Row 1, with 4 and 2 behind it:
    # 0, 1, 5 are, 2 : 2 : 1.
    count = [np.bincount(x, minlength=7) / 8000 for x in drawn_rm]
    np.testing.assert_allclose(
      count[0], [0, 0, 0, 0.25, 0.5, 0.25, 0], atol=0.02
    )
    np.testing.assert_allclose(
      count[1], np.array([2, 2, 0, 0, 0, 1, 0]) / 5, atol=0.02
    )

  def test_by_seed(self):
    one, same, other = (
      negatives.draw(np.ones(7), LOG, ROWS, 30, seed=s) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    self.assertFalse(np.array_equal(one, other))

  def test_nothing_is_free(self):
    weight_n = np.array([1.0, 1, 1, 0, 0, 0, 0])
    drawn_rm = negatives.draw(weight_n, LOG, ROWS, 5, seed=0)
    np.testing.assert_array_equal(drawn_rm[0], [-1] * 5)
    self.assertTrue((drawn_rm[1] >= 0).all())
    np.testing.assert_array_equal(
      negatives.draw(np.zeros(7), LOG, ROWS, 2, seed=0), [[-1] * 2] * 2
    )


if __name__ == '__main__':
  absltest.main()
