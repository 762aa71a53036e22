"""One update against the papers' loss and rule, written out."""

import functools

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import optax

from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.errors import UserError
from taiji_jax.rl import advantage
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.step import popo_step
from tests.rl import bigram


class PopoStepTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2)
  def test_weights_equal_those_by_hand(self, seed):
    config = RLConfig(eta=30.0, mu=3.0)
    params, reference, batch = bigram.make(seed)
    expected, gradients = bigram.weights_by_hand(
      params, batch, reference, config
    )
    state, metrics, _ = bigram.update(config, params, reference, batch)
    weights = [metrics['weight_semantic'], metrics['weight_id']]
    np.testing.assert_allclose(weights, expected, rtol=1e-4)
    np.testing.assert_allclose(
      np.exp(state.weighting.log_weight_k), expected, rtol=1e-4
    )
    norms = [float(metrics[f'objective_norm_{n}']) for n in bigram.NAMES]
    np.testing.assert_allclose(
      norms, [np.linalg.norm(g) for g in gradients], rtol=1e-4
    )
    # K = 2: the larger gradient gains, whatever the conflict.
    self.assertEqual(np.argmax(weights), np.argmax(norms))

  def test_weights_go_on_from_the_state(self):
    config = RLConfig(eta=30.0, mu=3.0)
    params, reference, batch = bigram.make(0)
    state = bigram.start(params, config)
    log_w = None
    for _ in range(3):
      expected, _ = bigram.weights_by_hand(
        state.params, batch, reference, config, log_w
      )
      state, metrics = bigram.jitted(config)(state, batch, reference)
      self.assertAlmostEqual(float(metrics['weight_id']), expected[1], places=4)
      log_w = np.log(expected)
    self.assertGreater(abs(expected[0] - 0.5), 0.01)

  @parameterized.parameters(0.0, 0.5)
  def test_gradient_is_that_of_the_papers_loss(self, kl_beta):
    # sum_then_normalize, the default: z-score of sum_k w_k r_k in each group.
    config = RLConfig(eta=30.0, kl_beta=kl_beta)
    params, reference, batch = bigram.make(0)
    weights_k, _ = bigram.weights_by_hand(params, batch, reference, config)
    advantage_bg = bigram.z_score(batch.reward_bgk @ weights_k)
    loss, expected = bigram.written_gradient(
      params, batch, reference, advantage_bg, config
    )
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    self.assertAlmostEqual(float(metrics['loss']), float(loss), places=5)
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)
    self.assertAlmostEqual(
      float(metrics['gradient_norm']), float(optax.tree.norm(expected)), 4
    )
    mask_bgc = np.arange(bigram.C) < batch.length_bg[..., None]
    moved_bgc = np.abs(bigram.logp(params, batch) - batch.old_logp_bgc)
    self.assertAlmostEqual(
      float(metrics['off_policy']), float(moved_bgc[mask_bgc].mean()), places=5
    )

  def test_normalize_then_sum_lies_in_the_span(self):
    config = functools.partial(RLConfig, eta=30.0, kl_beta=0.0, clip=1e3)
    params, reference, batch = bigram.make(0)
    gradients, apart = {}, {}
    for combine in ('sum_then_normalize', 'normalize_then_sum'):
      c = config(combine=combine)
      weights_k, basis = bigram.weights_by_hand(params, batch, reference, c)
      _, _, gradient = bigram.update(c, params, reference, batch)
      flat = np.concatenate([np.ravel(x) for x in gradient.values()])
      gradients[combine] = flat
      fit = np.linalg.lstsq(np.stack(basis, 1), flat, rcond=None)[0]
      apart[combine] = np.linalg.norm(np.stack(basis, 1) @ fit - flat)
      apart[combine] /= np.linalg.norm(flat)
    np.testing.assert_allclose(
      gradients['normalize_then_sum'],
      np.stack(basis, 1) @ weights_k,
      rtol=1e-3,
      atol=1e-5,
    )
    self.assertLess(apart['normalize_then_sum'], 1e-4)
    self.assertGreater(apart['sum_then_normalize'], 1e-3)

  def test_descends_towards_the_rewarded(self):
    config = RLConfig(kl_beta=0.0)
    params, reference, batch = bigram.make(0, noise=0.0)
    state, _, _ = bigram.update(config, params, reference, batch)
    mask_bgc = np.arange(bigram.C) < batch.length_bg[..., None]
    rise_bgc = bigram.logp(state.params, batch) - bigram.logp(params, batch)
    rise_bg = (rise_bgc * mask_bgc).sum(-1) / batch.length_bg
    advantage_bg = bigram.z_score(batch.reward_bgk.mean(-1))
    self.assertGreater(float((rise_bg * advantage_bg).sum()), 0)

  def test_light_weighs_by_the_spread(self):
    config = RLConfig(weighting='popo_light')
    params, reference, batch = bigram.make(0)
    reward_bgk = np.abs(batch.reward_bgk) + np.float32([0, 3])
    batch = batch.replace(reward_bgk=reward_bgk)
    ratio_k = (reward_bgk.std(1) / (reward_bgk.mean(1) + 1e-4)).mean(0)
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    weights_k = ratio_k / ratio_k.sum()
    np.testing.assert_allclose(metrics['weight_id'], weights_k[1], rtol=1e-4)
    _, expected = bigram.written_gradient(
      params, batch, reference, bigram.z_score(reward_bgk @ weights_k), config
    )
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)

  @parameterized.parameters(((), (0.5, 0.5)), ((1.0, 3.0), (0.25, 0.75)))
  def test_fixed(self, given, expected):
    config = RLConfig(weighting='fixed', fixed_weights=given)
    params, reference, batch = bigram.make(0)
    _, metrics, gradient = bigram.update(config, params, reference, batch)
    self.assertAlmostEqual(float(metrics['weight_id']), expected[1], places=6)
    _, by_hand = bigram.written_gradient(
      params,
      batch,
      reference,
      bigram.z_score(batch.reward_bgk @ np.float32(expected)),
      config,
    )
    chex.assert_trees_all_close(gradient, by_hand, rtol=1e-3, atol=1e-5)

  def test_what_lies_behind_the_end_is_ignored(self):
    params, reference, batch = bigram.make(0)
    mask_bgc = np.arange(bigram.C) < batch.length_bg[..., None]
    other = batch.replace(
      completion_bgc=np.where(mask_bgc, batch.completion_bgc, 0),
      old_logp_bgc=np.where(mask_bgc, batch.old_logp_bgc, -50.0),
    )
    a, b = (
      bigram.update(RLConfig(), params, reference, x) for x in (batch, other)
    )
    chex.assert_trees_all_close(a, b, rtol=1e-6)

  @parameterized.product(
    weighting=('popo', 'popo_light', 'fixed'), bad=(np.nan, np.inf)
  )
  def test_bad_reward_keeps_the_state_and_is_named(self, weighting, bad):
    config = RLConfig(weighting=weighting)
    params, reference, batch = bigram.make(0)
    batch.reward_bgk[1, 2, 1] = bad
    state, metrics, _ = bigram.update(config, params, reference, batch)
    chex.assert_trees_all_equal(state, bigram.start(params, config))
    self.assertFalse(np.isfinite(metrics['reward_id']))
    self.assertTrue(np.isfinite(metrics['reward_semantic']))

  def test_a_bad_reward_that_no_loss_reads_keeps_the_state(self):
    config = RLConfig(weighting='fixed', kl_beta=0.0)
    params, _, batch = bigram.make(0)
    batch.reward_bgk[1, 2, 1] = np.nan

    def first(reward_bgk, known_bgk, weights_k):
      return advantage.group_normalize(reward_bgk[..., 0])

    step = jax.jit(
      popo_step(bigram.logp, bigram.TX, config, bigram.NAMES, advantage=first)
    )
    state, metrics = step(bigram.start(params, config), batch, None)
    self.assertTrue(np.isfinite(metrics['loss']))
    chex.assert_trees_all_equal(state, bigram.start(params, config))

  def test_a_bad_gradient_of_a_finite_loss_keeps_the_state(self):
    # The root has no slope at 0.
    def logp(params, batch):
      return bigram.logp(params, batch) + jax.numpy.sqrt(params['zero'])

    config = RLConfig(weighting='fixed', kl_beta=0.0)
    params, _, batch = bigram.make(0)
    params['zero'] = jax.numpy.float32(0)
    step = jax.jit(popo_step(logp, bigram.TX, config, bigram.NAMES))
    state, metrics = step(bigram.start(params, config), batch, None)
    self.assertTrue(np.isfinite(metrics['loss']))
    self.assertFalse(np.isfinite(metrics['gradient_norm']))
    chex.assert_trees_all_equal(state, bigram.start(params, config))

  def test_unknown_rewards_are_left_out(self):
    # Of the first group the second reward of one rollout is not known: the
    # others are scored among themselves, and what it holds is never read.
    config = RLConfig(
      weighting='fixed', combine='normalize_then_sum', kl_beta=0.0
    )
    params, reference, batch = bigram.make(0)
    known_bgk = np.ones((bigram.B, bigram.G, 2), bool)
    known_bgk[0, 1, 1] = False
    score_bgk = bigram.each_score(batch.reward_bgk)
    left_n = np.delete(batch.reward_bgk[0, :, 1], 1)
    score_bgk[0, :, 1] = 0
    score_bgk[0, [0, 2, 3], 1] = bigram.z_score(left_n[None])[0]
    _, expected = bigram.written_gradient(
      params, batch, reference, score_bgk.mean(-1), config
    )
    for hidden in (0.0, 1e3):
      batch.reward_bgk[0, 1, 1] = hidden
      known = batch.replace(known_bgk=known_bgk)
      _, metrics, gradient = bigram.update(config, params, reference, known)
      chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)
      np.testing.assert_allclose(
        metrics['reward_id'],
        batch.reward_bgk[..., 1][known_bgk[..., 1]].mean(),
        rtol=1e-5,
      )

  def test_a_rule_that_reads_rewards_wants_all_of_them(self):
    params, reference, batch = bigram.make(0)
    known = batch.replace(known_bgk=np.ones((bigram.B, bigram.G, 2), bool))
    with self.assertRaisesRegex(ValueError, 'some are not known'):
      bigram.update(RLConfig(weighting='popo_light'), params, reference, known)

  @parameterized.parameters('sum_then_normalize', 'normalize_then_sum')
  def test_the_advantage_is_an_argument(self, combine):
    config = RLConfig(combine=combine, kl_beta=0.0)
    params, reference, batch = bigram.make(0, noise=0.02)

    def twice(reward_bgk, known_bgk, weights_k):
      return 2 * advantage.make(combine)(reward_bgk, known_bgk, weights_k)

    step = jax.jit(
      popo_step(bigram.logp, bigram.TX, config, bigram.NAMES, advantage=twice)
    )
    state, _ = step(bigram.start(params, config), batch, reference)
    gradient = jax.tree.map(lambda a, b: (a - b) / 0.1, params, state.params)
    weights_k, _ = bigram.weights_by_hand(params, batch, reference, config)
    advantage_bg = twice(batch.reward_bgk, None, np.float32(weights_k))
    _, expected = bigram.written_gradient(
      params, batch, reference, advantage_bg, config
    )
    chex.assert_trees_all_close(gradient, expected, rtol=1e-3, atol=1e-5)

  def test_wrong_axes_are_refused(self):
    params, reference, batch = bigram.make(0)
    batch = batch.replace(reward_bgk=batch.reward_bgk[..., 0])
    with self.assertRaises(AssertionError):
      bigram.update(RLConfig(), params, reference, batch)

  def test_equal_rewards_leave_the_policy(self):
    params, reference, batch = bigram.make(0)
    batch = batch.replace(reward_bgk=np.ones_like(batch.reward_bgk))
    state, metrics, _ = bigram.update(
      RLConfig(kl_beta=0.0), params, reference, batch
    )
    chex.assert_trees_all_close(state.params, params, atol=1e-6)
    self.assertEqual(float(metrics['zero_variance_id']), 1)
    self.assertAlmostEqual(float(metrics['weight_id']), 0.5, places=5)

  @parameterized.parameters(False, True)
  def test_zero_variance_whatever_the_size(self, known):
    # The mean of seven equal numbers of this size is rounded.
    params, reference, _ = bigram.make(0)
    rng = np.random.default_rng(0)
    shape = (bigram.B, 7, bigram.C)
    token_bgc = rng.integers(0, bigram.V, shape).astype(np.int32)
    reward_bgk = np.full((bigram.B, 7, 2), 12345.678, np.float32)
    reward_bgk[0, 0, 1] += 1
    batch = RolloutBatch(
      prompt_bp=np.zeros((bigram.B, 2), np.int32),
      prompt_length_b=np.full(bigram.B, 2, np.int32),
      completion_bgc=token_bgc,
      length_bg=np.full((bigram.B, 7), bigram.C, np.int32),
      old_logp_bgc=np.zeros(shape, np.float32),
      reward_bgk=reward_bgk,
      known_bgk=np.ones((bigram.B, 7, 2), bool) if known else None,
    )
    config = RLConfig(weighting='fixed', kl_beta=0.0)
    _, metrics, _ = bigram.update(config, params, reference, batch)
    self.assertEqual(float(metrics['zero_variance_semantic']), 1)
    self.assertAlmostEqual(float(metrics['zero_variance_id']), 1 - 1 / bigram.B)

  def test_one_trace(self):
    config = RLConfig()
    params, reference, _ = bigram.make(0)
    chex.clear_trace_counter()
    pure = popo_step(bigram.logp, bigram.TX, config, bigram.NAMES)
    step = jax.jit(chex.assert_max_traces(pure, n=1), donate_argnums=0)
    state = bigram.start(params, config)
    for seed in range(3):
      state, _ = step(state, bigram.make(seed)[2], reference)
    self.assertEqual(int(state.step), 3)


class RLConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'weighting': 'mgda'}, "rl.weighting is 'mgda'; choose one of popo"),
    ({'combine': 'sum'}, "rl.combine is 'sum'; choose one of sum_then"),
    ({'group': 1}, 'rl.group is 1'),
    ({'mu': 0.0}, 'rl.mu is 0.0'),
    ({'temperature': -1.0}, 'rl.temperature is -1.0'),
    ({'clip': float('nan')}, 'rl.clip is nan'),
    ({'kl_beta': -0.1}, 'rl.kl_beta is -0.1'),
    ({'fixed_weights': (0.0, 0.0)}, 'rl.fixed_weights'),
    ({'fixed_weights': (-1.0, 2.0)}, 'rl.fixed_weights'),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(UserError, message):
      RLConfig(**fields)


if __name__ == '__main__':
  absltest.main()
