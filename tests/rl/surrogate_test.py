from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rl import surrogate

LENGTH_BG = np.array([[3, 1], [2, 4]])
MASK_BGC = np.arange(4) < LENGTH_BG[..., None]


def make(seed, spread=0.3):
  rng = np.random.default_rng(seed)
  logp_bgc = -rng.exponential(size=(2, 2, 4))
  old_bgc = logp_bgc + rng.normal(size=(2, 2, 4)) * spread
  return logp_bgc, old_bgc, rng.normal(size=(2, 2))


def loops(logp_bgc, old_bgc, advantage_bg, clip):
  """The clipped objective in plain loops, float64."""
  gains = []
  for b in range(2):
    for g in range(2):
      gain, a = 0.0, advantage_bg[b, g]
      for c in range(LENGTH_BG[b, g]):
        ratio = np.exp(logp_bgc[b, g, c] - old_bgc[b, g, c])
        clipped = min(max(ratio, 1 - clip), 1 + clip)
        gain += min(ratio * a, clipped * a)
      gains.append(gain / LENGTH_BG[b, g])
  return -sum(gains) / len(gains)


class ClippedLossTest(parameterized.TestCase):
  @parameterized.product(seed=(0, 1, 2), clip=(0.05, 0.2))
  def test_equals_plain_loops(self, seed, clip):
    args = make(seed)
    loss = surrogate.clipped_loss(*map(jnp.float32, args), MASK_BGC, clip)
    self.assertAlmostEqual(float(loss), loops(*args, clip), places=5)

  def test_golden(self):
    # Two tokens, ratio 2, eps 0.2. A = 1: min(2, 1.2) = 1.2. A = -1:
    # min(-2, -1.2) = -2. Mean 1/2 (1.2 - 2) = -0.4, loss 0.4.
    logp_bgc = jnp.log(jnp.full((1, 2, 2), 2.0))
    loss = surrogate.clipped_loss(
      logp_bgc,
      jnp.zeros((1, 2, 2)),
      jnp.float32([[1, -1]]),
      np.ones((1, 2, 2), bool),
      0.2,
    )
    self.assertAlmostEqual(float(loss), 0.4, places=6)

  def test_gradient_on_policy(self):
    # At ratio 1 the gradient of token c is -A / length / rollouts.
    logp_bgc, _, advantage_bg = make(0)
    gradient_bgc = jax.grad(surrogate.clipped_loss)(
      jnp.float32(logp_bgc),
      jnp.float32(logp_bgc),
      jnp.float32(advantage_bg),
      MASK_BGC,
      0.2,
    )
    expected = -(advantage_bg / LENGTH_BG)[..., None] / 4 * MASK_BGC
    np.testing.assert_allclose(gradient_bgc, expected, rtol=1e-5)

  def test_clipped_tokens_have_no_gradient(self):
    # Gains that went too far are cut off, losses that went too far are not.
    logp_bgc = jnp.float32([[[0.5, -0.5]], [[0.5, -0.5]]])
    gradient_bgc = jax.grad(surrogate.clipped_loss)(
      logp_bgc,
      jnp.zeros_like(logp_bgc),
      jnp.float32([[1], [-1]]),
      np.ones((2, 1, 2), bool),
      0.2,
    )
    np.testing.assert_array_equal(
      gradient_bgc != 0, [[[False, True]], [[True, False]]]
    )

  def test_what_lies_behind_the_end_is_ignored(self):
    args = make(1)
    changed = [np.where(MASK_BGC, x, np.nan) for x in args[:2]] + [args[2]]
    changed[0] = np.where(MASK_BGC, args[0], 1e4)
    whole, other = (
      jax.value_and_grad(surrogate.clipped_loss)(
        *map(jnp.float32, a), MASK_BGC, 0.2
      )
      for a in (args, changed)
    )
    np.testing.assert_array_equal(whole[0], other[0])
    np.testing.assert_array_equal(whole[1], other[1])


class KlLossTest(parameterized.TestCase):
  def test_zero_at_equality_and_flat_there(self):
    logp_bgc = jnp.float32(make(0)[0])
    value, gradient = jax.value_and_grad(surrogate.kl_loss)(
      logp_bgc, logp_bgc, MASK_BGC
    )
    self.assertEqual(float(value), 0)
    np.testing.assert_array_equal(gradient, jnp.zeros_like(gradient))

  @parameterized.parameters(1e-3, 0.1, 3.0)
  def test_positive_elsewhere(self, spread):
    for seed in range(5):
      logp_bgc, other_bgc, _ = make(seed, spread)
      value = surrogate.kl_loss(
        jnp.float32(logp_bgc), jnp.float32(other_bgc), MASK_BGC
      )
      self.assertGreater(float(value), 0)

  def test_estimates_the_divergence(self):
    # Exact expectation over one token's vocabulary, tokens drawn from p.
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(6), 2)
    value = sum(
      p[v]
      * float(
        surrogate.kl_loss(
          jnp.log(jnp.float32(p[v]))[None, None, None],
          jnp.log(jnp.float32(q[v]))[None, None, None],
          np.ones((1, 1, 1), bool),
        )
      )
      for v in range(6)
    )
    self.assertAlmostEqual(value, float((p * np.log(p / q)).sum()), places=5)

  def test_mean_of_rollouts_whatever_their_length(self):
    # d = 1 in every token: e - 2 for each rollout.
    reference_bgc = jnp.zeros((2, 2, 4))
    value = surrogate.kl_loss(reference_bgc - 1, reference_bgc, MASK_BGC)
    self.assertAlmostEqual(float(value), float(np.e - 2), places=5)


if __name__ == '__main__':
  absltest.main()
