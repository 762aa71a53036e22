"""The benchmark of semantic IDs: that the rival does the same."""

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import semantic_ids, semantic_ids_rival
from taiji_jax.quantize import kmeans, residual

VECTORS = semantic_ids_rival.made(300, 5)


class RivalTest(absltest.TestCase):
  def test_a_level_is_ours(self):
    start_kd = VECTORS[:7]
    center_kd = start_kd
    for _ in range(3):
      code_n = semantic_ids_rival.nearest(VECTORS, center_kd)
      center_kd = semantic_ids_rival.means(VECTORS, code_n, center_kd)
    ours = kmeans.lloyd(
      jnp.asarray(VECTORS), start_kd, iterations=3, tolerance=0.0
    )
    np.testing.assert_allclose(ours.center_kd, center_kd, atol=1e-4)

  def test_codes_are_ours(self):
    codebook_lkd = semantic_ids_rival.fit(VECTORS, 2, 6, iterations=4)
    self.assertEqual(codebook_lkd.shape, (2, 6, 5))
    code_nl = semantic_ids_rival.encode(VECTORS, codebook_lkd)
    same = code_nl == np.asarray(residual.encode(VECTORS, codebook_lkd))
    self.assertGreater(same.mean(), 0.99)
    error = semantic_ids_rival.error(VECTORS, code_nl, codebook_lkd)
    own_nd = residual.decode(code_nl, codebook_lkd)
    spread = VECTORS.var(0).sum()
    wanted = ((VECTORS - own_nd) ** 2).sum(1).mean() / spread
    self.assertAlmostEqual(error, float(wanted), places=4)

  def test_a_code_without_rows_stays(self):
    center_kd = np.float32([[0, 0], [9, 9]])
    found = semantic_ids_rival.means(
      np.float32([[1, 2], [3, 4]]), np.zeros(2, int), center_kd
    )
    np.testing.assert_array_equal(found, [[2, 3], [9, 9]])


class RepeatedTest(absltest.TestCase):
  def test_parts(self):
    many = semantic_ids.Repeated(VECTORS[:4], 10)
    self.assertEqual((many.shape, len(many)), ((10, 5), 10))
    np.testing.assert_array_equal(many[3:7], VECTORS[[3, 0, 1, 2]])
    self.assertLen(many[8:99], 2)


if __name__ == '__main__':
  absltest.main()
