"""The ways to the per-reward gradients give the same step."""

import functools
import os

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.errors import UserError
from taiji_jax.modules import logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.rl.config import GRADIENT_RULES, RLConfig
from taiji_jax.rl.step import popo_step

B, G, P, C, V, K = 2, 4, 6, 5, 19, 3
NAMES = ('a', 'b', 'c')
# The battery in tests/pareto runs every rule on its own; here a step with it.
RULES = GRADIENT_RULES
if os.environ.get('TAIJI_LONG') != '1':
  RULES = ('popo', 'nash_mtl', 'pcgrad', 'upgrad')
# Keeps the gradient as it came in the optimiser's state.
TX = optax.trace(decay=0.0)
DECODER = Decoder(
  DecoderConfig(
    vocab_size=V,
    num_layers=2,
    width=8,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=12,
  )
)


def logp(params, batch, coef_kn=None):
  n = B * G
  logp_nc = logprob.completion_logp(
    DECODER,
    params,
    jnp.repeat(batch.prompt_bp, G, 0),
    jnp.repeat(batch.prompt_length_b, G, 0),
    batch.completion_bgc.reshape(n, C),
    batch.length_bg.reshape(n),
    1.0,
    coef_kn,
  )
  return logp_nc.reshape(B, G, C)


def sequence_vjp(params, batch, coef_kn):
  return objective_slots.vjp(
    lambda v, coef: logp(v, batch, coef), params, coef_kn
  )


@functools.cache
def make():
  rng = np.random.default_rng(0)
  prompt_bp = jnp.asarray(rng.integers(0, V, (B, P)), jnp.int32)
  batch = RolloutBatch(
    prompt_bp=prompt_bp,
    prompt_length_b=jnp.array([P, 3], jnp.int32),
    completion_bgc=jnp.asarray(rng.integers(0, V, (B, G, C)), jnp.int32),
    length_bg=jnp.asarray(rng.integers(1, C + 1, (B, G)), jnp.int32),
    old_logp_bgc=jnp.zeros((B, G, C)),
    reward_bgk=jnp.asarray(rng.normal(size=(B, G, K)), jnp.float32),
  )
  init = jax.jit(DECODER.init)
  params, reference = (
    init(jax.random.key(i), prompt_bp, prompt_bp, prompt_bp) for i in range(2)
  )
  old_bgc = jax.jit(logp)(params, batch)
  return params, reference, batch.replace(old_logp_bgc=old_bgc)


@functools.cache
def take_step(**fields):
  config = RLConfig(kl_beta=0.1, eta=0.1, **fields)
  params, reference, batch = make()
  state = train_state.create(params, TX, 0, config.make_weighting().init(K))
  step = jax.jit(popo_step(logp, TX, config, NAMES, sequence_vjp))
  after, metrics = step(state, batch, reference)
  return after.opt_state.trace, metrics


