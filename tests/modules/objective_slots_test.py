"""One backward for K objectives against K ordinary ones."""

import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

N, P, C, V = 6, 7, 5, 23


def make(**fields):
  sizes = {
    'vocab_size': V,
    'num_layers': 2,
    'width': 8,
    'num_heads': 2,
    'num_kv_heads': 1,
    'mlp_width': 12,
  }
  decoder = Decoder(DecoderConfig(**sizes | fields))
  rng = np.random.default_rng(0)
  prompt_np = jnp.asarray(rng.integers(0, V, (N, P)), jnp.int32)
  args = (
    prompt_np,
    jnp.asarray(rng.integers(1, P + 1, N), jnp.int32),
    jnp.asarray(rng.integers(0, V, (N, C)), jnp.int32),
    jnp.asarray(rng.integers(1, C + 1, N), jnp.int32),
  )
  init = jax.jit(decoder.init)
  params = init(jax.random.key(0), prompt_np, prompt_np, prompt_np)

  def forward(variables, coef_kn=None):
    return logprob.completion_logp(decoder, variables, *args, 1.0, coef_kn)

  cotangent = (np.arange(C) < np.asarray(args[3])[:, None]).astype(np.float32)
  return forward, params, jnp.asarray(cotangent)


class ObjectiveSlotsTest(parameterized.TestCase):
  @parameterized.parameters(
    (1, {}),
    (5, {'tie_embeddings': False}),
    (2, {'remat': 'full'}),
    (2, {'remat': 'dots', 'unroll': 2}),
    (2, {'qkv_bias': True, 'qk_norm': True}),
    (3, {'stacked': False, 'loss_chunk': 2}),
    (2, {'dtype': 'bfloat16', 'tie_embeddings': False, 'qkv_bias': True}),
  )
  def test_equals_k_backwards(self, k, fields):
    forward, params, cotangent = make(**fields)
    coef_kn = jax.random.normal(jax.random.key(1), (k, N))
    output, plain, objectives = jax.jit(
      lambda p, c: self._all(forward, p, c, cotangent)
    )(params, coef_kn)
    # The log-probabilities are not rounded in bfloat16 either.
    np.testing.assert_allclose(output, jax.jit(forward)(params), atol=1e-5)
    pull = jax.jit(lambda p, y: jax.vjp(forward, p)[1](y)[0])
    close = functools.partial(chex.assert_trees_all_close, rtol=1e-4, atol=1e-5)
    if 'dtype' in fields:
      close = self._near
    close(plain, pull(params, cotangent))
    for i in range(k):
      want = pull(params, coef_kn[i][:, None] * cotangent)
      close(jax.tree.map(lambda x, i=i: x[i], objectives), want)

  def test_adapters_alone(self):
    forward, variables, cotangent = make(lora_rank=3)
    frozen = {'params': variables['params']}
    rng = np.random.default_rng(5)
    lora = jax.tree.map(
      lambda x: jnp.float32(rng.normal(size=x.shape)), variables['lora']
    )
    own = lambda p, coef=None: forward({**frozen, **p}, coef)  # noqa: E731
    coef_kn = jax.random.normal(jax.random.key(1), (2, N))
    _, plain, objectives = jax.jit(
      lambda p, c: self._all(own, p, c, cotangent)
    )({'lora': lora}, coef_kn)
    pull = jax.jit(lambda p, y: jax.vjp(own, p)[1](y)[0])
    close = functools.partial(chex.assert_trees_all_close, rtol=1e-4, atol=1e-5)
    close(plain, pull({'lora': lora}, cotangent))
    for i in range(2):
      want = pull({'lora': lora}, coef_kn[i][:, None] * cotangent)
      close(jax.tree.map(lambda x, i=i: x[i], objectives), want)

  def _near(self, found, expected):
    # In bfloat16 what flows down through the activations is rounded.
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
      self.assertLess(jnp.linalg.norm(a - b), 3e-2 * jnp.linalg.norm(b))

  @staticmethod
  def _all(forward, params, coef_kn, cotangent):
    output, plain, objectives = objective_slots.vjp(forward, params, coef_kn)
    return output, plain(cotangent), objectives(cotangent)

  def test_chunks_of_sequences_give_the_same(self):
    forward, params, cotangent = make()
    coef_kn = jax.random.normal(jax.random.key(2), (2, N))
    run = lambda: jax.jit(  # noqa: E731
      lambda p, c: self._all(forward, p, c, cotangent)[2]
    )(params, coef_kn)
    whole = run()
    held = objective_slots._CHUNK
    self.addCleanup(setattr, objective_slots, '_CHUNK', held)
    # Two sequences of the largest kernel, 8 x 23, at a time.
    objective_slots._CHUNK = 2 * 8 * V
    parts = run()
    chex.assert_trees_all_close(parts, whole, rtol=1e-5, atol=1e-6)


if __name__ == '__main__':
  absltest.main()
