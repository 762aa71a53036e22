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

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import vectors


def dense_pmi(first, second, items, smoothing):
  count = np.zeros((items, items))
  for i, j in zip(first, second, strict=True):
    count[i, j] += 1
    count[j, i] += 1
  total = count.sum(1)
  smooth = total**smoothing / (total**smoothing).sum()
  with np.errstate(divide='ignore', invalid='ignore'):
    pmi = np.log(count / count.sum() / (total / total.sum())[:, None] / smooth)
  return np.where(count > 0, np.maximum(pmi, 0), 0)


class NextPairsTest(absltest.TestCase):
  def test_golden(self):
    first, second = vectors.next_pairs([[3, 1, 2], [5], [], [1, 1]])
    self.assertEqual(first.tolist(), [3, 1, 1])
    self.assertEqual(second.tolist(), [1, 2, 1])

  def test_none(self):
    self.assertEmpty(vectors.next_pairs([])[0])


class CoOccurrenceTest(parameterized.TestCase):
  def test_golden(self):
    # Pairs 0-1 twice and 2-3 once, in either order: 6 counts. Unsmoothed,
    # P(0) = P(1) = 1/3, P(2) = P(3) = 1/6: log(1/3 / (1/9)) = log 3,
    # log(1/6 / (1/36)) = log 6.
    pmi = vectors._positive_pmi([0, 1, 2], [1, 0, 3], 5, 1.0).toarray()
    wanted = np.zeros((5, 5))
    wanted[0, 1] = wanted[1, 0] = math.log(3)
    wanted[2, 3] = wanted[3, 2] = math.log(6)
    np.testing.assert_allclose(pmi, wanted, atol=1e-12)

  @parameterized.parameters(0.5, 0.75, 1.0)
  def test_spans_the_best_approximation(self, smoothing):
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 12, (2, 60))
    pmi = dense_pmi(first, second, 12, smoothing)
    u, s, _ = np.linalg.svd(pmi)
    found = vectors.co_occurrence(first, second, 12, 4, smoothing=smoothing)
    # U S U' does not depend on the signs of the vectors.
    np.testing.assert_allclose(
      found @ found.T, (u[:, :4] * s[:4]) @ u[:, :4].T, atol=1e-4
    )
    norms = np.linalg.norm(found, axis=0)
    self.assertTrue((np.diff(norms) <= 1e-6).all())

  def test_the_same_every_time(self):
    pairs = np.random.default_rng(1).integers(0, 30, (2, 200))
    one, two = (vectors.co_occurrence(*pairs, 30, 5) for _ in range(2))
    np.testing.assert_array_equal(one, two)

  def test_who_goes_together_is_near_and_the_lonely_are_0(self):
    sequences = [[0, 1, 2, 0, 2, 1], [3, 4, 5, 3, 5, 4], [0, 2, 1, 0]]
    found = vectors.co_occurrence(*vectors.next_pairs(sequences), 7, 2)
    unit = found[:6] / np.linalg.norm(found[:6], axis=1, keepdims=True)
    cosine = unit @ unit.T
    self.assertGreater(cosine[:3, :3].min(), cosine[:3, 3:].max() + 0.5)
    np.testing.assert_array_equal(found[6], 0)

  @parameterized.parameters(
    (([], []), {}, 'no pair of items'),
    (([0], [9]), {}, 'item 9 is in a pair, with 4 items'),
    (([-1], [0]), {}, 'item -1 is in a pair'),
    (([0], [1]), {'width': 4}, 'width is 4 with 4 items'),
    (([0], [1]), {'width': 2, 'smoothing': 0.0}, 'smoothing is 0.0'),
  )
  def test_refuses(self, pairs, options, message):
    with self.assertRaisesRegex(UserError, message):
      vectors.co_occurrence(*pairs, 4, **options)


class JoinedTest(parameterized.TestCase):
  def test_each_source_weighs_the_same(self):
    # Norms 5 and 5; 1 and 0, mean 1/2.
    found = vectors.joined([[[3, 4], [0, 5]], [[1], [0]]])
    np.testing.assert_allclose(found, [[0.6, 0.8, 2], [0, 1, 0]], rtol=1e-6)
    found = vectors.joined([[[3, 4], [0, 5]], [[1], [0]]], [2.0, 0.5])
    np.testing.assert_allclose(found, [[1.2, 1.6, 1], [0, 2, 0]], rtol=1e-6)
    self.assertEqual(found.dtype, np.float32)

  @parameterized.parameters(
    ([], None, '0 sources'),
    ([np.ones((2, 1))], [1.0, 2.0], '1 sources of vectors and 2 weights'),
    ([np.ones((2, 1)), np.ones((3, 1))], None, 'source 1 has vectors of 3'),
    ([np.ones((2, 1)), np.zeros((2, 1))], None, 'of source 1 are 0'),
    ([np.ones(2)], None, r'source 0 have the shape \(2,\)'),
    ([np.ones((0, 3))], None, 'at least one row'),
  )
  def test_refuses(self, sources, weights, message):
    with self.assertRaisesRegex(UserError, message):
      vectors.joined(sources, weights)


if __name__ == '__main__':
  absltest.main()
