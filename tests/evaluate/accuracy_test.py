from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax import intervals
from taiji_jax.evaluate import accuracy
from taiji_jax.types import Catalog


class CategoryAccuracyTest(parameterized.TestCase):
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
      # As titles are compared: neither case nor punctuation.
      ('CRIME', 'crime  drama', 'Crime, Drama 1990'),
    ]
    target_r = np.array([0, 0, 0, 1, 1, 2, 0])
    nan = np.nan
    np.testing.assert_array_equal(
      accuracy.category_accuracy(answers, target_r, catalog),
      [
        [1, 1, 0, 1, 0, nan, 1],
        [1, 0, 0, nan, nan, nan, 1],
        [0, 0, 0, nan, nan, nan, 0],
      ],
    )

  @parameterized.parameters(
    ('C#', 'C++', 0),
    ('C', 'C++', 0),
    ('c++', 'C++', 1),
    ('!!!', '???', 0),
    ('Sci Fi', 'sci-fi', 1),
    ('"Drama."', 'Drama', 1),
    ("Men's Hats", 'mens hats', 1),
    ('Men`s', "Men's", 1),
    ('R & B', 'R B', 1),
    ('5 $ and less', '5 and less', 0),
    # Vowels of Devanagari and Thai are marks.
    ('\u0915\u093f', '\u0915\u093e', 0),
    ('\u0e01\u0e34', '\u0e01\u0e36', 0),
    ('e\u0301tude', '\xe9tude', 1),
  )
  def test_signs_tell_names_apart(self, stated, name, right):
    catalog = Catalog(('a',), ('A',), ((name,),))
    found = accuracy.category_accuracy([(stated,)], np.array([0]), catalog)
    self.assertEqual(found[0, 0], right)


class CollapseTest(absltest.TestCase):
  def test_distinct_items_golden(self):
    # Items 7, 2 and 5. Nobody but user 1 names 2, nobody but user 2 names 5,
    # in two rows: D = 3, shares 0 0 1 0 1/2 1/2, sum 2, R = 6.
    value_r = accuracy.distinct_items(
      np.array([7, 7, 2, -1, 5, 5]), np.array([0, 1, 1, 1, 2, 2])
    )
    np.testing.assert_allclose(value_r, [1, 1, 7, 1, 4, 4], rtol=1e-6)

  def test_mean_is_the_number_of_distinct_items(self):
    rng = np.random.default_rng(0)
    item_r, user_r = rng.integers(-1, 30, 200), rng.integers(0, 70, 200)
    expected = len(set(item_r.tolist()) - {-1})
    found = accuracy.distinct_items(item_r, user_r)
    self.assertAlmostEqual(found.mean(), expected, places=3)
    nothing = accuracy.distinct_items(np.full(4, -1), np.arange(4))
    self.assertEqual(nothing.mean(), 0)

  def test_a_user_counts_by_what_nobody_else_names(self):
    # The sum over a user's rows moves by R for each item that is theirs alone:
    # without them the count is smaller by as many.
    rng = np.random.default_rng(1)
    item_r, user_r = rng.integers(-1, 40, 60), rng.integers(0, 20, 60)
    value_r = accuracy.distinct_items(item_r, user_r)
    total = len(set(item_r.tolist()) - {-1})
    least = value_r.min()
    for user in range(20):
      mine = user_r == user
      without = len(set(item_r[~mine].tolist()) - {-1})
      own = (value_r[mine] - least).sum() / len(item_r)
      self.assertAlmostEqual(own, total - without, places=4)

  def test_the_interval_holds_the_mean_count_of_other_users(self):
    rng = np.random.default_rng(2)
    share_n = 1 / np.arange(1, 401)
    share_n /= share_n.sum()
    for rows in (50, 200):
      drawn = [rng.choice(400, rows, p=share_n) for _ in range(200)]
      expected = np.mean([len(set(d.tolist())) for d in drawn])
      held = 0
      for item_r in drawn[:100]:
        value_r = accuracy.distinct_items(item_r, np.arange(rows))
        found = intervals.interval(value_r, np.arange(rows))
        held += found['low'] <= expected <= found['high']
      self.assertGreaterEqual(held, 92)

  def test_repeat_last(self):
    history_rs = np.array([[3, 1], [3, 1], [3, 1], [-1, -1]])
    value_r = accuracy.repeat_last(np.array([3, 1, -1, -1]), history_rs)
    np.testing.assert_array_equal(value_r, [1, 0, 0, np.nan])


if __name__ == '__main__':
  absltest.main()
