"""ORFT's rule and its alternatives, by hand."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot import orft
from taiji_jax.errors import UserError

NAN = np.nan
PPL = np.array([[2.0, 4.0, 8.0], [9.0, NAN, 9.0], [3.0, 3.0, NAN]])
GAIN = np.array([[0.5, -0.1, 0.2], [1.0, NAN, 0.9], [0.0, 0.1, NAN]])


class OrftTest(parameterized.TestCase):
  def test_perplexity_of_a_coin(self):
    # Three tokens of probability 1/2 each: PPL 2.
    value = orft.perplexity(np.array([3 * np.log(0.5), 0.0]), np.array([3, 5]))
    np.testing.assert_allclose(value, [2.0, 1.0])

  @parameterized.parameters(
    # The bound itself is out: PPL < R.
    ('ppl', 4.0, [[1, 0, 0], [0, 0, 0], [1, 1, 0]]),
    ('ppl', 9.5, [[1, 1, 1], [1, 0, 1], [1, 1, 0]]),
    ('best', 9.5, [[1, 0, 0], [1, 0, 0], [1, 0, 0]]),
    ('best', 5.0, [[1, 0, 0], [0, 0, 0], [1, 0, 0]]),
    ('gain', 0.1, [[1, 0, 1], [1, 0, 1], [0, 0, 0]]),
    # The means are .2, .95 and .05; the third of the first row is at it.
    ('within', NAN, [[1, 0, 1], [1, 0, 0], [0, 1, 0]]),
  )
  def test_keeps(self, rule, bound, expected):
    kept_rk = orft.keep(rule, PPL, GAIN, bound)
    np.testing.assert_array_equal(kept_rk, np.array(expected, bool))

  def test_the_threshold_is_a_percentile_of_what_has_a_score(self):
    # Of 2 4 8 9 9 3 3: sorted 2 3 3 4 8 9 9, the median is 4.
    self.assertEqual(orft.threshold('ppl', PPL, GAIN), 4.0)
    # Of the gains sorted -.1 0 .1 .2 .5 .9 1, the best half is above .2.
    self.assertAlmostEqual(orft.threshold('gain', PPL, GAIN), 0.2)

  @parameterized.parameters('ppl', 'gain')
  def test_a_smaller_percentile_keeps_less(self, rule):
    kept = [
      orft.keep(rule, PPL, GAIN, orft.threshold(rule, PPL, GAIN, p)).sum()
      for p in (20, 50, 90)
    ]
    self.assertEqual(kept, sorted(kept))
    self.assertLess(kept[0], kept[2])

  def test_the_reason_why_gain_is_an_option(self):
    # A popular answer after bad reasoning, a rare one after good reasoning.
    ppl_rk, gain_rk = np.array([[2.0], [20.0]]), np.array([[-0.5], [1.0]])
    np.testing.assert_array_equal(
      orft.keep('ppl', ppl_rk, gain_rk, 10.0), [[True], [False]]
    )
    np.testing.assert_array_equal(
      orft.keep('gain', ppl_rk, gain_rk, 0.0), [[False], [True]]
    )

  def test_within_a_prompt(self):
    gain_rk = np.array(
      [
        # Equal ones are all kept, though their mean is rounded up.
        [0.1, 0.1, 0.1],
        # A single one is, and nothing of nothing.
        [NAN, -9.0, NAN],
        [NAN, NAN, NAN],
        # One far below all others.
        [-5.0, 0.2, 0.1],
      ]
    )
    self.assertGreater(gain_rk[0].mean(), gain_rk[0].max())
    np.testing.assert_array_equal(
      orft.keep('within', gain_rk, gain_rk),
      np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]], bool),
    )
    # With one text a prompt every one that has a score.
    np.testing.assert_array_equal(
      orft.keep('within', gain_rk[:, :1], gain_rk[:, :1]),
      [[True], [False], [False], [True]],
    )

  def test_within_does_not_look_at_the_prompt(self):
    rng = np.random.default_rng(0)
    gain_rk = rng.normal(size=(50, 4))
    popular_rk = gain_rk + rng.normal(size=(50, 1)) * 9
    kept_rk = orft.keep('within', gain_rk, gain_rk)
    np.testing.assert_array_equal(
      kept_rk, orft.keep('within', popular_rk, popular_rk)
    )
    self.assertTrue(kept_rk.any(1).all())
    self.assertBetween(kept_rk.mean(), 0.4, 0.6)

  def test_who_needs_a_bound(self):
    needs = {rule: orft.needs_bound(rule) for rule in orft.RULES}
    self.assertEqual(
      needs, {'ppl': True, 'gain': True, 'best': True, 'within': False}
    )
    with self.assertRaisesRegex(UserError, "'within' has no threshold"):
      orft.threshold('within', PPL, GAIN)

  def test_nothing_scored_is_refused(self):
    with self.assertRaisesRegex(UserError, 'No held-out text'):
      orft.threshold('ppl', np.array([NAN]), np.array([NAN]))

  def test_an_unknown_rule_lists_the_rules(self):
    with self.assertRaisesRegex(ValueError, 'ppl, gain, best, within'):
      orft.keep('worst', PPL, GAIN, 1.0)


if __name__ == '__main__':
  absltest.main()
