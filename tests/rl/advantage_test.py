import math

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rl import advantage

# One prompt, four rollouts, two rewards on very different scales.
REWARD_BGK = jnp.float32([[[0, 0], [0, 3], [1, 0], [1, 1]]])


class AdvantageTest(parameterized.TestCase):
  def test_golden(self):
    # Rewards 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5.
    advantage_bg = advantage.group_normalize(
      jnp.float32([[1, 2, 3, 6]]), epsilon=0.5
    )
    expected = np.array([-2, -1, 0, 3]) / (math.sqrt(3.5) + 0.5)
    np.testing.assert_allclose(advantage_bg, expected[None], rtol=1e-6)

  def test_each_group_by_itself(self):
    reward_bg = jnp.float32([[0, 1, 2], [10, 30, 20], [5, 5, 5]])
    whole = advantage.group_normalize(reward_bg)
    for row, reward_g in zip(whole, reward_bg, strict=True):
      alone = advantage.group_normalize(reward_g[None])[0]
      np.testing.assert_array_equal(row, alone)
      self.assertAlmostEqual(float(row.sum()), 0, places=5)

  @parameterized.product(
    value=(0.0, 0.1, -7.3, 1e6, 12345.678), group=(3, 4, 7), known=(False, True)
  )
  def test_equal_rewards_earn_nothing(self, value, group, known):
    # Exactly: what a rounded mean leaves, divided by epsilon, is large.
    reward_bg = jnp.full((2, group), value, jnp.float32)
    known_bg = None
    if known:  # What is not known holds something else, and comes first.
      known_bg = jnp.arange(group) > 0
      known_bg = jnp.broadcast_to(known_bg, reward_bg.shape)
      reward_bg = reward_bg.at[:, 0].set(jnp.nan)
    advantage_bg = advantage.group_normalize(reward_bg, known_bg)
    np.testing.assert_array_equal(advantage_bg, np.zeros((2, group)))

  @parameterized.product(
    combine=advantage.COMBINE, group=(3, 5, 7), known=(False, True)
  )
  def test_equal_rewards_of_each_kind_earn_nothing(self, combine, group, known):
    reward_bgk = jnp.tile(jnp.float32([0.1, 12345.678, -7.3]), (2, group, 1))
    known_bgk = jnp.ones(reward_bgk.shape, bool) if known else None
    advantage_bg = jax.jit(advantage.make(combine))(
      reward_bgk, known_bgk, jnp.float32([0.31, 0.29, 0.4])
    )
    np.testing.assert_array_equal(advantage_bg, np.zeros((2, group)))

  def test_sum_then_normalize_golden(self):
    # 3/4 r_1 + 1/4 r_2 = 0, .75, .75, 1; mean .625, variance .140625 = .375^2:
    # (.390625 + .015625 + .015625 + .140625) / 4.
    advantage_bg = advantage.sum_then_normalize(
      REWARD_BGK, None, jnp.float32([0.75, 0.25]), 1e-7
    )
    expected = np.array([-0.625, 0.125, 0.125, 0.375]) / 0.375
    np.testing.assert_allclose(advantage_bg[0], expected, rtol=1e-5)

  def test_normalize_then_sum_golden(self):
    # r_1: mean 1/2, std 1/2. r_2: mean 1, std sqrt((1 + 4 + 1 + 0) / 4).
    advantage_bg = advantage.normalize_then_sum(
      REWARD_BGK, None, jnp.float32([0.75, 0.25]), 1e-7
    )
    std = math.sqrt(1.5)
    first = np.array([-1, -1, 1, 1])
    second = np.array([-1, 2, -1, 0]) / std
    np.testing.assert_allclose(
      advantage_bg[0], 0.75 * first + 0.25 * second, rtol=1e-5
    )

  def test_the_two_differ_in_direction(self):
    weights_k = jnp.float32([0.5, 0.5])
    a, b = (
      np.asarray(advantage.make(name)(REWARD_BGK, None, weights_k))[0]
      for name in advantage.COMBINE
    )
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    self.assertLess(cosine, 0.99)

  @parameterized.parameters(*advantage.COMBINE)
  def test_one_weight_is_that_reward(self, name):
    reward_bgk = jnp.float32(np.random.default_rng(0).normal(size=(3, 4, 2)))
    advantage_bg = advantage.make(name)(reward_bgk, None, jnp.float32([0, 1]))
    alone_bg = advantage.group_normalize(reward_bgk[..., 1])
    np.testing.assert_allclose(advantage_bg, alone_bg, rtol=1e-5, atol=1e-6)

  def test_scale_of_a_reward_matters_only_before_the_sum(self):
    reward_bgk = jnp.float32(np.random.default_rng(1).normal(size=(3, 4, 2)))
    scaled_bgk = reward_bgk * jnp.float32([1, 100])
    weights_k = jnp.float32([0.5, 0.5])
    apart = [
      float(
        jnp.abs(
          f(reward_bgk, None, weights_k) - f(scaled_bgk, None, weights_k)
        ).max()
      )
      for f in (advantage.normalize_then_sum, advantage.sum_then_normalize)
    ]
    self.assertLess(apart[0], 1e-2)
    self.assertGreater(apart[1], 0.1)

  @parameterized.product(combine=advantage.COMBINE, seed=(0, 1))
  def test_all_known_is_as_none_said(self, combine, seed):
    reward_bgk = jnp.float32(np.random.default_rng(seed).normal(size=(3, 4, 2)))
    weights_k = jnp.float32([0.3, 0.7])
    known_bgk = jnp.ones((3, 4, 2), bool)
    a, b = (
      advantage.make(combine)(reward_bgk, known, weights_k)
      for known in (None, known_bgk)
    )
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

  @parameterized.parameters(0, 1, 2)
  def test_unknown_rewards_in_numpy(self, seed):
    rng = np.random.default_rng(seed)
    reward_bgk, weight_k = rng.normal(size=(3, 4, 2)), np.array([0.3, 0.7])
    known_bgk = rng.random((3, 4, 2)) < 0.7
    known_bgk[0, :, 1] = False
    known_bgk[1, 2] = False
    want = {name: np.zeros((3, 4)) for name in advantage.COMBINE}
    for b in range(3):
      summed_g = np.zeros(4)
      for k in range(2):
        known_g = known_bgk[b, :, k]
        if not known_g.any():
          continue
        value_n = reward_bgk[b, known_g, k]
        summed_g[known_g] += weight_k[k] * (value_n - value_n.mean())
        score_n = (value_n - value_n.mean()) / (value_n.std() + 1e-4)
        want['normalize_then_sum'][b, known_g] += weight_k[k] * score_n
      some_g = known_bgk[b].any(-1)
      value_n = summed_g[some_g]
      score_n = (value_n - value_n.mean()) / (value_n.std() + 1e-4)
      want['sum_then_normalize'][b, some_g] = score_n
    # What an unknown reward holds is never read.
    hidden_bgk = np.where(known_bgk, reward_bgk, np.nan)
    for name in advantage.COMBINE:
      found_bg = advantage.make(name)(
        jnp.float32(hidden_bgk), jnp.asarray(known_bgk), jnp.float32(weight_k)
      )
      np.testing.assert_allclose(found_bg, want[name], rtol=1e-3, atol=1e-5)

  def test_refuses_other_axes(self):
    with self.assertRaises(AssertionError):
      advantage.sum_then_normalize(REWARD_BGK[0], None, jnp.float32([0.5, 0.5]))


if __name__ == '__main__':
  absltest.main()
