import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import sampling
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError

PLAIN = SampleConfig(max_tokens=1, temperature=1.0, eos_id=1, pad_id=0)


def expected_kept(mass_v, config):
  """Returns the kept tokens by sorting; the masses are all different."""
  order = np.argsort(-mass_v)
  if config.top_k:
    order = order[: config.top_k]
  if config.top_p < 1:
    share = np.cumsum(mass_v[order]) / mass_v[order].sum()
    order = order[: int((share < config.top_p).sum()) + 1]
  order = [i for i in order if mass_v[i] >= config.min_p * mass_v.max()]
  keep = np.zeros(len(mass_v), bool)
  keep[order] = True
  return keep


class KeptTest(parameterized.TestCase):
  @parameterized.parameters(
    {'top_k': 1},
    {'top_k': 7},
    {'top_k': 1000},
    {'top_p': 0.3},
    {'top_p': 0.95},
    {'top_p': 1e-6},
    {'min_p': 0.2},
    {'min_p': 1.0},
    {'top_k': 20, 'top_p': 0.8, 'min_p': 0.1},
  )
  def test_equals_sorting(self, **limits):
    config = dataclasses.replace(PLAIN, **limits)
    rng = np.random.default_rng(0)
    mass_nv = np.exp(
      rng.normal(size=(6, 301)) * [[0.1], [1], [2], [3], [5], [9]]
    )
    mass_nv = mass_nv.astype(np.float32)
    found_nv = jax.jit(lambda x: sampling.kept(x, config))(mass_nv)
    for found_v, mass_v in zip(found_nv, mass_nv, strict=True):
      np.testing.assert_array_equal(
        found_v, expected_kept(mass_v.astype(np.float64), config)
      )

  def test_ties_with_the_last_stay(self):
    mass_nv = jnp.array([[0.4, 0.2, 0.2, 0.1, 0.1]])
    two = sampling.kept(mass_nv, dataclasses.replace(PLAIN, top_k=2))
    self.assertEqual(two.tolist(), [[True, True, True, False, False]])


class DrawTest(parameterized.TestCase):
  @parameterized.parameters(
    ({}, 5),
    ({}, 700),
    ({'temperature': 0.5}, 700),
    ({'top_k': 3}, 700),
    ({'top_p': 0.7}, 700),
  )
  def test_frequencies_and_log_probabilities(self, changes, v):
    config = dataclasses.replace(PLAIN, **changes)
    rng = np.random.default_rng(1)
    logits_v = (rng.normal(size=v) * 2).astype(np.float32)
    n = 20_000
    token_n, logp_n = jax.jit(
      lambda seed_n: sampling.draw(
        jnp.broadcast_to(logits_v, (n, v)), seed_n, jnp.int32(3), config
      )
    )(np.arange(n, dtype=np.uint32))
    p_v = np.exp(logits_v.astype(np.float64) / config.temperature)
    p_v *= expected_kept(p_v, config)
    p_v /= p_v.sum()
    token_n = np.asarray(token_n)
    np.testing.assert_allclose(logp_n, np.log(p_v[token_n]), atol=1e-4)
    count_v = np.bincount(token_n, minlength=v)
    # Five standard deviations of a binomial count, and three for rare tokens.
    slack_v = 5 * np.sqrt(n * p_v * (1 - p_v)) + 3
    np.testing.assert_array_less(np.abs(count_v - n * p_v), slack_v)

  def test_what_has_no_mass_is_never_drawn(self):
    logits_v = np.full(600, -np.inf, np.float32)
    logits_v[[0, 255, 256, 599]] = 0
    token_n, logp_n = sampling.draw(
      jnp.broadcast_to(logits_v, (500, 600)),
      jnp.arange(500, dtype=jnp.uint32),
      jnp.int32(0),
      PLAIN,
    )
    self.assertEqual(set(np.asarray(token_n).tolist()), {0, 255, 256, 599})
    np.testing.assert_allclose(logp_n, np.log(0.25), rtol=1e-6)

  def test_what_has_no_mass_is_never_drawn_of_many_blocks(self):
    # Sums up to a place are rounded in another order where there are many, so
    # that they grow, a little, or fall where there is no mass. As of a large
    # vocabulary with top-k, and numbers that lie just beside those sums.
    rng = np.random.default_rng(0)
    mass_v = np.exp(rng.normal(size=1200) * 2).astype(np.float32)
    mass_v[rng.random(1200) < 0.8] = 0
    with mock.patch.object(sampling, '_BLOCK', 2):
      upto_k = jnp.cumsum(mass_v.reshape(-1, 2).sum(-1))
      u_n = np.float32(upto_k[:-1] / upto_k[-1])
      u_n = np.concatenate([np.nextafter(u_n, np.float32(0)), u_n])
      token_n, total_n = jax.jit(sampling._look_up)(
        jnp.broadcast_to(mass_v, (len(u_n), 1200)), u_n
      )
    self.assertGreater(mass_v[np.asarray(token_n)].min(), 0)
    np.testing.assert_allclose(total_n, mass_v.sum(), rtol=1e-5)
    # And it is the token at whose stretch the number lies.
    upto_v = np.cumsum(mass_v.astype(np.float64)) / mass_v.sum()
    np.testing.assert_allclose(upto_v[token_n] >= u_n - 1e-5, True)
    before_n = upto_v[token_n] - mass_v[token_n] / mass_v.sum()
    np.testing.assert_allclose(before_n <= u_n + 1e-5, True)

  def test_greedy(self):
    logits_nv = jnp.array([[0.0, 2.0, 1.0]])
    config = dataclasses.replace(PLAIN, temperature=0.0)
    token_n, logp_n = sampling.draw(
      logits_nv, jnp.zeros(1, jnp.uint32), jnp.int32(0), config
    )
    self.assertEqual(token_n.tolist(), [1])
    self.assertAlmostEqual(
      float(logp_n[0]), float(jax.nn.log_softmax(logits_nv)[0, 1]), places=6
    )

  def test_tokens_of_a_row_differ_by_place(self):
    logits_nv = jnp.zeros((1, 1000))
    found = {
      int(sampling.draw(logits_nv, jnp.zeros(1, jnp.uint32), i, PLAIN)[0][0])
      for i in range(8)
    }
    self.assertGreater(len(found), 5)


class SampleConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'top_k': -1}, 'top_k is -1'),
    ({'top_p': 0.0}, r'top_p is 0.0; it must lie in \(0, 1\]'),
    ({'min_p': 1.5}, 'min_p is 1.5'),
    ({'temperature': float('nan')}, 'temperature is nan'),
    ({'cache_dtype': 'int4'}, "'int4'; choose one of model, bfloat16"),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(UserError, message):
      dataclasses.replace(PLAIN, **changes)


if __name__ == '__main__':
  absltest.main()
