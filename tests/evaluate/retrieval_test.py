from absl.testing import absltest
import numpy as np

from taiji_jax.evaluate import retrieval


class TargetRankTest(absltest.TestCase):
  def test_golden(self):
    # Cosines with (1, 0): 1, 0, -1, .6 / 1 = .6; lengths do not matter.
    pool_nd = np.array([[5.0, 0], [0, 1], [-1, 0], [0.6, 0.8]])
    query_rd = np.array([[2.0, 0]] * 4)
    rank_r = retrieval.target_rank(query_rd, pool_nd, np.arange(4))
    np.testing.assert_array_equal(rank_r, [0, 2, 3, 1])

  def test_ties_go_by_index(self):
    pool_nd = np.array([[0.0, 1], [1, 0], [3, 0], [1, 0]])
    query_rd = np.array([[1.0, 0]] * 4)
    rank_r = retrieval.target_rank(query_rd, pool_nd, np.arange(4))
    np.testing.assert_array_equal(rank_r, [3, 0, 1, 2])

  def test_equals_a_stable_sort(self):
    rng = np.random.default_rng(0)
    pool_nd = rng.normal(size=(40, 8)).astype(np.float32)
    pool_nd[20:] = pool_nd[:20]
    query_rd = rng.normal(size=(30, 8)).astype(np.float32)
    target_r = rng.integers(0, 40, 30)
    expected = []
    for query, target in zip(query_rd, target_r, strict=True):
      near = [
        round(float(query @ x / np.linalg.norm(x) / np.linalg.norm(query)), 5)
        for x in pool_nd
      ]
      order = sorted(range(40), key=lambda n, near=near: (-near[n], n))
      expected.append(order.index(target))
    for chunk in (7, 100):
      np.testing.assert_array_equal(
        retrieval.target_rank(query_rd, pool_nd, target_r, chunk), expected
      )


class HitRateTest(absltest.TestCase):
  def test_title_hit_rate(self):
    pool_nd = np.eye(3) + 0.1 * np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    query_rd = np.array([[1.0, 0, 0]] * 4)
    # Near (1, 0, 0): item 0, then 2, then 1.
    hits = retrieval.title_hit_rate(
      query_rd,
      np.array([True, True, True, False]),
      pool_nd,
      np.array([0, 1, 2, 0]),
      tops=(1, 2),
    )
    np.testing.assert_array_equal(hits[1], [1, 0, 0, 0])
    np.testing.assert_array_equal(hits[2], [1, 0, 1, 0])

  def test_list_hit_rate(self):
    ranked_rk = np.array([[4, 2, 1], [3, -1, -1]])
    hits = retrieval.list_hit_rate(ranked_rk, np.array([2, 0]), tops=(1, 2, 9))
    np.testing.assert_array_equal(hits[1], [0, 0])
    np.testing.assert_array_equal(hits[2], [1, 0])
    np.testing.assert_array_equal(hits[9], [1, 0])


class CosineTest(absltest.TestCase):
  def test_golden(self):
    # 3-4-5: (3*4 + 4*3) / 25 = .96; opposite: -1; a zero vector: 0.
    a_rd = np.array([[3.0, 4], [1, 1], [0, 0]], np.float32)
    b_rd = np.array([[4.0, 3], [-7, -7], [1, 0]], np.float32)
    cosine_r = retrieval.cosine(a_rd, b_rd)
    np.testing.assert_allclose(cosine_r, [0.96, -1, 0], atol=1e-6)
    self.assertGreaterEqual(cosine_r.min(), -1)


if __name__ == '__main__':
  absltest.main()
