import functools
import math

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rl import expected

NEVER = -np.inf


def linear(params, feature_bcd):
  """Returns log P of features; there is no candidate where they are NaN."""
  given_bc = ~jnp.isnan(feature_bcd).any(-1)
  feature_bcd = jnp.where(given_bc[..., None], feature_bcd, 0.0)
  curved_bcd = jnp.tanh(feature_bcd * params['scale'])
  logp_bc = curved_bcd @ params['weight_d']
  return jnp.where(given_bc, logp_bc, NEVER)


# One compilation each is faster than one of every operation.
held_policy = jax.jit(expected.held_policy)
expected_rewards = jax.jit(expected.expected_rewards)
cotangent = jax.jit(expected.cotangent)
agreement = jax.jit(expected.agreement)
gradients = jax.jit(expected.gradients, static_argnums=0)


@jax.jit
def value_and_slope(logp_bc, reward_bck):
  value = lambda x: expected.expected_rewards(x, reward_bck)  # noqa: E731
  return value(logp_bc), jax.grad(lambda x: value(x).sum())(logp_bc)


@jax.jit
def objective(params, reward_bck):
  """Value and gradient of the sum over rows and objectives."""
  feature_bcd = make()[1]
  return jax.value_and_grad(
    lambda p: expected.expected_rewards(
      linear(p, feature_bcd), reward_bck
    ).sum()
  )(params)


@functools.cache
def policy():
  params, feature_bcd, _ = make()
  return held_policy(jax.jit(linear)(params, feature_bcd))


@functools.cache
def make(rows=6, count=4, width=40):
  rng = np.random.default_rng(0)
  feature_bcd = rng.normal(size=(rows, count, width)).astype(np.float32)
  feature_bcd[1, 2] = np.nan
  feature_bcd[4] = np.nan
  reward_bck = rng.uniform(size=(rows, count, 2)).astype(np.float32)
  params = {
    'weight_d': jnp.float32(rng.normal(size=width) / 4),
    'scale': jnp.float32(0.7),
  }
  return params, feature_bcd, reward_bck


@functools.cache
def compared(baseline):
  params, feature_bcd, reward_bck = make()
  both = np.concatenate([reward_bck, reward_bck.mean(-1, keepdims=True)], -1)

  @jax.jit
  def run(params, feature_bcd, both, key):
    return expected.compare(
      linear,
      params,
      feature_bcd,
      both,
      key,
      (4, 64),
      repeats=200,
      baseline=baseline,
    )

  return jax.device_get(run(params, feature_bcd, both, jax.random.key(1)))


class ExpectedRewardsTest(parameterized.TestCase):
  def test_two_candidates_by_hand(self):
    # P is 3/16 and 1/16 of all texts: held, 3/4 and 1/4. Rewards 1 and 5:
    # J = 3/4 + 5/4 = 2; the gradients are 3/4 (1 - 2) and 1/4 (5 - 2).
    logp_bc = np.log(np.array([[3 / 16, 1 / 16]], np.float32))
    reward_bck = np.array([[[1.0], [5.0]]], np.float32)
    value_bk, slope_bc = value_and_slope(logp_bc, reward_bck)
    np.testing.assert_allclose(value_bk, [[2]], rtol=1e-6)
    np.testing.assert_allclose(slope_bc, [[-0.75, 0.75]], atol=1e-6)
    policy_bc = held_policy(logp_bc)
    np.testing.assert_allclose(policy_bc, [[0.75, 0.25]], atol=1e-6)
    # Second drawn three times of four: q A = 1/4, 15/4; less p times 4.
    np.testing.assert_allclose(
      cotangent(policy_bc, np.array([[0.25, 0.75]]), reward_bck, policy_bc > 0)[
        ..., 0
      ],
      [[0.25 - 3.0, 3.75 - 1.0]],
      atol=1e-6,
    )

  def test_what_is_missing_counts_for_nothing(self):
    logp_bc = np.array([[-50, NEVER, -51], [NEVER, NEVER, NEVER]], np.float32)
    reward_bck = np.array([[[2], [np.nan], [4]], [[np.nan]] * 3], np.float32)
    value_bk, slope_bc = value_and_slope(logp_bc, reward_bck)
    first = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(
      value_bk, [[2 * first + 4 * (1 - first)], [0]], rtol=1e-5
    )
    slope = 2 * first * (1 - first)
    np.testing.assert_allclose(
      slope_bc, [[-slope, 0, slope], [0, 0, 0]], rtol=1e-4
    )
    given_bc = np.array([[False, False, True], [False, False, False]])
    masked = expected_rewards(logp_bc, reward_bck, given_bc)
    np.testing.assert_allclose(masked, [[4], [0]])

  @parameterized.parameters(0.1, 1 / 3, 1e4)
  def test_equal_rewards_give_no_gradient(self, reward):
    params, _, reward_bck = make()
    value, gradient = objective(params, np.full_like(reward_bck, reward))
    for leaf in jax.tree.leaves(gradient):
      np.testing.assert_array_equal(leaf, 0)
    self.assertAlmostEqual(float(value), 10 * reward, delta=1e-5 * reward)

  def test_gradient_equals_that_of_autodiff(self):
    params, feature_bcd, reward_bck = make()
    given_bc = policy() > 0
    exact_bck = cotangent(policy(), policy(), reward_bck, given_bc)
    found_k = gradients(linear, params, feature_bcd, exact_bck)
    for k in range(2):
      own = jax.tree.map(lambda x, k=k: np.asarray(x)[k], found_k)
      alone_bck = np.where(np.arange(2) == k, reward_bck, 0)
      chex.assert_trees_all_close(
        own, objective(params, alone_bck)[1], rtol=1e-4, atol=1e-6
      )


