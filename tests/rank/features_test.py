from absl.testing import absltest
import numpy as np

from taiji_jax.rank import features
from taiji_jax.types import Catalog


def profiles(ages, jobs):
  return [
    {k: v for k, v in (('age', age), ('job', job)) if v is not None}
    for age, job in zip(ages, jobs, strict=True)
  ]


class ProfileVocabularyTest(absltest.TestCase):
  def test_golden(self):
    users = profiles(
      ['10', '20', '30', '40', '50', '60', None],
      ['cook', 'cook', 'poet', 'cook', 'poet', 'king', 'poet'],
    )
    vocabulary = features.ProfileVocabulary.fit(
      users, np.arange(7), buckets=2, min_users=2
    )
    # Ages: median 35, so codes 1 below and 2 from there; jobs in the order of
    # the alphabet: cook 1, poet 2; the one king is unknown.
    self.assertEqual(vocabulary.fields, ('age', 'job'))
    self.assertEqual(vocabulary.edges, ((35.0,), None))
    self.assertEqual(vocabulary.cardinalities, (3, 3))
    np.testing.assert_array_equal(
      vocabulary.encode(users),
      [[1, 1], [1, 1], [1, 2], [2, 1], [2, 2], [2, 0], [0, 2]],
    )

  def test_fits_training_users_only(self):
    users = profiles(['1', '2', '3', '99'], ['a', 'a', 'b', 'only later'])
    vocabulary = features.ProfileVocabulary.fit(
      users, np.array([0, 1, 2, 0]), buckets=2, min_users=1
    )
    self.assertEqual(vocabulary.edges[0], (2.0,))
    np.testing.assert_array_equal(vocabulary.encode(users)[3], [2, 0])

  def test_unknown_values(self):
    users = profiles([str(i) for i in range(20)], ['a'] * 20)
    vocabulary = features.ProfileVocabulary.fit(users, np.arange(20))
    strange = [{}, {'age': 'old'}, {'age': 'nan'}, {'job': 'b', 'town': 'x'}]
    np.testing.assert_array_equal(
      vocabulary.encode(strange), np.zeros((4, 2), np.int32)
    )

  def test_codes_stay_below_cardinalities(self):
    rng = np.random.default_rng(0)
    ages = rng.integers(-50, 500, 300).astype(str)
    users = profiles(ages, rng.choice(['a', 'b', 'c'], 300))
    vocabulary = features.ProfileVocabulary.fit(users, np.arange(100))
    codes = vocabulary.encode(users)
    self.assertTrue((codes >= 0).all())
    self.assertTrue((codes < vocabulary.cardinalities).all())
    # Quantile buckets are about equally full on the users they were fitted on.
    count = np.bincount(codes[:100, 0])[1:]
    self.assertLen(count, 8)
    self.assertLess(count.max() - count.min(), 8)

  def test_few_numbers_are_texts(self):
    users = [{'level': str(i % 3)} for i in range(30)]
    vocabulary = features.ProfileVocabulary.fit(users, np.arange(30))
    self.assertEqual(vocabulary.edges, (None,))
    self.assertEqual(vocabulary.cardinalities, (4,))

  def test_no_profiles(self):
    vocabulary = features.ProfileVocabulary.fit([{}, {}], np.arange(2))
    self.assertEqual(vocabulary.cardinalities, ())
    self.assertEqual(vocabulary.encode([{}, {}]).shape, (2, 0))


class CategoryCodesTest(absltest.TestCase):
  def test_levels_are_paths(self):
    catalog = Catalog(
      item_ids=tuple('abcde'),
      titles=tuple('ABCDE'),
      categories=(
        ('Toys', 'Other'),
        ('Books', 'Other'),
        ('Books', 'Other', 'Maps'),
        (),
        ('Books',),
      ),
    )
    code_nl, cardinalities = features.category_codes(catalog)
    # L1: Books 1, Toys 2. L2: Books/Other 1, Toys/Other 2. L3: one path.
    np.testing.assert_array_equal(
      code_nl, [[2, 2, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]]
    )
    self.assertEqual(cardinalities, (3, 3, 2))


if __name__ == '__main__':
  absltest.main()
