from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.rank import percentile

INF = np.float32(np.inf)


def plain(score_n):
  """The definition, item by item."""
  return [
    0.5
    if len(score_n) == 1
    else ((score_n < s).sum() + 0.5 * ((score_n == s).sum() - 1))
    / (len(score_n) - 1)
    for s in score_n
  ]


def some_scores(rows=6, items=23, seed=0):
  rng = np.random.default_rng(seed)
  score_bn = rng.integers(-4, 5, (rows, items)).astype(np.float32)
  score_bn[rng.random(score_bn.shape) < 0.2] = -np.inf
  return score_bn


class PercentileTest(parameterized.TestCase):
  def test_golden(self):
    # Of 5: -inf twice, so (0 + 1/2) / 4; 1 above two: 2 / 4; 3 twice:
    # (3 + 1/2) / 4.
    found = percentile.of_all(np.float32([[3, -INF, 1, -INF, 3]]))
    np.testing.assert_allclose(found, [[0.875, 0.125, 0.5, 0.125, 0.875]])

  def test_equals_the_definition(self):
    score_bn = some_scores()
    found_bn = percentile.of_all(score_bn)
    np.testing.assert_allclose(found_bn, [plain(s) for s in score_bn], 1e-6)
    np.testing.assert_allclose(np.mean(found_bn, -1), 0.5, rtol=1e-5)

  def test_items_asked_for_equal_all(self):
    score_bn = some_scores()
    item_bm = np.random.default_rng(1).integers(0, 23, (6, 5))
    np.testing.assert_array_equal(
      percentile.of_items(score_bn, item_bm),
      np.take_along_axis(np.asarray(percentile.of_all(score_bn)), item_bm, 1),
    )

  def test_one_item(self):
    one = np.float32([[7.0], [-INF]])
    np.testing.assert_array_equal(percentile.of_all(one), [[0.5], [0.5]])
    np.testing.assert_array_equal(
      percentile.of_items(one, np.zeros((2, 1), np.int32)), [[0.5], [0.5]]
    )

  @parameterized.parameters(np.exp, lambda x: 3 * x - 7, np.tanh)
  def test_only_the_order_counts(self, rising):
    score_bn = some_scores()
    score_bn[:, 0] = 0.25  # A value of its own.
    with np.errstate(over='ignore'):
      other_bn = rising(score_bn / 4)
    np.testing.assert_array_equal(
      percentile.of_all(score_bn), percentile.of_all(other_bn)
    )

  def test_a_row_does_not_depend_on_the_others(self):
    score_bn = some_scores()
    alone = [percentile.of_all(score_bn[i : i + 1])[0] for i in range(6)]
    np.testing.assert_array_equal(percentile.of_all(score_bn), alone)


if __name__ == '__main__':
  absltest.main()