class SampledTest(parameterized.TestCase):
  @parameterized.parameters(True, False)
  def test_unbiased(self, baseline):
    # The mean of 4,000 estimates by two draws, within five standard errors.
    reward_bck = make()[2]
    policy_bc = policy()
    given_bc = policy_bc > 0
    own_bck = reward_bck
    if baseline:
      logp_bc = jnp.log(policy_bc)
      own_bck = reward_bck - expected_rewards(logp_bc, reward_bck)[:, None]

    @jax.jit
    def run(keys, own_bck):
      each_nbck = jax.vmap(
        lambda key: expected.cotangent(
          policy_bc,
          expected.drawn_shares(key, policy_bc, 2),
          own_bck,
          given_bc,
        )
      )(keys)
      return each_nbck.mean(0), each_nbck.std(0) / len(keys) ** 0.5

    keys = jax.random.split(jax.random.key(0), 4000)
    mean_bck, error_bck = map(np.asarray, run(keys, own_bck))
    exact_bck = cotangent(policy_bc, policy_bc, reward_bck, given_bc)
    self.assertGreater(np.abs(exact_bck).max(), 0.05)
    np.testing.assert_array_less(
      np.abs(mean_bck - exact_bck), 5 * error_bck + 1e-6
    )

  @parameterized.parameters(True, False)
  def test_error_is_as_predicted(self, baseline):
    # A variance by 200 samples is right within a few per cent.
    found = compared(baseline)
    np.testing.assert_allclose(found.error_mk, found.predicted_mk, rtol=0.15)
    np.testing.assert_allclose(
      found.predicted_mk[0] / found.predicted_mk[1], 4, rtol=1e-5
    )

  def test_more_draws_agree_better(self):
    found = compared(True)
    self.assertTrue((found.cosine_mk[1] > found.cosine_mk[0]).all())
    self.assertTrue((found.cosine_mk[1] > 0.8).all(), found.cosine_mk)
    self.assertTrue((found.cosine_mk <= 1).all())

  def test_a_baseline_takes_off_variance(self):
    with_one, without = compared(True), compared(False)
    np.testing.assert_allclose(with_one.norm_k, without.norm_k, rtol=1e-5)
    self.assertTrue((with_one.predicted_mk < without.predicted_mk).all())

  def test_value(self):
    logp_bc = jnp.log(policy())
    value_bk = np.asarray(expected_rewards(logp_bc, make()[2]))
    np.testing.assert_allclose(
      compared(True).value_k[:2], value_bk.sum(0) / 5, rtol=1e-5
    )
    self.assertEqual(value_bk[4].sum(), 0)

  def test_agreement_by_hand(self):
    # (3, 4) and (4, 3): cosine 24/25, apart by sqrt(2) of 5.
    one = {'a': jnp.array([[3.0]]), 'b': jnp.array([[4.0]])}
    other = {'a': jnp.array([[4.0]]), 'b': jnp.array([[3.0]])}
    cosine_k, error_k = agreement(one, other)
    self.assertAlmostEqual(float(cosine_k[0]), 0.96, places=6)
    self.assertAlmostEqual(float(error_k[0]), 2**0.5 / 5, places=6)


if __name__ == '__main__':
  absltest.main()
