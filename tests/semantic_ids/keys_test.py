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
from taiji_jax.semantic_ids import keys


class KeysTest(parameterized.TestCase):
  def test_golden(self):
    np.testing.assert_array_equal(
      keys.of(np.array([[0, 3], [2, 1], [0, 3]]), 4), [3, 9, 3]
    )

  @parameterized.parameters((3, 5), (8, 2048), (30, 7), (1, 2), (0, 4))
  def test_equal_where_the_codes_are(self, levels, codes):
    rng = np.random.default_rng(0)
    code_nl = rng.integers(codes - 2, codes, (60, levels))
    key_n = keys.of(code_nl, codes)
    same_nn = (code_nl[:, None] == code_nl).all(-1)
    np.testing.assert_array_equal(key_n[:, None] == key_n, same_nn)

  def test_groups(self):
    found = keys.groups(np.array([5, 2, 5, 7, 2, 5]))
    self.assertEqual([rows.tolist() for rows in found], [[1, 4], [0, 2, 5]])
    found = keys.groups(np.array([5, 2, 5]), 1)
    self.assertEqual([rows.tolist() for rows in found], [[1], [0, 2]])
    self.assertEmpty(keys.groups(np.zeros(0, int), 1))
    self.assertEmpty(keys.groups(np.arange(4)))

  @parameterized.parameters(
    (np.array([[0, 1], [4, 0]]), r'IDs hold 4 for item 1 on level 0, with 4 c'),
    (np.array([[0, -1]]), 'IDs hold -1 for item 0 on level 1'),
    (np.array([0, 1]), r'shape \(2,\)'),
    (np.array([[0.5]]), 'type float64; give whole numbers'),
  )
  def test_refuses(self, code_nl, message):
    with self.assertRaisesRegex(UserError, message):
      keys.check(code_nl, 4, 'IDs')


if __name__ == '__main__':
  absltest.main()
