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
import jax.numpy as jnp
import numpy as np

from taiji_jax.quantize import chunks


class OverTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3, 5, 7, 8, 100)
  def test_any_chunk_gives_the_same(self, chunk):
    x_nd = np.arange(14.0, dtype=np.float32).reshape(7, 2)
    y_n = np.arange(7, dtype=np.float32)

    def function(carry, x_cd, y_c):
      return carry + x_cd.sum(0), {'a': x_cd * 2, 'b': y_c + 1}

    carry_d, found = chunks.over(function, jnp.zeros(2), chunk, x_nd, y_n)
    np.testing.assert_array_equal(carry_d, x_nd.sum(0))
    np.testing.assert_array_equal(found['a'], 2 * x_nd)
    np.testing.assert_array_equal(found['b'], y_n + 1)

  def test_no_more_than_a_chunk_at_once(self):
    seen = []

    def function(carry, x_c):
      seen.append(x_c.shape[0])
      return carry, x_c

    chunks.over(function, None, 4, np.arange(10.0))
    # Traced once for the scan over two chunks, and once for what is left.
    self.assertEqual(max(seen), 4)
    self.assertEqual(seen[-1], 2)


if __name__ == '__main__':
  absltest.main()
