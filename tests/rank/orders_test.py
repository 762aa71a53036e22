from absl.testing import absltest
import numpy as np

from taiji_jax.rank import orders
from taiji_jax.types import Rows

SCORE_RN = np.array(
  [[3, 1, 2, 2, -np.inf], [0, 5, 4, 1, 1], [1, 1, 1, 1, 1]], np.float32
)
ROWS = Rows(
  event_r=np.arange(3),
  user_r=np.arange(3, dtype=np.int32),
  target_r=np.array([2, 1, 4], np.int32),
  history_rs=np.full((3, 1), -1, np.int32),
)


def order(rows=ROWS):
  return orders.of(
    lambda user_b, _: SCORE_RN[user_b],
    rows,
    5,
    np.array([[0], [-1], [3]])[: len(rows)],
    np.array([[[0, 1, 3], [4, -1, -1]], [[0, 2, 3], [-1, -1, -1]],
              [[0, 1, 2], [3, 3, 3]]])[: len(rows)],
  )  # fmt: skip


class OrdersTest(absltest.TestCase):
  def test_golden(self):
    found = order()
    # Row 0: truth 2 ties with one above two: (2 + 1/2) / 4; item 0 is best.
    np.testing.assert_allclose(
      found.percentile_rm, [[0.625, 1], [1, np.nan], [0.5, 0.5]]
    )
    # Row 0 against 3, 1, 2: one lost, one won, one tied.
    np.testing.assert_allclose(
      found.auc_rj, [[0.5, 1], [1, np.nan], [0.5, 0.5]]
    )

  def test_hits(self):
    # Above the truth: 1 1/2, 0 and 2 items.
    for k, expected in ((1, [0, 1, 0]), (2, [1, 1, 0]), (3, [1, 1, 1])):
      np.testing.assert_array_equal(order().hits(k, 5), expected)

  def test_a_row_alone(self):
    alone = order(ROWS.take(np.array([0])))
    np.testing.assert_array_equal(
      alone.percentile_rm, order().percentile_rm[:1]
    )


if __name__ == '__main__':
  absltest.main()
