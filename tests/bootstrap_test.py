import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax import bootstrap


class IntervalTest(parameterized.TestCase):
  def test_two_users_golden(self):
    # Two users with values 0 and 1: draws have mean 0 (1/4), 1/2 (1/2) or
    # 1 (1/4), so the 95 % percentiles are the extremes.
    result = bootstrap.interval(np.array([0.0, 1.0]), np.array([4, 9]))
    self.assertEqual(result, {'mean': 0.5, 'low': 0.0, 'high': 1.0})

  def test_mean_is_over_rows(self):
    # User 1 has three rows, one without a value: (0 + 1 + 1) / 3.
    value_r = np.array([0.0, 1.0, np.nan, 1.0])
    result = bootstrap.interval(value_r, np.array([0, 1, 1, 1]))
    self.assertAlmostEqual(result['mean'], 2 / 3)

  def test_half_width_of_independent_rows(self):
    # Normal theory: 1.96 / sqrt(400) = .098.
    value_r = np.random.default_rng(0).normal(size=400)
    value_r = (value_r - value_r.mean()) / value_r.std()
    result = bootstrap.interval(value_r, np.arange(400))
    self.assertAlmostEqual(result['high'], 0.098, delta=0.01)
    self.assertAlmostEqual(result['low'], -0.098, delta=0.01)

  def test_rows_of_one_user_count_as_one(self):
    # 100 users with 16 equal rows each: as wide as 100 rows, not 1600.
    value_u = np.random.default_rng(0).normal(size=100)
    user_r = np.repeat(np.arange(100), 16)
    narrow = bootstrap.interval(value_u, np.arange(100))
    wide = bootstrap.interval(value_u[user_r], user_r)
    self.assertAlmostEqual(narrow['low'], wide['low'])
    self.assertAlmostEqual(narrow['high'], wide['high'])

  def test_equals_a_loop_over_resamples(self):
    rng = np.random.default_rng(1)
    user_r = rng.integers(0, 15, 60)
    value_r = np.where(rng.random(60) < 0.2, np.nan, rng.random(60))
    rows_of = [np.flatnonzero(user_r == u) for u in range(15)]
    means = []
    for _ in range(4000):
      drawn = rng.integers(0, 15, 15)
      rows = np.concatenate([rows_of[u] for u in drawn])
      means.append(np.nanmean(value_r[rows]))
    expected = np.percentile(means, [2.5, 97.5])
    result = bootstrap.interval(value_r, user_r, samples=4000)
    self.assertAlmostEqual(result['low'], expected[0], delta=0.01)
    self.assertAlmostEqual(result['high'], expected[1], delta=0.01)

  def test_seeded(self):
    value_r = np.random.default_rng(0).random(50)
    a, b, c = (
      bootstrap.interval(value_r, np.arange(50), seed=s) for s in (3, 3, 4)
    )
    self.assertEqual(a, b)
    self.assertNotEqual(a, c)

  def test_no_value(self):
    none = {'mean': None, 'low': None, 'high': None}
    users = np.arange(2)
    self.assertEqual(bootstrap.interval(None, users), none)
    self.assertEqual(bootstrap.interval(np.full(2, np.nan), users), none)

  def test_user_without_value_leaves_no_nan(self):
    value_r = np.array([np.nan, 1.0])
    result = bootstrap.interval(value_r, np.arange(2))
    self.assertEqual(result, {'mean': 1.0, 'low': 1.0, 'high': 1.0})

  @parameterized.parameters({'level': 1.0}, {'level': 95.0}, {'samples': 0})
  def test_bad_options(self, **options):
    with self.assertRaisesRegex(ValueError, 'give one in'):
      bootstrap.interval(np.ones(2), np.arange(2), **options)

  def test_rows_and_users_differ(self):
    with self.assertRaisesRegex(ValueError, '3 values for 2 rows'):
      bootstrap.interval(np.ones(3), np.arange(2))


