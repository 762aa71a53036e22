"""Ranks and metrics by hand, and against a metric written independently."""

import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.evaluate import ranking


def independent(list_bk, target_b, k):
  """Returns HR@k and NDCG@k of all rows, by definition of DCG over IDCG."""
  hits, gains = [], []
  for ranked, target in zip(list_bk.tolist(), target_b.tolist(), strict=True):
    relevance = [1.0 if item == target else 0.0 for item in ranked[:k]]
    dcg = sum(
      rel / math.log(place + 1, 2) for place, rel in enumerate(relevance, 1)
    )
    ideal = [1.0] + [0.0] * (k - 1)
    idcg = sum(
      rel / math.log(place + 1, 2) for place, rel in enumerate(ideal, 1)
    )
    hits.append(sum(relevance))
    gains.append(dcg / idcg)
  return sum(hits) / len(hits), sum(gains) / len(gains)


def random_lists(rng, rows, items, length):
  """Returns lists of different items, some cut short."""
  list_bk = np.stack([rng.permutation(items)[:length] for _ in range(rows)])
  cut_b = rng.integers(0, length + 1, rows)
  return np.where(np.arange(length) < cut_b[:, None], list_bk, -1)


class RankTest(parameterized.TestCase):
  def test_golden(self):
    list_bk = np.array([[4, 2, 7], [2, 4, -1], [-1, -1, -1]])
    rank_b = ranking.in_lists(list_bk, np.array([7, 9, 0]))
    self.assertEqual(rank_b.tolist(), [2, -1, -1])
    found = ranking.metrics(rank_b, (1, 2, 3))
    self.assertEqual(found['HR@2'].tolist(), [0, 0, 0])
    self.assertEqual(found['HR@3'].tolist(), [1, 0, 0])
    # 1 / log2(2 + 2) = .5.
    self.assertEqual(found['NDCG@3'].tolist(), [0.5, 0, 0])

  @parameterized.parameters(range(4))
  def test_equals_an_independent_metric(self, seed):
    rng = np.random.default_rng(seed)
    list_bk = random_lists(rng, 60, 80, 50)
    target_b = rng.integers(0, 80, 60)
    found = ranking.metrics(ranking.in_lists(list_bk, target_b))
    self.assertLen(found, 12)
    for k in ranking.TOPS:
      hit, gain = independent(list_bk, target_b, k)
      self.assertAlmostEqual(found[f'HR@{k}'].mean(), hit, places=6)
      self.assertAlmostEqual(found[f'NDCG@{k}'].mean(), gain, places=6)

  @parameterized.parameters(range(3))
  def test_ranks_of_scores_are_those_of_the_sorted_list(self, seed):
    rng = np.random.default_rng(seed)
    # Few different scores, so that there are ties.
    score_bn = rng.integers(0, 5, (30, 20)).astype(np.float32)
    score_bn[rng.random(score_bn.shape) < 0.1] = -np.inf
    target_b = rng.integers(0, 20, 30)
    list_bk = np.argsort(-score_bn, axis=1, kind='stable')
    sorted_bk = np.take_along_axis(score_bn, list_bk, 1)
    list_bk = np.where(sorted_bk > -np.inf, list_bk, -1)
    np.testing.assert_array_equal(
      ranking.in_scores(score_bn, target_b),
      ranking.in_lists(list_bk, target_b),
    )

  def test_absent_as_infinite(self):
    found = ranking.metrics(np.array([0, np.inf, -1, 1]), (5,))
    self.assertEqual(found['HR@5'].tolist(), [1, 0, 0, 1])

  def test_empty_lists(self):
    rank_b = ranking.in_lists(np.zeros((2, 0), int), np.array([1, 2]))
    self.assertEqual(rank_b.tolist(), [-1, -1])

  def test_refuses_what_flatters(self):
    with self.assertRaisesRegex(ValueError, 'row 1 names something twice'):
      ranking.in_lists(np.array([[1, -1, -1], [2, 3, 2]]), np.array([1, 2]))
    with self.assertRaisesRegex(ValueError, '1 lists for 2 targets'):
      ranking.in_lists(np.array([[1]]), np.array([1, 2]))
    with self.assertRaisesRegex(ValueError, 'a score is NaN'):
      ranking.in_scores(np.array([[np.nan]]), np.array([0]))


class WithoutTest(absltest.TestCase):
  def test_rows_with_these_targets_go(self):
    ids = ('180', '181', '182', '9')
    kept = ranking.without(np.array([1, 0, 3, 2]), ids, ('181', '182'))
    self.assertEqual(kept.tolist(), [False, True, True, False])
    self.assertTrue(ranking.without(np.array([1, 0]), ids, ()).all())

  def test_refuses_an_item_that_is_not_there(self):
    with self.assertRaisesRegex(UserError, 'no item 181; leave out'):
      ranking.without(np.array([0]), ('1',), ('181',))


class SummaryTest(absltest.TestCase):
  def test_mean_over_kept_rows(self):
    values = {'HR@1': np.array([1.0, 0.0, 1.0, 1.0])}
    kept_b = np.array([True, True, False, True])
    found = ranking.summary(values, ('a', 'b', 'b', 'c'), kept_b)
    self.assertAlmostEqual(found['HR@1']['mean'], 2 / 3)
    self.assertLess(found['HR@1']['low'], 2 / 3)

  def test_the_interval_is_a_user_bootstraps(self):
    rng = np.random.default_rng(0)
    rows_u = rng.integers(1, 8, 400)
    users = np.repeat(np.arange(400), rows_u)
    taste_u = rng.beta(0.3, 1.5, 400)
    hit_b = (rng.random(len(users)) < taste_u[users]).astype(np.float32)
    found = ranking.summary({'HR@10': hit_b}, users)['HR@10']
    sum_u, count_u = np.bincount(users, hit_b), np.bincount(users)
    drawn = rng.integers(0, 400, (4000, 400))
    means = sum_u[drawn].sum(1) / count_u[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    self.assertAlmostEqual(found['low'], low, delta=0.05 * (high - low))
    self.assertAlmostEqual(found['high'], high, delta=0.05 * (high - low))

  def test_a_difference_is_row_by_row(self):
    rng = np.random.default_rng(1)
    base = rng.random(200)
    values, bases = {'x': base + 0.25, 'y': base}, {'x': base}
    found = ranking.difference(values, bases, np.arange(200))
    self.assertEqual(list(found), ['x'])
    self.assertAlmostEqual(found['x']['low'], 0.25)
    self.assertAlmostEqual(found['x']['high'], 0.25)

  def test_seeds(self):
    values = {'x': np.random.default_rng(2).random((3, 50))}
    found = ranking.summary(values, np.arange(50))
    self.assertAlmostEqual(found['x']['mean'], values['x'].mean())


if __name__ == '__main__':
  absltest.main()
