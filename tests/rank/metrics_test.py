import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.rank import metrics


def brute_auc(score, label):
  pairs = [
    (p > n) + 0.5 * (p == n)
    for p in score[label]
    for n in score[~label]
  ]  # fmt: skip
  return np.mean(pairs) if pairs else np.nan


class AucTest(parameterized.TestCase):
  def test_golden(self):
    # Positives .8, .4; negatives .4, .1, .9: of 6 pairs won: .8>.4, .8>.1,
    # .4>.1; tied: .4=.4; so (3 + 1/2) / 6.
    score = np.array([0.8, 0.4, 0.4, 0.1, 0.9])
    label = np.array([True, True, False, False, False])
    self.assertAlmostEqual(metrics.auc(score, label), 3.5 / 6)

  @parameterized.parameters(3, 100)
  def test_equals_all_pairs(self, different_scores):
    rng = np.random.default_rng(different_scores)
    score = rng.integers(0, different_scores, 60) / 7
    label = rng.random(60) < 0.3
    self.assertAlmostEqual(metrics.auc(score, label), brute_auc(score, label))

  def test_one_class_or_nothing_has_none(self):
    self.assertTrue(math.isnan(metrics.auc(np.ones(2), np.ones(2, bool))))
    self.assertTrue(math.isnan(metrics.auc(np.ones(0), np.ones(0, bool))))

  def test_nan_score_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'NaN'):
      metrics.auc(np.array([np.nan, 1.0]), np.array([True, False]))


class GaucTest(absltest.TestCase):
  def test_golden(self):
    # User 7: 1 of 1 pairs won, 2 impressions. User 3: tie and a lost pair,
    # (1/2 + 0) / 2, 3 impressions. User 5: one class, left out.
    # (2 * 1 + 3 * 1/4) / 5 = .55
    user = np.array([7, 3, 3, 7, 3, 5])
    score = np.array([0.9, 0.2, 0.2, 0.1, 0.6, 0.5])
    label = np.array([True, True, False, False, False, True])
    self.assertAlmostEqual(metrics.gauc(user, score, label), 0.55)

  def test_equals_users_one_by_one(self):
    rng = np.random.default_rng(0)
    user = rng.integers(0, 12, 200) * 3
    score = rng.integers(0, 9, 200) / 9
    label = rng.random(200) < 0.2
    values, sizes = [], []
    for u in np.unique(user):
      value = brute_auc(score[user == u], label[user == u])
      if not np.isnan(value):
        values.append(value)
        sizes.append((user == u).sum())
    self.assertAlmostEqual(
      metrics.gauc(user, score, label), np.average(values, weights=sizes)
    )

  def test_no_user_with_both_classes(self):
    value = metrics.gauc(np.arange(3), np.arange(3.0), np.ones(3, bool))
    self.assertTrue(math.isnan(value))


class CalibrationTest(absltest.TestCase):
  def test_log_loss_golden(self):
    # -(ln .8 + ln (1 - .25)) / 2
    value = metrics.log_loss(np.array([0.8, 0.25]), np.array([True, False]))
    self.assertAlmostEqual(value, -(math.log(0.8) + math.log(0.75)) / 2)

  def test_log_loss_of_certain_mistake_is_finite(self):
    value = metrics.log_loss(np.array([0.0]), np.array([True]))
    self.assertAlmostEqual(value, -math.log(1e-7), places=3)

  def test_bins_golden(self):
    # Halves: {.1, .3} with one hit, {.6, .8} with two.
    p = np.array([0.6, 0.1, 0.8, 0.3])
    label = np.array([True, False, True, True])
    bins = metrics.calibration(p, label, bins=2)
    np.testing.assert_allclose(bins['predicted'], [0.2, 0.7])
    np.testing.assert_allclose(bins['observed'], [0.5, 1.0])
    self.assertEqual(bins['count'], [2, 2])
    # (2 * .3 + 2 * .3) / 4
    self.assertAlmostEqual(metrics.calibration_error(bins), 0.3)

  def test_equal_predictions_share_a_bin(self):
    p = np.full(100, 0.25)
    label = np.arange(100) < 25
    bins = metrics.calibration(p, label)
    self.assertEqual(bins['count'], [100])
    self.assertAlmostEqual(metrics.calibration_error(bins), 0.0)

  def test_bins_hold_equally_many(self):
    p = np.random.default_rng(0).random(1000) ** 4
    bins = metrics.calibration(p, p > 0.5)
    self.assertEqual(bins['count'], [100] * 10)
    self.assertSequenceEqual(bins['predicted'], sorted(bins['predicted']))


class ReportTest(absltest.TestCase):
  def test_each_target_on_its_own_exposures(self):
    user = np.array([0, 0, 0, 1, 1, 1])
    click = np.array([1, 1, 0, 1, 1, 0], bool)
    conversion = np.array([1, 0, 0, 1, 0, 0], bool)
    p_click = np.array([0.9, 0.8, 0.1, 0.9, 0.8, 0.1])
    # Right on clicked exposures, wild on the others.
    p_conversion = np.array([0.9, 0.1, 1.0, 0.9, 0.1, 1.0])
    seen = user == 0
    report = metrics.report_by_seen(
      seen, user, click, conversion, p_click, p_conversion
    )
    self.assertEqual(list(report), ['all', 'seen', 'unseen'])
    examples = {k: v['examples'] for k, v in report['all'].items()}
    self.assertEqual(examples, {'click': 6, 'conversion': 4, 'ctcvr': 6})
    self.assertEqual(report['all']['click']['auc'], 1.0)
    self.assertEqual(report['all']['conversion']['auc'], 1.0)
    # pCTCVR .81, .08, .10: the bought one is the highest of each user.
    self.assertEqual(report['all']['ctcvr']['gauc'], 1.0)
    self.assertEqual(report['seen']['click']['examples'], 3)
    self.assertAlmostEqual(
      report['unseen']['ctcvr']['log_loss'],
      -(math.log(0.81) + math.log(0.92) + math.log(0.9)) / 3,
    )


if __name__ == '__main__':
  absltest.main()