class SeedsTest(absltest.TestCase):
  def test_seeds_are_resampled(self):
    # All users agree; only the seeds differ, 0 and 1.
    value_sr = np.array([[0.0] * 30, [1.0] * 30])
    result = bootstrap.interval(value_sr, np.arange(30))
    self.assertEqual(result, {'mean': 0.5, 'low': 0.0, 'high': 1.0})

  def test_one_seed_is_a_row_vector(self):
    value_r = np.random.default_rng(0).random(30)
    users = np.arange(30) // 2
    self.assertEqual(
      bootstrap.interval(value_r, users),
      bootstrap.interval(value_r[None], users),
    )

  def test_both_sources_widen(self):
    rng = np.random.default_rng(0)
    base_r = rng.normal(size=100)
    users = np.arange(100)

    def width(value):
      result = bootstrap.interval(value, users)
      return result['high'] - result['low']

    same = np.tile(base_r, (5, 1))
    shifted = same + np.array([-1, -0.5, 0, 0.5, 1])[:, None]
    self.assertAlmostEqual(width(same), width(base_r), delta=0.03)
    self.assertGreater(width(shifted), 1.2 * width(same))


class PairedTest(absltest.TestCase):
  def test_constant_gain_is_certain(self):
    base_r = np.random.default_rng(0).random(40)
    result = bootstrap.paired(base_r + 0.25, base_r, np.arange(40))
    for part in result.values():
      self.assertAlmostEqual(part, 0.25)
    self.assertTrue(bootstrap.clears_zero(result))

  def test_row_missing_in_either_is_left_out(self):
    value_r = np.array([1.0, np.nan, 3.0])
    base_r = np.array([0.0, 5.0, np.nan])
    result = bootstrap.paired(value_r, base_r, np.arange(3))
    self.assertEqual(result['mean'], 1.0)

  def test_clears_zero(self):
    users = np.arange(40)
    noise_r = np.random.default_rng(0).normal(size=40)
    noise_r -= noise_r.mean()
    self.assertFalse(
      bootstrap.clears_zero(bootstrap.paired(noise_r, 0 * noise_r, users))
    )
    none = bootstrap.paired(None, noise_r, users)
    self.assertFalse(bootstrap.clears_zero(none))

  def test_many_metrics(self):
    users = np.arange(3)
    arm = {'a': np.array([1.0, 2, 3]), 'b': None, 'only here': np.ones(3)}
    base = {'a': np.zeros(3), 'b': np.ones(3)}
    alone = bootstrap.intervals(arm, users, samples=50)
    both = bootstrap.paired_intervals(arm, base, users, samples=50)
    self.assertEqual(set(alone), set(arm))
    self.assertEqual(set(both), {'a', 'b'})
    self.assertEqual(both['a']['mean'], 2.0)
    self.assertIsNone(both['b']['mean'])
    self.assertFalse(math.isnan(alone['a']['low']))


class DetectableTest(absltest.TestCase):
  def test_is_found_four_times_in_five(self):
    # A true difference as large as said: about 80 % of intervals clear zero.
    rng = np.random.default_rng(0)
    users, found, least = np.arange(200), [], []
    noise = rng.normal(size=(200, 200))
    for row in noise:
      least.append(
        bootstrap.detectable(bootstrap.interval(row, users, samples=300))
      )
    effect = float(np.mean(least))
    for row in noise:
      difference = bootstrap.interval(row + effect, users, samples=300)
      found.append(bootstrap.clears_zero(difference))
    self.assertAlmostEqual(effect, 2.8 / np.sqrt(200), delta=0.02)
    self.assertAlmostEqual(np.mean(found), 0.8, delta=0.09)

  def test_no_interval_has_none(self):
    none = {'mean': None, 'low': None, 'high': None}
    self.assertIsNone(bootstrap.detectable(none))


if __name__ == '__main__':
  absltest.main()
