"""Sparse matrices against dense ones."""

from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.retrieve import sparse, top
from taiji_jax.retrieve.sparse import Sparse


def random(rng, rows, columns, share):
  """Returns a matrix and the same dense, of whole numbers."""
  dense = rng.integers(1, 9, (rows, columns)) * (
    rng.random((rows, columns)) < share
  )
  row, column = np.nonzero(dense)
  order = rng.permutation(len(row))
  row, column = row[order], column[order]
  return Sparse.of(rows, columns, row, column, dense[row, column]), dense


class SparseTest(parameterized.TestCase):
  def test_entries_of_one_cell_are_added_up(self):
    made = Sparse.of(
      3, 4, np.array([2, 0, 2]), np.array([1, 3, 1]), np.array([0.5, 1, 2])
    )
    self.assertEqual(made.start_n.tolist(), [0, 1, 1, 2])
    self.assertEqual(made.column_q.tolist(), [3, 1])
    self.assertEqual(made.value_q.tolist(), [1, 2.5])
    np.testing.assert_array_equal(Sparse.identity(3).dense(), np.eye(3))

  @parameterized.product(seed=(0, 1, 2), share=(0.0, 0.05, 0.4, 1.0))
  def test_equals_dense(self, seed, share):
    rng = np.random.default_rng(seed)
    a, dense_a = random(rng, 9, 7, share)
    b, dense_b = random(rng, 7, 11, share)
    c, dense_c = random(rng, 9, 7, 0.3)
    np.testing.assert_array_equal(a.dense(), dense_a)
    np.testing.assert_array_equal(a.sums(), dense_a.sum(1))
    np.testing.assert_array_equal(a.transposed().dense(), dense_a.T)
    np.testing.assert_array_equal(a.plus(c).dense(), dense_a + dense_c)
    np.testing.assert_array_equal(a.times(b).dense(), dense_a @ dense_b)
    with mock.patch.object(sparse, '_CELLS', 20):
      product = a.times(b)
    np.testing.assert_array_equal(product.dense(), dense_a @ dense_b)
    self.assertEqual((product.rows, product.columns), (9, 11))
    total = dense_a.sum(1, keepdims=True)
    np.testing.assert_allclose(
      a.normalised().dense(), dense_a / np.maximum(total, 1), rtol=1e-6
    )
    np.testing.assert_allclose(
      a.normalised(2.0).dense(), dense_a / (total + 2), rtol=1e-6
    )

  @parameterized.product(seed=(0, 1), share=(0.0, 0.05, 0.6))
  def test_rows_are_added_densely_or_not(self, seed, share):
    rng = np.random.default_rng(seed)
    matrix, dense = random(rng, 9, 30, share)
    row_b = rng.integers(-1, 9, 20)
    weight_b = rng.random(20).astype(np.float32)
    expected = np.ones((20, 30)) + np.where(
      row_b[:, None] >= 0, weight_b[:, None] * dense[row_b], 0
    )
    out = np.ones((20, 30), np.float32)
    matrix.add_rows(out, row_b, weight_b)
    np.testing.assert_allclose(out, expected, rtol=1e-6)

  @parameterized.product(share=(0.0, 0.2, 1.0), largest=(0, 1 << 26))
  def test_cells_are_read_densely_or_not(self, share, largest):
    rng = np.random.default_rng(0)
    matrix, dense = random(rng, 9, 30, share)
    row, column = rng.integers(9, size=(5, 1)), rng.integers(30, size=(1, 8))
    with mock.patch.object(sparse, '_LARGEST', largest):
      found = matrix.reader()(row, column)
    np.testing.assert_array_equal(found, dense[row, column])

  def test_expand(self):
    matrix = Sparse.of(
      3, 4, np.array([0, 2, 2]), np.array([3, 0, 1]), np.array([1, 2, 3])
    )
    i, column, value = matrix.expand(np.array([2, -1, 1, 0, 2]))
    self.assertEqual(i.tolist(), [0, 0, 3, 4, 4])
    self.assertEqual(column.tolist(), [0, 1, 3, 0, 1])
    self.assertEqual(value.tolist(), [2, 3, 1, 2, 3])


class TopTest(parameterized.TestCase):
  @parameterized.product(seed=(0, 1), count=(1, 4, 12, 15))
  def test_equals_a_stable_sort(self, seed, count):
    rng = np.random.default_rng(seed)
    score_bn = rng.integers(0, 4, (20, 12)).astype(np.float64)
    score_bn[rng.random(score_bn.shape) < 0.3] = -np.inf
    found = top.best(score_bn, count)
    self.assertEqual(found.shape, (20, count))
    for score_n, item_k in zip(score_bn, found, strict=True):
      order = np.argsort(-score_n, kind='stable')
      expected = order[score_n[order] > -np.inf][:count]
      self.assertEqual(item_k[item_k >= 0].tolist(), expected.tolist())
      self.assertTrue((item_k[len(expected) :] == -1).all())

  def test_no_row(self):
    self.assertEqual(top.best(np.zeros((0, 3)), 2).shape, (0, 2))


if __name__ == '__main__':
  absltest.main()
