"""S-GRec's advantage: its properties over random and degenerate groups."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rl import advantage

EPSILON = 1e-4


def _scores(reward_g, known_g):
  """z-scores of a group, in numpy and float64."""
  found = np.zeros(len(reward_g))
  own = reward_g[known_g].astype(np.float64)
  if len(own) > 1 and np.ptp(own):
    found[known_g] = (own - own.mean()) / (own.std() + EPSILON)
  return found


def _transcribed(reward_gk, known_gk):
  """Returns (A, A_biz, A_sem, lambda) of a group."""
  business, semantic = (
    _scores(reward_gk[:, k], known_gk[:, k]) for k in (0, 1)
  )
  size = np.abs([business, semantic])
  admitted = size.min(0) / (size.max(0) + EPSILON)
  admitted[np.sign(business) != np.sign(semantic)] = 0
  return business + admitted * semantic, business, semantic, admitted


def _groups(seed):
  """Rewards and masks: dense, rare hits, constants, huge, nobody judged."""
  rng = np.random.default_rng(seed)
  b, g = 64, int(rng.integers(2, 17))
  reward_bgk = rng.normal(size=(b, g, 2)) * 10.0 ** rng.integers(-3, 4)
  reward_bgk[::4, :, 0] = 0  # no hit
  reward_bgk[1::4, :, 0] = np.arange(g) == rng.integers(g)
  reward_bgk[::5, :, 1] = rng.integers(0, 2, (len(reward_bgk[::5]), g))
  reward_bgk[::7, :, 1] = 0.3
  known_bgk = np.ones(reward_bgk.shape, bool)
  known_bgk[..., 1] = rng.random((b, 1)) < 0.5
  known_bgk[::3, :, 1] = rng.random((len(known_bgk[::3]), g)) < 0.3
  reward_bgk[~known_bgk] = np.nan
  return reward_bgk.astype(np.float32), known_bgk


class A2poTest(parameterized.TestCase):
  @parameterized.parameters(*range(8))
  def test_properties(self, seed):
    reward_bgk, known_bgk = _groups(seed)
    found_bg = jax.jit(advantage.a2po)(reward_bgk, known_bgk)
    want = [
      np.stack(part)
      for part in zip(*map(_transcribed, reward_bgk, known_bgk), strict=True)
    ]
    whole_bg, business_bg, semantic_bg, lambda_bg = want
    np.testing.assert_allclose(found_bg, whole_bg, rtol=1e-5, atol=1e-6)
    each = advantage.each_normalized(reward_bgk, known_bgk)
    own_bg, other_bg = each[..., 0], each[..., 1]
    admitted_bg = advantage.a2po_lambda(own_bg, other_bg)
    np.testing.assert_allclose(admitted_bg, lambda_bg, atol=2e-5)
    added_bg = np.abs(admitted_bg * other_bg)
    self.assertTrue((added_bg <= np.abs(own_bg)).all())
    np.testing.assert_array_equal(np.sign(found_bg), np.sign(own_bg))
    self.assertTrue((np.abs(found_bg) >= np.abs(own_bg)).all())
    self.assertTrue((np.abs(found_bg) <= 2 * np.abs(own_bg)).all())
    alone_bg = np.sign(business_bg) != np.sign(semantic_bg)
    alone_bg |= (known_bgk[..., 1].sum(1) < 2)[:, None]
    alone_bg |= semantic_bg == 0
    self.assertTrue(alone_bg.any())
    self.assertFalse(alone_bg.all())
    np.testing.assert_array_equal(found_bg[alone_bg], own_bg[alone_bg])
    silent_bg = business_bg == 0
    np.testing.assert_array_equal(found_bg[silent_bg], 0)

  def test_golden(self):
    # A_biz = (-1, -1, 1, 1), A_sem = (-1, 1, -1, 1): two agree.
    reward_bgk = jnp.float32([[[0, 0], [0, 1], [1, 0], [1, 1]]])
    found_bg = advantage.a2po(reward_bgk, None, epsilon=1e-7)
    np.testing.assert_allclose(found_bg, [[-2, -1, 1, 2]], atol=1e-5)

  def test_a_smaller_semantic_advantage_counts_by_its_square(self):
    lambda_bg = advantage.a2po_lambda(
      jnp.float32([[2.0, -2.0]]), jnp.float32([[0.5, -4.0]]), epsilon=1e-9
    )
    np.testing.assert_allclose(lambda_bg, [[0.25, 0.5]], rtol=1e-6)

  def test_ablations(self):
    own_bg, other_bg = jnp.float32([[1, 1, 0]]), jnp.float32([[-2, 2, 2]])
    admitted = lambda **options: np.asarray(  # noqa: E731
      advantage.a2po_lambda(own_bg, other_bg, epsilon=1e-9, **options)
    )
    np.testing.assert_allclose(admitted(), [[0, 0.5, 0]])
    np.testing.assert_allclose(admitted(gate=False), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(admitted(bound=False), [[0, 1, 0]])
    np.testing.assert_allclose(admitted(gate=False, bound=False), [[1, 1, 0]])

  def test_groups_without_a_business_signal(self):
    reward_bgk = jnp.float32([[[0, 1], [0, 3]], [[0, 1], [1, 3]]])
    plain_bg = advantage.a2po(reward_bgk, None)
    np.testing.assert_array_equal(plain_bg[0], 0)
    found_bg = advantage.a2po(reward_bgk, None, uninformed=0.25)
    np.testing.assert_allclose(found_bg[0], [-0.25, 0.25], rtol=1e-3)
    np.testing.assert_array_equal(found_bg[1], plain_bg[1])

  @parameterized.parameters(advantage.a2po, advantage.gd2po)
  def test_a_group_of_one_and_one_that_was_not_judged(self, method):
    np.testing.assert_array_equal(method(jnp.ones((3, 1, 2)), None), 0)
    reward_bgk = jnp.float32([[[0, jnp.nan], [1, jnp.nan]]])
    known_bgk = jnp.isfinite(reward_bgk)
    found_bg = method(reward_bgk, known_bgk)
    np.testing.assert_allclose(found_bg, [[-1, 1]], rtol=1e-3)

  @parameterized.parameters(advantage.a2po, advantage.gd2po)
  def test_two_rewards(self, method):
    with self.assertRaisesRegex(ValueError, 'give .b, g, 2.'):
      method(jnp.ones((1, 2, 3)), None)


class Gd2poTest(absltest.TestCase):
  def test_rollouts_whose_rewards_disagree_are_masked(self):
    reward_bgk = jnp.float32([[[0, 0], [0, 1], [1, 0], [1, 1]]])
    found_bg = advantage.gd2po(reward_bgk, None, epsilon=1e-7)
    np.testing.assert_allclose(found_bg, [[-2, 0, 0, 2]], atol=1e-5)


class SumsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.reward_bgk = jnp.float32(
      [[[0, 0], [0, 1], [1, 0], [1, 1]], [[2, 0], [2, 0], [2, 0], [2, 4]]]
    )

  def test_one_summed_reward(self):
    found_bg = advantage.reward_sum(self.reward_bgk, None, epsilon=1e-7)
    want = advantage.group_normalize(self.reward_bgk.sum(-1), epsilon=1e-7)
    np.testing.assert_allclose(found_bg, want, rtol=1e-5)

  def test_a_sum_of_advantages(self):
    found_bg = advantage.advantage_sum(self.reward_bgk, None, epsilon=1e-7)
    np.testing.assert_allclose(found_bg[0], [-2, 0, 0, 2], atol=1e-5)
    third = 3**-0.5
    np.testing.assert_allclose(found_bg[1], [-third] * 3 + [3**0.5], rtol=1e-5)

  def test_gdpo_scales_over_the_batch(self):
    plain_bg = advantage.advantage_sum(self.reward_bgk, None)
    found_bg = advantage.gdpo(self.reward_bgk, None)
    self.assertAlmostEqual(float(found_bg.std()), 1, places=3)
    ratio_bg = found_bg[1] / plain_bg[1]
    np.testing.assert_allclose(ratio_bg, 1 / plain_bg.std(), rtol=1e-3)
    known_bgk = jnp.ones(self.reward_bgk.shape, bool).at[0].set(False)
    found_bg = advantage.gdpo(self.reward_bgk, known_bgk)
    np.testing.assert_array_equal(found_bg[0], 0)
    self.assertAlmostEqual(float(found_bg[1].std()), 1, places=3)


if __name__ == '__main__':
  absltest.main()
