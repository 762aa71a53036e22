import functools
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
import jax
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.quantize import kmeans, product

CLUSTER = functools.partial(kmeans.fit, codes=4)


class ProductTest(absltest.TestCase):
  def test_golden(self):
    # Parts of one: 0 or 5, and 1 or 2.
    codebook_mkd = np.float32([[[0], [5]], [[1], [2]]])
    code_nm = product.encode(np.float32([[4, 1.9], [1, 0]]), codebook_mkd)
    np.testing.assert_array_equal(code_nm, [[1, 1], [0, 0]])
    np.testing.assert_array_equal(
      product.decode(code_nm, codebook_mkd), [[5, 2], [0, 1]]
    )

  def test_each_part_by_itself(self):
    x_nd = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    key = jax.random.key(3)
    codebook_mkd, code_nm = jax.jit(
      lambda key, x: product.fit(key, x, 3, CLUSTER)
    )(key, x_nd)
    self.assertEqual(codebook_mkd.shape, (3, 4, 2))
    np.testing.assert_array_equal(code_nm, product.encode(x_nd, codebook_mkd))
    for m, own in enumerate(jax.random.split(key, 3)):
      alone = CLUSTER(own, x_nd[:, 2 * m : 2 * m + 2])
      np.testing.assert_allclose(codebook_mkd[m], alone.center_kd, atol=1e-5)
      np.testing.assert_array_equal(code_nm[:, m], alone.code_n)
    error = ((product.decode(code_nm, codebook_mkd) - x_nd) ** 2).mean()
    self.assertLess(error, 0.5)

  def test_chunks(self):
    x_nd = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    codebook_mkd = x_nd[:10].reshape(2, 5, 4)[..., :2]
    one, other = (product.encode(x_nd, codebook_mkd, chunk=c) for c in (4, 30))
    np.testing.assert_array_equal(one, other)

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'parts is 3, .* width 4'):
      product.fit(jax.random.key(0), np.ones((5, 4)), 3, CLUSTER)
    with self.assertRaisesRegex(UserError, 'width 5, the codebooks 2 parts of'):
      product.encode(np.ones((1, 5)), np.ones((2, 3, 2)))


if __name__ == '__main__':
  absltest.main()
