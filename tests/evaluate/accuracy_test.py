from absl.testing import absltest
import numpy as np

from taiji_jax.evaluate import accuracy
from taiji_jax.types import Catalog


class CategoryAccuracyTest(absltest.TestCase):
  def test_golden(self):
    catalog = Catalog(
      ('a', 'b', 'c'),
      ('A', 'B', 'C'),
      (('Crime', 'Crime, Drama', 'Crime, Drama 1990s'), ('Crime',), ()),
    )
    answers = [
      ('Crime', 'Crime, Drama', 'Crime, Drama 1980s'),
      ('Crime',),  # Levels 2 and 3 are not stated: wrong.
      (),  # Unparsable: wrong where the target has the level.
      ('Crime', 'Crime, Drama'),  # The target has level 1 only.
      ('Comedy',),
      ('Crime',),  # The target has no level.
    ]
    target_r = np.array([0, 0, 0, 1, 1, 2])
    nan = np.nan
    np.testing.assert_array_equal(
      accuracy.category_accuracy(answers, target_r, catalog),
      [
        [1, 1, 0, 1, 0, nan],
        [1, 0, 0, nan, nan, nan],
        [0, 0, 0, nan, nan, nan],
      ],
    )


class CollapseTest(absltest.TestCase):
  def test_distinct_items_golden(self):
    # Five rows, items 7 (three times) and 2, one miss: 5/3, 5/3, 5, 0, 5/3.
    value_r = accuracy.distinct_items(np.array([7, 7, 2, -1, 7]))
    np.testing.assert_allclose(value_r, [5 / 3, 5 / 3, 5, 0, 5 / 3], rtol=1e-6)

  def test_mean_is_the_number_of_distinct_items(self):
    item_r = np.random.default_rng(0).integers(-1, 30, 200)
    expected = len(set(item_r.tolist()) - {-1})
    self.assertAlmostEqual(
      accuracy.distinct_items(item_r).mean(), expected, places=3
    )
    self.assertEqual(accuracy.distinct_items(np.full(4, -1)).mean(), 0)

  def test_repeat_last(self):
    history_rs = np.array([[3, 1], [3, 1], [3, 1], [-1, -1]])
    value_r = accuracy.repeat_last(np.array([3, 1, -1, -1]), history_rs)
    np.testing.assert_array_equal(value_r, [1, 0, 0, np.nan])


if __name__ == '__main__':
  absltest.main()