class FormsTest(parameterized.TestCase):
  @parameterized.product(
    case=(
      ('sum_then_normalize', 'loss'),
      ('normalize_then_sum', 'reward'),
    ),
    form=('one_backward', 'jvp'),
  )
  def test_equals_separate_backwards(self, case, form):
    combine, kl = case
    fields = {'weighting': 'popo', 'combine': combine, 'kl': kl}
    want, want_metrics = take_step(form='vjps', **fields)
    got, metrics = take_step(form=form, **fields)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
      self.assertLess(jnp.linalg.norm(a - b), 2e-5 * jnp.linalg.norm(b))
    for name in NAMES:
      np.testing.assert_allclose(
        metrics[f'weight_{name}'], want_metrics[f'weight_{name}'], rtol=1e-5
      )

  @parameterized.product(weighting=RULES)
  def test_every_rule_of_the_library_runs(self, weighting):
    gradient, metrics = take_step(weighting=weighting, form='one_backward')
    chex.assert_tree_all_finite(gradient)
    self.assertTrue(all(np.isfinite(v) for v in metrics.values()))

  def test_combinations_differ(self):
    paper, _ = take_step(combine='sum_then_normalize')
    other, _ = take_step(combine='normalize_then_sum')
    a, b = paper['params']['embedding'], other['params']['embedding']
    self.assertGreater(jnp.linalg.norm(a - b), 1e-2 * jnp.linalg.norm(b))

  def test_kl_in_the_reward_is_the_mean_log_ratio(self):
    # One reward and normalize_then_sum: the step is the plain one on rewards
    # from which 0.1 x the mean log-ratio has been taken by hand.
    params, reference, batch = make()
    mask_bgc = np.arange(C) < np.asarray(batch.length_bg)[..., None]
    gap_bgc = np.asarray(batch.old_logp_bgc - logp(reference, batch))
    penalty_bg = np.where(mask_bgc, gap_bgc, 0).sum(-1) / mask_bgc.sum(-1)
    by_hand = batch.replace(
      reward_bgk=batch.reward_bgk - 0.1 * penalty_bg[..., None]
    )
    fields = {'weighting': 'fixed', 'combine': 'normalize_then_sum'}
    inside, _ = take_step(kl='reward', **fields)
    config = RLConfig(kl_beta=0.0, **fields)
    state = train_state.create(params, TX, 0, config.make_weighting().init(K))
    step = jax.jit(popo_step(logp, TX, config, NAMES))
    after, _ = step(state, by_hand, reference)
    chex.assert_trees_all_close(
      inside, after.opt_state.trace, rtol=1e-4, atol=1e-6
    )

  def test_the_alignment_on_some_parameters(self):
    # I_k over one leaf alone, from the gradients by one backward each.
    _, metrics = take_step(alignment_on='mlp/down/kernel')
    params, _, batch = make()
    config = RLConfig(kl_beta=0.1, eta=0.1)
    reward_bgk = np.asarray(batch.reward_bgk)
    mean_bk = reward_bgk.mean(1, keepdims=True)
    std_bk = reward_bgk.std(1, keepdims=True) + config.advantage_epsilon
    advantage_bgk = (reward_bgk - mean_bk) / std_bk
    mask_bgc = np.arange(C) < np.asarray(batch.length_bg)[..., None]
    share_bgc = mask_bgc / mask_bgc.sum(-1, keepdims=True) / (B * G)

    @jax.jit
    def gradient(advantage_bg):
      def loss(p):
        return -jnp.sum(logp(p, batch) * share_bgc * advantage_bg[..., None])

      blocks = jax.grad(loss)(params)['params']['blocks']
      return jnp.ravel(blocks['mlp']['down']['kernel'])

    g_kp = np.stack([gradient(advantage_bgk[..., k]) for k in range(K)])
    for i, name in enumerate(NAMES):
      np.testing.assert_allclose(
        metrics[f'alignment_{name}'], g_kp[i] @ g_kp.sum(0), rtol=1e-3
      )

  def test_between_readings_the_weights_stay(self):
    config = RLConfig(kl_beta=0.1, eta=0.1, alignment_every=2)
    params, reference, batch = make()
    state = train_state.create(params, TX, 0, config.make_weighting().init(K))
    step = jax.jit(popo_step(logp, TX, config, NAMES, sequence_vjp))
    seen = []
    for _ in range(3):
      state, metrics = step(state, batch, reference)
      seen.append([float(metrics[f'weight_{n}']) for n in NAMES])
      seen[-1].append(float(metrics['alignment_a']))
    np.testing.assert_array_equal(seen[1][:K], seen[0][:K])
    self.assertEqual(seen[1][K], 0)
    self.assertNotEqual(seen[0][K], 0)
    # The third reads again, and the weights move on from where they stood.
    self.assertGreater(np.abs(np.subtract(seen[2], seen[0])[:K]).max(), 1e-6)

  def test_a_form_without_a_gramian_is_refused_where_one_is_needed(self):
    with self.assertRaisesRegex(UserError, "'min_norm' needs one"):
      RLConfig(weighting='min_norm', form='jvp')


if __name__ == '__main__':
  absltest.main()
