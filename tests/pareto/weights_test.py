"""Hand goldens of the rules that keep a state or read no gradients."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto


def gramian(rows: list[list[float]]) -> pareto.Observation:
  jacobian_kp = jnp.asarray(rows, jnp.float32)
  return pareto.Observation(gramian_kk=jacobian_kp @ jacobian_kp.T)


class PopoTest(absltest.TestCase):
  def test_hand(self):
    # I = (1, 2), eta / mu = 2: w = softmax(2, 4).
    rule = pareto.popo(eta=1.0, mu=0.5)
    seen = pareto.Observation(alignment_k=jnp.asarray([1.0, 2.0]))
    weights_k, state = rule.update(seen, rule.init(2))
    second = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(weights_k, [1 - second, second], rtol=1e-6)
    # The same again: softmax(4, 8).
    weights_k, _ = rule.update(seen, state)
    np.testing.assert_allclose(weights_k[1], 1 / (1 + np.exp(-4.0)), rtol=1e-6)

  def test_two_objectives_weigh_by_norm_whatever_the_conflict(self):
    # I_1 - I_2 = |g_1|^2 - |g_2|^2: 4 - 1 at every angle.
    rule = pareto.popo()
    for angle in (0.0, 1.0, 2.0, 3.0):
      second = [float(np.cos(angle)), float(np.sin(angle))]
      weights_k, _ = rule.update(gramian([[2.0, 0.0], second]), rule.init(2))
      ratio = float(jnp.log(weights_k[0] / weights_k[1]))
      self.assertAlmostEqual(ratio, 3.0, places=4)

  def test_gramian_gives_the_same_as_alignment(self):
    rule = pareto.popo()
    seen = gramian([[1.0, 0.2], [0.3, -0.5], [0.1, 0.1]])
    aligned = pareto.Observation(alignment_k=seen.gramian_kk.sum(-1))
    np.testing.assert_allclose(
      rule.update(seen, rule.init(3))[0],
      rule.update(aligned, rule.init(3))[0],
      rtol=1e-6,
    )

  def test_nan_alignment_moves_nothing(self):
    rule = pareto.popo()
    first = pareto.Observation(alignment_k=jnp.asarray([1.0, 0.0]))
    before_k, state = rule.update(first, rule.init(2))
    bad = pareto.Observation(alignment_k=jnp.asarray([jnp.nan, 0.0]))
    after_k, state = rule.update(bad, state)
    np.testing.assert_allclose(after_k, before_k)
    self.assertTrue(bool(jnp.isfinite(state.log_weight_k).all()))

  def test_left_out_objective_comes_back(self):
    rule = pareto.popo()
    rows = [[1.0, 0.0], [0.0, 0.5], [0.2, 0.2]]
    rows_nan = [[float('nan')] * 2, *rows[1:]]
    start_k, state = rule.update(gramian(rows), rule.init(3))
    without_k, state = rule.update(gramian(rows_nan), state)
    self.assertEqual(float(without_k[0]), 0.0)
    back_k, _ = rule.update(gramian(rows), state)
    self.assertGreater(float(back_k[0]), 0.5 * float(start_k[0]))

  def test_normalized_never_moves_with_two(self):
    rule = pareto.normalized_popo(eta=10.0)
    for rows in ([[5.0, 0.0], [-1.0, 0.3]], [[1.0, 1.0], [0.1, 0.0]]):
      weights_k, _ = rule.update(gramian(rows), rule.init(2))
      np.testing.assert_allclose(weights_k, [0.5, 0.5], atol=1e-6)

  def test_normalized_raises_the_majority(self):
    rule = pareto.normalized_popo()
    # Cosines' row sums: 1 + 1 - 1 = 1 twice, 1 - 2 = -1; the third is longest.
    seen = gramian([[1.0, 0.0], [2.0, 0.0], [-9.0, 0.0]])
    weights_k, _ = rule.update(seen, rule.init(3))
    wanted_k = np.exp([1.0, 1.0, -1.0])
    np.testing.assert_allclose(weights_k, wanted_k / wanted_k.sum(), rtol=1e-5)


class MirrorMinNormTest(absltest.TestCase):
  def test_hand(self):
    # G = diag(4, 1), w = (1/2, 1/2): G w / 4 = (1/2, 1/8); softmax(-eta ...).
    rule = pareto.mirror_min_norm(eta=1.0)
    seen = gramian([[2.0, 0.0], [0.0, 1.0]])
    weights_k, _ = rule.update(seen, rule.init(2))
    np.testing.assert_allclose(weights_k[0], 1 / (1 + np.exp(0.375)), rtol=1e-6)

  def test_descends_to_min_norm(self):
    rule = pareto.mirror_min_norm(eta=1.0)
    rows_kp = np.random.default_rng(0).normal(size=(5, 7))
    rows_kp -= 0.5 * rows_kp.mean(0)
    seen = gramian(rows_kp.tolist())
    update = jax.jit(rule.update)
    state, lengths = rule.init(5), []
    for _ in range(600):
      weights_k, state = update(seen, state)
      lengths.append(float(weights_k @ seen.gramian_kk @ weights_k))
    self.assertLessEqual(max(np.diff(lengths)), 1e-6)
    best_k, _ = pareto.min_norm().update(seen, ())
    best = float(best_k @ seen.gramian_kk @ best_k)
    self.assertLess(lengths[-1] - best, 1e-3)


class PopoLightTest(absltest.TestCase):
  def test_hand(self):
    # Rewards 0, 2 (mean 1, deviation 1) and 3, 5 (mean 4, deviation 1): ratios
    # 1 and 1/4, so 4/5 and 1/5.
    seen = pareto.Observation(
      reward_bgk=jnp.asarray([[[0.0, 3.0], [2.0, 5.0]]])
    )
    weights_k, _ = pareto.popo_light(epsilon=1e-6).update(seen, ())
    np.testing.assert_allclose(weights_k, [0.8, 0.2], rtol=1e-4)

  def test_no_variance(self):
    # The second never varies: no weight. None varies: uniform.
    one = jnp.asarray([[[0.0, 3.0], [2.0, 3.0]]])
    weights_k, _ = pareto.popo_light().update(
      pareto.Observation(reward_bgk=one), ()
    )
    np.testing.assert_allclose(weights_k, [1.0, 0.0])
    weights_k, _ = pareto.popo_light().update(
      pareto.Observation(reward_bgk=jnp.ones((2, 2, 4))), ()
    )
    np.testing.assert_allclose(weights_k, 0.25)

  def test_equal_rewards_have_no_spread_by_rounding(self):
    for group in (3, 5, 7):
      reward_bgk = jnp.tile(jnp.float32([0.1, 12345.678]), (2, group, 1))
      weights_k, _ = pareto.popo_light().update(
        pareto.Observation(reward_bgk=reward_bgk), ()
      )
      np.testing.assert_array_equal(weights_k, [0.5, 0.5])


class LossRulesTest(absltest.TestCase):
  def test_dwa(self):
    # Losses (1, 1), then (1, 0.5): ratios (1, 1/2), softmax(1/2, 1/4) at T = 2.
    rule = pareto.dwa()
    state = rule.init(2)
    for loss_k in ([1.0, 1.0], [1.0, 0.5], [9.0, 9.0]):
      weights_k, state = rule.update(
        pareto.Observation(loss_k=jnp.asarray(loss_k)), state
      )
    np.testing.assert_allclose(weights_k[0], 1 / (1 + np.exp(-0.25)), rtol=1e-6)

  def test_famo(self):
    # The first update knows no fall: 1 / L, so (1, 1/3) normalised.
    rule = pareto.famo(learning_rate=0.1, weight_decay=0.0)
    weights_k, state = rule.update(
      pareto.Observation(loss_k=jnp.asarray([1.0, 3.0])), rule.init(2)
    )
    np.testing.assert_allclose(weights_k, [0.75, 0.25], rtol=1e-5)
    # The first fell, the second did not: Adam's first step is the learning
    # rate, so the logits are -0.1 and 0.1, and the losses now are equal.
    weights_k, state = rule.update(
      pareto.Observation(loss_k=jnp.asarray([0.5, 3.0])), state
    )
    np.testing.assert_allclose(state.logit_k, [-0.1, 0.1], rtol=1e-3)
    raw_k = np.exp([-0.1, 0.1]) / np.array([0.5, 3.0])
    np.testing.assert_allclose(weights_k, raw_k / raw_k.sum(), rtol=1e-3)

  def test_famo_counts_from_its_lower_bound(self):
    # 2 and 4 are 1 and 3 over 1: weights go with 1 and 1 / 3.
    rule = pareto.famo(lower_bound=1.0)
    seen = pareto.Observation(loss_k=jnp.asarray([2.0, 4.0]))
    weights_k, _ = rule.update(seen, rule.init(2))
    np.testing.assert_allclose(weights_k, [0.75, 0.25], rtol=1e-5)

  def test_famo_remembers_the_last_finite_loss(self):
    rule = pareto.famo()
    state = rule.init(2)
    for loss_k in ([3.0, 5.0], [float('nan'), 4.0]):
      _, state = rule.update(
        pareto.Observation(loss_k=jnp.asarray(loss_k)), state
      )
    np.testing.assert_allclose(state.loss_k, [3.0, 4.0])

  def test_famo_is_algorithm_1_where_each_batch_is_observed_twice(self):
    # Two losses, each batch its own: before the step, after it, before, ...
    before_tk = np.array([[1.0, 3.0], [2.5, 0.5], [0.2, 1.0], [4.0, 4.0]])
    after_tk = before_tk * [[0.5, 1.0], [0.9, 0.7], [1.0, 0.4], [0.8, 0.6]]
    rate, decay = 0.1, 0.01
    rule = pareto.famo(rate, decay)
    state = rule.init(2)
    logit_k, mean_k, square_k = np.zeros(2), np.zeros(2), np.zeros(2)
    steps = zip(before_tk, after_tk, strict=True)
    for t, (before_k, after_k) in enumerate(steps, 1):
      seen, again = (
        pareto.Observation(loss_k=jnp.asarray(loss_k, jnp.float32))
        for loss_k in (before_k, after_k)
      )
      weights_k, state = rule.update(seen, state.forget())
      share_k = np.exp(logit_k) / np.exp(logit_k).sum()
      wanted_k = share_k / before_k
      np.testing.assert_allclose(weights_k, wanted_k / wanted_k.sum(), 1e-4)
      _, state = rule.update(again, state)
      fall_k = np.log(before_k) - np.log(after_k)
      slope_k = share_k * (fall_k - share_k @ fall_k) + decay * logit_k
      mean_k = 0.9 * mean_k + 0.1 * slope_k
      square_k = 0.999 * square_k + 0.001 * slope_k**2
      unbiased_k = np.sqrt(square_k / (1 - 0.999**t)) + 1e-8
      logit_k = logit_k - rate * mean_k / (1 - 0.9**t) / unbiased_k
      np.testing.assert_allclose(state.logit_k, logit_k, 1e-4)


class PcgradTest(absltest.TestCase):
  def test_repeats_from_its_state_and_goes_on(self):
    rule = pareto.pcgrad(seed=1)
    update = jax.jit(rule.update)
    rows_kp = np.random.default_rng(0).normal(size=(6, 6))
    seen = gramian((rows_kp - 0.9 * rows_kp.mean(0)).tolist())
    first_k, state = update(seen, rule.init(6))
    again_k, _ = update(seen, rule.init(6))
    next_k, _ = update(seen, state)
    np.testing.assert_array_equal(first_k, again_k)
    self.assertFalse(np.array_equal(first_k, next_k))


class ArgumentsTest(parameterized.TestCase):
  @parameterized.parameters(
    (pareto.popo, {'eta': 0.0}),
    (pareto.popo, {'mu': -1.0}),
    (pareto.normalized_popo, {'eta': float('nan')}),
    (pareto.mirror_min_norm, {'eta': 0.0}),
    (pareto.popo_light, {'epsilon': 0.0}),
    (pareto.cagrad, {'c': -0.1}),
    (pareto.cagrad, {'c': float('inf')}),
    (pareto.dwa, {'temperature': 0.0}),
    (pareto.dwa, {'window': 0}),
    (pareto.famo, {'learning_rate': -1.0}),
  )
  def test_out_of_range(self, factory, arguments):
    value = str(next(iter(arguments.values())))
    with self.assertRaisesRegex(ValueError, f'{factory.__name__}: .*{value}'):
      factory(**arguments)


if __name__ == '__main__':
  absltest.main()
