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

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.quantize import balanced, kmeans, residual

CLUSTER = functools.partial(kmeans.fit, codes=6)


@functools.partial(jax.jit, static_argnames=('levels', 'cluster'))
def fitted(key, x_nd, levels, cluster=CLUSTER):
  return residual.fit(key, x_nd, levels, cluster)


def rows_of(rows=150, width=4, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(rows, width)).astype(np.float32)


class EncodeTest(parameterized.TestCase):
  CODEBOOKS = np.float32([[[0], [10]], [[-1], [1]]])

  def test_golden(self):
    # 9.2 - 10 = -.8, nearest -1; 1.5 - 0 = 1.5, nearest 1.
    x_nd = np.float32([[9.2], [1.5]])
    code_nl = residual.encode(x_nd, self.CODEBOOKS)
    np.testing.assert_array_equal(code_nl, [[1, 0], [0, 1]])
    decoded = residual.decode(code_nl, self.CODEBOOKS)
    np.testing.assert_array_equal(decoded[:, 0], [9.0, 1.0])
    first = residual.decode(code_nl[:, :1], self.CODEBOOKS)
    np.testing.assert_array_equal(first[:, 0], [10.0, 0.0])
    self.assertEqual(code_nl.dtype, jnp.int32)

  @parameterized.parameters(1, 7, 200)
  def test_equals_numpy(self, chunk):
    x_nd, codebook_lkd = rows_of(), rows_of(18, seed=1).reshape(3, 6, 4)
    found = residual.encode(x_nd, codebook_lkd, chunk=chunk)
    rest_nd, wanted = x_nd.astype(np.float64), []
    for codebook_kd in codebook_lkd:
      code_n = ((rest_nd[:, None] - codebook_kd) ** 2).sum(-1).argmin(1)
      rest_nd = rest_nd - codebook_kd[code_n]
      wanted.append(code_n)
    np.testing.assert_array_equal(found, np.stack(wanted, 1))

  def test_prices_of_each_level(self):
    # The price of 3 sends 4.5 from 0 (20.25) to 10 (30.25 - 20).
    price_lk = np.float32([[0, -20], [0, 0]])
    code_nl = residual.encode(np.float32([[4.5]]), self.CODEBOOKS, price_lk)
    np.testing.assert_array_equal(code_nl, [[1, 0]])


class FitTest(absltest.TestCase):
  def test_codes_are_those_of_encode(self):
    x_nd = rows_of()
    found = fitted(jax.random.key(0), x_nd, 3)
    self.assertEqual(found.codebook_lkd.shape, (3, 6, 4))
    np.testing.assert_array_equal(
      found.code_nl, residual.encode(x_nd, found.codebook_lkd)
    )

  def test_each_level_takes_away_error(self):
    x_nd = rows_of()
    found = fitted(jax.random.key(1), x_nd, 3)
    errors = [
      ((x_nd - residual.decode(found.code_nl[:, :level], found.codebook_lkd))
       ** 2).mean()
      for level in range(4)
    ]  # fmt: skip
    self.assertTrue((np.diff(errors) < 0).all(), errors)
    self.assertLess(errors[-1], 0.2 * errors[0])

  def test_balanced_on_every_level(self):
    cluster = functools.partial(balanced.fit, codes=5)
    found = fitted(jax.random.key(0), rows_of(), 2, cluster)
    for code_n in np.asarray(found.code_nl).T:
      np.testing.assert_array_equal(np.bincount(code_n), [30] * 5)
    self.assertGreater(np.abs(found.price_lk).max(), 0)


if __name__ == '__main__':
  absltest.main()
