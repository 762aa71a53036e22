from absl.testing import absltest
import numpy as np

from taiji_jax.evaluate import groups
from taiji_jax.types import Catalog, Rows

CATALOG = Catalog(
  tuple('abcd'), tuple('ABCD'), (('X', 'Y'), ('X',), ('W', 'Y'), ())
)


def rows_of(history, target=0):
  history_rs = np.array(history, np.int32)
  none = np.zeros(len(history), np.int32)
  return Rows(none, none, none + target, history_rs)


ROWS = rows_of([[0, 1, 2, 2], [0, 1, 3, -1], [3, -1, -1, -1], [-1] * 4])


class GroupsTest(absltest.TestCase):
  def test_golden(self):
    # X twice, W twice: ln 2; X alone; nothing known; nothing at all.
    np.testing.assert_allclose(
      groups.category_entropy(ROWS, CATALOG), [np.log(2), 0, 0, 0]
    )
    np.testing.assert_array_equal(groups.history_length(ROWS), [4, 3, 1, 0])

  def test_the_truth_says_nothing(self):
    for target in range(4):
      found = groups.measured(
        rows_of(ROWS.history_rs, target), CATALOG, np.zeros(4)
      )
      for name, value_r in groups.measured(ROWS, CATALOG, np.zeros(4)).items():
        np.testing.assert_array_equal(found[name], value_r)

  def test_halves_are_by_the_median_of_other_rows(self):
    value = groups.measured(ROWS, CATALOG, np.array([0.1, 0.2, 0.3, 0.4]))
    other = {name: np.array([1.0, 2.0, 0.25]) for name in value}
    found = groups.halves(value, other)
    np.testing.assert_array_equal(found['history_long'], [1, 1, 0, 0])
    np.testing.assert_array_equal(found['categories_many'], [0, 0, 0, 0])
    np.testing.assert_array_equal(found['retriever_sure'], [0, 0, 0, 0])
    for low, high in groups.HALVES.values():
      np.testing.assert_array_equal(found[low], ~found[high])

  def test_no_categories(self):
    bare = Catalog(tuple('abcd'), tuple('ABCD'), ((),) * 4)
    np.testing.assert_array_equal(
      groups.category_entropy(ROWS, bare), [0, 0, 0, 0]
    )


if __name__ == '__main__':
  absltest.main()
