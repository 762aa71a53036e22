"""The KL term: in the loss, in the reward, and none."""

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np

from taiji_jax.rl import advantage
from taiji_jax.rl.config import FORMS, RLConfig
from taiji_jax.rl.step import popo_step
from tests.rl import bigram


class KlTest(parameterized.TestCase):
  @parameterized.parameters(
    ('sum_then_normalize', 'vjps', (1.0, 3.0)),
    ('normalize_then_sum', 'vjps', (1.0, 3.0)),
    ('normalize_then_sum', 'vjps', ()),
    ('normalize_then_sum', 'one_backward', ()),
    ('sum_then_normalize', 'one_backward', ()),
    ('normalize_then_sum', 'jvp', ()),
  )
  def test_kl_in_the_reward(self, combine, form, weights):
    # Behind the z-score: beta times what the mean log-ratio of a rollout has
    # above its group's.
    config = RLConfig(
      weighting='fixed' if weights else 'popo',
      fixed_weights=weights,
      eta=1e-6,
      combine=combine,
      form=form,
      kl='reward',
      kl_beta=0.3,
      clip=10.0,
    )
    params, reference, batch = bigram.make(0)
    gap_bg = bigram.mean_gap(batch, reference)
    weights_k = np.float32(weights or (1, 1)) / sum(weights or (1, 1))
    score_bgk = bigram.each_score(batch.reward_bgk)
    advantage_bg = {
      'normalize_then_sum': score_bgk @ weights_k,
      'sum_then_normalize': bigram.z_score(batch.reward_bgk @ weights_k),
    }[combine]
    advantage_bg -= 0.3 * (gap_bg - gap_bg.mean(1, keepdims=True))
    no_kl = RLConfig(kl_beta=0.0, clip=10.0)
    loss, expected = bigram.written_gradient(
      params, batch, reference, advantage_bg, no_kl
    )
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)
    self.assertAlmostEqual(float(metrics['loss']), float(loss), places=5)

  @parameterized.parameters(*advantage.COMBINE)
  def test_kl_in_the_reward_is_as_strong_as_beta(self, combine):
    # Where all rewards tie there is nothing else.
    params, reference, batch = bigram.make(0, noise=0.0)
    batch = batch.replace(reward_bgk=np.full_like(batch.reward_bgk, 0.1))
    norms = []
    for beta in (0.4, 0.004):
      config = RLConfig(combine=combine, kl='reward', kl_beta=beta)
      _, metrics, _ = bigram.update(config, params, reference, batch)
      norms.append(float(metrics['gradient_norm']))
      self.assertAlmostEqual(float(metrics['weight_id']), 0.5, places=6)
    self.assertGreater(norms[1], 1e-4)
    self.assertAlmostEqual(norms[0] / norms[1], 100, delta=0.1)

  @parameterized.parameters('vjps', 'one_backward')
  def test_each_reward_is_less_the_penalty(self, form):
    # The weights of upgrad sum to more than 1, and the penalty with them.
    config = RLConfig(
      weighting='upgrad',
      combine='normalize_then_sum',
      form=form,
      kl='reward',
      kl_beta=0.3,
      clip=10.0,
    )
    params, reference, batch = bigram.make(0)
    opposed_bgk = batch.reward_bgk.copy()
    opposed_bgk[..., 1] -= 2 * opposed_bgk[..., 0]
    batch = batch.replace(reward_bgk=opposed_bgk)
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    weights_k = np.array([metrics[f'weight_{n}'] for n in bigram.NAMES])
    self.assertGreater(weights_k.sum(), 1.1)
    gap_bg = bigram.mean_gap(batch, reference)
    penalty_bg = 0.3 * (gap_bg - gap_bg.mean(1, keepdims=True))
    each_bgk = bigram.each_score(opposed_bgk) - penalty_bg[..., None]
    no_kl = RLConfig(kl_beta=0.0, clip=10.0)
    loss, expected = bigram.written_gradient(
      params, batch, reference, each_bgk @ weights_k, no_kl
    )
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)
    self.assertAlmostEqual(float(metrics['loss']), float(loss), places=5)

  @parameterized.parameters('popo_light', 'fixed')
  def test_kl_in_the_reward_leaves_the_weights(self, weighting):
    params, reference, batch = bigram.make(0)
    weights = []
    for beta in (0.0, 5.0):
      config = RLConfig(weighting=weighting, kl='reward', kl_beta=beta)
      _, metrics, _ = bigram.update(config, params, reference, batch)
      weights.append(float(metrics['weight_id']))
    self.assertEqual(*weights)

  @parameterized.product(kl=('loss', 'reward'), form=FORMS)
  def test_without_kl_there_is_no_reference(self, kl, form):
    calls = []

    def counted(params, batch):
      calls.append(params)
      return bigram.logp(params, batch)

    def counted_vjp(params, batch, coef_kn):
      calls.append(params)
      return bigram.sequence_vjp(params, batch, coef_kn)

    params, reference, batch = bigram.make(0)
    seen = []
    for beta, given in ((0.0, None), (0.0, reference), (1e-9, reference)):
      calls.clear()
      config = RLConfig(kl=kl, kl_beta=beta, form=form, weighting='popo')
      step = popo_step(counted, bigram.TX, config, bigram.NAMES, counted_vjp)
      state, metrics = jax.eval_shape(
        step, bigram.start(params, config), batch, given
      )
      del state
      seen.append((len(calls), 'kl' in metrics))
    forwards = len(calls) - 1
    self.assertEqual(seen[:2], [(forwards, False)] * 2)
    self.assertTrue(seen[2][1])

  def test_kl_needs_a_reference(self):
    params, _, batch = bigram.make(0)
    with self.assertRaisesRegex(ValueError, 'kl_beta is 0.04.* a reference'):
      bigram.update(RLConfig(), params, None, batch)


if __name__ == '__main__':
  absltest.main()
