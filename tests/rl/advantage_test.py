import math

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np

from taiji_jax.rl import advantage

# One prompt, four rollouts, two rewards on very different scales.
REWARD_BGK = jnp.float32([[[0, 0], [0, 3], [1, 0], [1, 1]]])


class AdvantageTest(parameterized.TestCase):
  def test_golden(self):
    # Rewards 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5.
    advantage_bg = advantage.group_normalize(jnp.float32([[1, 2, 3, 6]]), 0.5)
    expected = np.array([-2, -1, 0, 3]) / (math.sqrt(3.5) + 0.5)
    np.testing.assert_allclose(advantage_bg, expected[None], rtol=1e-6)

  def test_each_group_by_itself(self):
    reward_bg = jnp.float32([[0, 1, 2], [10, 30, 20], [5, 5, 5]])
    whole = advantage.group_normalize(reward_bg)
    for row, reward_g in zip(whole, reward_bg, strict=True):
      alone = advantage.group_normalize(reward_g[None])[0]
      np.testing.assert_array_equal(row, alone)
      self.assertAlmostEqual(float(row.sum()), 0, places=5)

  @parameterized.parameters(0.0, 0.1, -7.3, 1e6)
  def test_equal_rewards_earn_nothing(self, value):
    advantage_bg = advantage.group_normalize(jnp.full((2, 4), value))
    np.testing.assert_allclose(advantage_bg, 0.0, atol=1e-6)

  def test_sum_then_normalize_golden(self):
    # 3/4 r_1 + 1/4 r_2 = 0, .75, .75, 1; mean .625, variance .140625 = .375^2:
    # (.390625 + .015625 + .015625 + .140625) / 4.
    advantage_bg = advantage.sum_then_normalize(
      REWARD_BGK, jnp.float32([0.75, 0.25]), 1e-7
    )
    expected = np.array([-0.625, 0.125, 0.125, 0.375]) / 0.375
    np.testing.assert_allclose(advantage_bg[0], expected, rtol=1e-5)

  def test_normalize_then_sum_golden(self):
    # r_1: mean 1/2, std 1/2. r_2: mean 1, std sqrt((1 + 4 + 1 + 0) / 4).
    advantage_bg = advantage.normalize_then_sum(
      REWARD_BGK, jnp.float32([0.75, 0.25]), 1e-7
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
      np.asarray(getattr(advantage, name)(REWARD_BGK, weights_k))[0]
      for name in advantage.COMBINE
    )
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    self.assertLess(cosine, 0.99)

  @parameterized.parameters(*advantage.COMBINE)
  def test_one_weight_is_that_reward(self, name):
    reward_bgk = jnp.float32(np.random.default_rng(0).normal(size=(3, 4, 2)))
    advantage_bg = getattr(advantage, name)(reward_bgk, jnp.float32([0, 1]))
    alone_bg = advantage.group_normalize(reward_bgk[..., 1])
    np.testing.assert_allclose(advantage_bg, alone_bg, rtol=1e-5, atol=1e-6)

  def test_scale_of_a_reward_matters_only_before_the_sum(self):
    reward_bgk = jnp.float32(np.random.default_rng(1).normal(size=(3, 4, 2)))
    scaled_bgk = reward_bgk * jnp.float32([1, 100])
    weights_k = jnp.float32([0.5, 0.5])
    apart = [
      float(jnp.abs(f(reward_bgk, weights_k) - f(scaled_bgk, weights_k)).max())
      for f in (advantage.normalize_then_sum, advantage.sum_then_normalize)
    ]
    self.assertLess(apart[0], 1e-2)
    self.assertGreater(apart[1], 0.1)


if __name__ == '__main__':
  absltest.main()
