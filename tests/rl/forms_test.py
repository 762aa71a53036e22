"""The ways to the per-reward gradients give the same step of a decoder.

What a step does with them is tested on a smaller policy, in observe_test.
"""

import dataclasses
import functools

from absl.testing import absltest, parameterized
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
from taiji_jax.rl.config import FORMS, RLConfig
from taiji_jax.rl.step import popo_step

B, G, P, C, V, K = 2, 4, 6, 5, 19, 3
NAMES = ('a', 'b', 'c')
CONFIG = RLConfig(kl_beta=0.1, eta=0.1)
# Keeps the gradient as it came in the optimiser's state.
TX = optax.trace(decay=0.0)
# What two ways to the same gradient may differ by, relative to its norm. In
# bfloat16 the weight gradients of one backward are rounded to 8 bits.
NEAR = {'float32': 2e-5, 'bfloat16': 5e-3}


def decoder(dtype):
  return Decoder(
    DecoderConfig(
      vocab_size=V,
      num_layers=2,
      width=8,
      num_heads=2,
      num_kv_heads=1,
      mlp_width=12,
      dtype=dtype,
    )
  )


def logp_of(dtype):
  n, own = B * G, decoder(dtype)

  def logp(params, batch, coef_kn=None):
    logp_nc = logprob.completion_logp(
      own,
      params,
      jnp.repeat(batch.prompt_bp, G, 0),
      jnp.repeat(batch.prompt_length_b, G, 0),
      batch.completion_bgc.reshape(n, C),
      batch.length_bg.reshape(n),
      1.0,
      coef_kn,
    )
    return logp_nc.reshape(B, G, C)

  return logp


@functools.cache
def make(dtype):
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
  shapes = jax.eval_shape(
    decoder(dtype).init, jax.random.key(0), prompt_bp, prompt_bp, prompt_bp
  )
  params, reference = (
    jax.tree.map(lambda x: jnp.float32(rng.normal(size=x.shape) / 2), shapes)
    for _ in range(2)
  )
  old_bgc = jax.jit(logp_of(dtype))(params, batch)
  return params, reference, batch.replace(old_logp_bgc=old_bgc)


@functools.cache
def step_of(form, dtype):
  logp = logp_of(dtype)

  def sequence_vjp(params, batch, coef_kn):
    return objective_slots.vjp(
      lambda v, coef: logp(v, batch, coef), params, coef_kn
    )

  config = dataclasses.replace(CONFIG, form=form)
  return jax.jit(popo_step(logp, TX, config, NAMES, sequence_vjp))


def take_step(form, dtype, reference=None, **changes):
  params, other, batch = make(dtype)
  weighting = CONFIG.make_weighting().init(K)
  state = train_state.create(params, TX, 0, weighting)
  reference = other if reference is None else reference
  after, metrics = step_of(form, dtype)(
    state, batch.replace(**changes), reference
  )
  return after.opt_state.trace, metrics


class FormsTest(parameterized.TestCase):
  @parameterized.product(form=('one_backward', 'jvp'), dtype=tuple(NEAR))
  def test_equals_separate_backwards(self, form, dtype):
    want, want_metrics = take_step('vjps', dtype)
    got, metrics = take_step(form, dtype)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
      self.assertLess(jnp.linalg.norm(a - b), NEAR[dtype] * jnp.linalg.norm(b))
    for name in NAMES:
      np.testing.assert_allclose(
        metrics[f'weight_{name}'],
        want_metrics[f'weight_{name}'],
        rtol=NEAR[dtype],
      )

  @parameterized.product(form=FORMS, dtype=tuple(NEAR))
  def test_log_probabilities_are_those_of_the_rollouts(self, form, dtype):
    _, metrics = take_step(form, dtype)
    self.assertLess(float(metrics['off_policy']), 1e-5)

  @parameterized.product(form=FORMS, dtype=tuple(NEAR))
  def test_equal_rewards_of_the_reference_are_no_gradient(self, form, dtype):
    params, _, batch = make(dtype)
    _, metrics = take_step(
      form, dtype, params, reward_bgk=jnp.full_like(batch.reward_bgk, 0.1)
    )
    self.assertLess(float(metrics['gradient_norm']), 1e-5)

  def test_a_form_without_a_gramian_is_refused_where_one_is_needed(self):
    with self.assertRaisesRegex(UserError, "'min_norm' needs one"):
      RLConfig(weighting='min_norm', form='jvp')


if __name__ == '__main__':
  absltest.main()
