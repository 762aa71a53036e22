import math
import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import statistics

# Two near pairs; item 4 is alone.
VECTORS = np.float32([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, -1]])
CODES = np.array([[0, 0], [0, 1], [1, 2], [1, 2], [0, 3]])


class StatisticsTest(absltest.TestCase):
  def test_golden(self):
    found = statistics.describe(CODES, 4, VECTORS, VECTORS, count=1)
    self.assertEqual((found.items, found.levels, found.codes), (5, 2, 4))
    self.assertEqual(found.error, 0.0)
    self.assertEqual(found.used_l, (2, 4))
    # Entropies of 3/5, 2/5 and of 1/5, 1/5, 2/5, 1/5.
    first = -0.6 * math.log(0.6) - 0.4 * math.log(0.4)
    second = -0.6 * math.log(0.2) - 0.4 * math.log(0.4)
    np.testing.assert_allclose(
      found.perplexity_l, [math.exp(first), math.exp(second)]
    )
    # 0, 1 and 4 are alone; four different IDs; two items have one.
    self.assertAlmostEqual(found.unique, 0.6)
    self.assertAlmostEqual(found.distinct, 0.8)
    self.assertEqual(found.largest, 2)
    self.assertEqual((found.shared_items, found.shared_ids), (2, 1))
    # The nearest of 0, 1, 2, 3 shares the first code, and that of 2 and 3 the
    # second; that of 4 is 1 or 3 (a tie at -.77, 1 comes first): shares one.
    np.testing.assert_allclose(found.near_l, [1.0, 0.4])
    # Of 20 ordered pairs 3 2 + 2 1 have the first, 2 both.
    np.testing.assert_allclose(found.chance_l, [0.4, 0.1])

  def test_error_is_relative(self):
    mean_nd = np.broadcast_to(VECTORS.mean(0), VECTORS.shape)
    found = statistics.describe(CODES, 4, VECTORS, mean_nd, count=1)
    self.assertAlmostEqual(found.error, 1.0, places=6)
    self.assertIsNone(statistics.describe(CODES, 4, VECTORS).error)

  def test_level_means(self):
    # Mean 4. Level 0: -3.5 of 0 and 1, +3.5 of 7 and 8. Level 1: what is left
    # is -.5, .5, -.5, .5; code 0 has the first and the last (mean 0), 1 the
    # second, 2 the third.
    vector_nd = np.array([[0.0], [1.0], [7.0], [8.0]])
    code_nl = np.array([[0, 0], [0, 1], [1, 2], [1, 0]])
    found = statistics.level_means(code_nl, 3, vector_nd)
    np.testing.assert_allclose(found[:, 0], [0.5, 1.0, 7.0, 7.5])
    told = statistics.describe(code_nl, 3, vector_nd)
    # .25 + .25 over 16 + 9 + 9 + 16.
    self.assertAlmostEqual(told.fitted, 0.5 / 50)

  def test_means_of_one_code_explain_nothing(self):
    found = statistics.describe(np.zeros((5, 2), int), 4, VECTORS)
    self.assertAlmostEqual(found.fitted, 1.0)

  def test_equal_use_is_the_most_perplexing(self):
    code_nl = np.arange(64)[:, None] % 8
    found = statistics.describe(code_nl, 8, np.eye(64))
    np.testing.assert_allclose(found.perplexity_l, [8.0])

  def test_a_sample_for_the_neighbours(self):
    rng = np.random.default_rng(0)
    code_nl = rng.integers(0, 3, (400, 1))
    vector_nd = np.eye(3)[code_nl[:, 0]] + 0.01 * rng.normal(size=(400, 3))
    found = statistics.describe(code_nl, 3, vector_nd, most=60)
    np.testing.assert_allclose(found.near_l, [1.0])

  def test_equal_vectors_and_one_item(self):
    found = statistics.describe(CODES, 4, np.ones((5, 2)), count=2)
    self.assertTrue(0 <= found.near_l[0] <= 1)
    found = statistics.describe(CODES[:1], 4, VECTORS[:1])
    self.assertEqual((found.near_l, found.neighbours), ((0.0, 0.0), 0))

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'the IDs hold 3 for item 4'):
      statistics.describe(CODES, 3, VECTORS)


if __name__ == '__main__':
  absltest.main()
