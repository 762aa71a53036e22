"""The ways to the per-reward gradients, on a policy of two arrays."""

import os

from absl.testing import absltest, parameterized
import chex
import numpy as np

from taiji_jax.rl import advantage
from taiji_jax.rl.config import FORMS, GRADIENT_RULES, RLConfig
from tests.rl import bigram

# The battery in tests/pareto runs every rule on its own; here a step with it.
RULES = GRADIENT_RULES
if os.environ.get('TAIJI_LONG') != '1':
  RULES = ('popo', 'nash_mtl', 'pcgrad', 'upgrad')


class ObserveTest(parameterized.TestCase):
  @parameterized.product(
    form=FORMS, combine=advantage.COMBINE, noise=(0.05, 0.15)
  )
  def test_a_later_update_has_ratio_and_clip(self, form, combine, noise):
    # As after other updates on the same rollouts; with the larger noise some
    # ratios are clipped, and rewards have other signs than their sum.
    config = RLConfig(eta=1e-6, combine=combine, form=form, kl_beta=0.0)
    params, reference, batch = bigram.make(0, noise)
    ratio_bgc = np.exp(bigram.logp(params, batch) - batch.old_logp_bgc)
    mask_bgc = np.arange(bigram.C) < batch.length_bg[..., None]
    furthest = np.abs(ratio_bgc - 1)[mask_bgc].max()
    self.assertEqual(furthest > 0.2, noise > 0.1)
    self.assertLess(furthest, 0.6)
    advantage_bg = {
      'normalize_then_sum': bigram.each_score(batch.reward_bgk).mean(-1),
      'sum_then_normalize': bigram.z_score(batch.reward_bgk.mean(-1)),
    }[combine]
    loss, expected = bigram.written_gradient(
      params, batch, reference, advantage_bg, config
    )
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)
    self.assertAlmostEqual(float(metrics['loss']), float(loss), places=5)

  @parameterized.parameters('one_backward', 'jvp')
  def test_weights_of_a_later_update(self, form):
    # The ratio counts in the gradients of each reward.
    params, reference, batch = bigram.make(0, noise=0.05)
    config = RLConfig(eta=30.0, mu=3.0, form=form)
    expected, _ = bigram.weights_by_hand(params, batch, reference, config)
    _, metrics, _ = bigram.update(config, params, reference, batch)
    self.assertAlmostEqual(float(metrics['weight_id']), expected[1], places=5)

  @parameterized.product(weighting=RULES)
  def test_every_rule_of_the_library_runs(self, weighting):
    config = RLConfig(weighting=weighting, form='one_backward')
    params, reference, batch = bigram.make(0)
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    chex.assert_tree_all_finite(gradient)
    self.assertTrue(all(np.isfinite(v) for v in metrics.values()))

  @parameterized.parameters('vjps', 'one_backward')
  def test_the_alignment_on_some_parameters(self, form):
    # I_k over one of the two alone, from the gradients by one backward each.
    config = RLConfig(eta=30.0, mu=3.0, alignment_on='^scale$', form=form)
    params, reference, batch = bigram.make(0, noise=0.0)
    _, gradients = bigram.weights_by_hand(params, batch, reference, config)
    # In the order of `bigram.written_gradient`: by name.
    own_k = np.array([g[:1].item() for g in gradients])
    _, metrics, _ = bigram.update(config, params, reference, batch)
    for k, name in enumerate(bigram.NAMES):
      np.testing.assert_allclose(
        metrics[f'alignment_{name}'], own_k[k] * own_k.sum(), rtol=1e-3
      )

  def test_between_readings_the_weights_stay(self):
    config = RLConfig(eta=30.0, alignment_every=2)
    params, reference, batch = bigram.make(0)
    state, seen = bigram.start(params, config), []
    for _ in range(3):
      state, metrics = bigram.jitted(config)(state, batch, reference)
      seen.append([float(metrics[f'weight_{n}']) for n in bigram.NAMES])
      seen[-1].append(float(metrics['alignment_id']))
    np.testing.assert_array_equal(seen[1][:2], seen[0][:2])
    self.assertEqual(seen[1][2], 0)
    self.assertNotEqual(seen[0][2], 0)
    # The third reads again, and the weights move on from where they stood.
    self.assertGreater(np.abs(np.subtract(seen[2], seen[0])[:2]).max(), 1e-6)


if __name__ == '__main__':
  absltest.main()
