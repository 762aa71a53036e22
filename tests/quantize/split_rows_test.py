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
import numpy as np

from taiji_jax.quantize import split_rows


class SampleTest(parameterized.TestCase):
  @parameterized.parameters((10, 3), (10, 9), (1000, 7), (100_000, 256))
  def test_one_of_each_stretch(self, rows, many):
    found = np.asarray(split_rows.sample(jax.random.key(1), rows, many))
    edge = np.arange(many + 1) * rows // many
    self.assertTrue((found >= edge[:-1]).all())
    self.assertTrue((found < edge[1:]).all())
    self.assertLen(set(found.tolist()), many)

  @parameterized.parameters((3, 3), (3, 8), (1, 4))
  def test_all_where_there_are_no_more(self, rows, many):
    found = np.asarray(split_rows.sample(jax.random.key(0), rows, many))
    np.testing.assert_array_equal(found, np.arange(many) % rows)

  def test_another_key_other_rows(self):
    one, two = (split_rows.sample(jax.random.key(k), 999, 9) for k in (0, 1))
    self.assertFalse(np.array_equal(one, two))


class RowsTest(absltest.TestCase):
  def test_largest(self):
    x_nd = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    value_m, row_md = split_rows.largest(
      np.float32([1, 5, 5, 2]), x_nd, 3, None
    )
    np.testing.assert_array_equal(value_m, [5, 5, 2])
    np.testing.assert_array_equal(row_md, x_nd[[1, 2, 3]])

  def test_padding_is_not_real(self):
    np.testing.assert_array_equal(split_rows.real(4, 3, None), [1, 1, 1, 0])
    np.testing.assert_array_equal(split_rows.real(2, None, None), [1, 1])


if __name__ == '__main__':
  absltest.main()
