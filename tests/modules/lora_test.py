"""The adapters beside the decoder's matrices."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding, train_state
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.sft.step import sft_step
from taiji_jax.train_state import OptimizerConfig

RANK, ALPHA = 3, 6.0
DECODER = Decoder(
  DecoderConfig(
    vocab_size=17,
    num_layers=2,
    width=12,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=20,
    lora_rank=RANK,
    lora_alpha=ALPHA,
  )
)
TOKEN_BT = np.random.default_rng(0).integers(0, 17, (2, 9)).astype(np.int32)
POSITION_BT = np.tile(np.arange(9, dtype=np.int32), (2, 1))
TEXT = (TOKEN_BT, POSITION_BT, np.ones((2, 9), np.int32))


def make(scale=0.3):
  variables = jax.jit(DECODER.init)(jax.random.key(0), *TEXT)
  rng = np.random.default_rng(1)
  lora = jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) * scale), variables['lora']
  )
  return {'params': variables['params']}, {'lora': lora}, variables


def hidden(variables):
  return jax.jit(lambda v: DECODER.apply(v, *TEXT))(variables)


class LoraTest(absltest.TestCase):
  def test_begins_as_the_model_itself(self):
    base, _, variables = make()
    np.testing.assert_array_equal(hidden(variables), hidden(base))

  def test_equals_the_merged_matrices(self):
    base, adapters, _ = make()

    def merged(tree, lora):
      if not isinstance(tree, dict):
        return tree
      found = {k: merged(v, lora.get(k, {})) for k, v in tree.items()}
      if 'lora_a' in lora:
        delta = jnp.einsum('lir,lro->lio', lora['lora_a'], lora['lora_b'])
        found['kernel'] += ALPHA / RANK * delta
      return found

    whole = {
      'params': base['params']
      | {'blocks': merged(base['params']['blocks'], adapters['lora']['blocks'])}
    }
    found = hidden({**base, **adapters})
    np.testing.assert_allclose(found, hidden(whole), rtol=1e-4, atol=1e-5)
    self.assertGreater(float(jnp.abs(found - hidden(base)).max()), 0.1)

  def test_a_step_moves_the_adapters_alone(self):
    base, _, variables = make()
    tx = OptimizerConfig(lr=1e-2, steps=20, schedule='constant').make()
    mesh = sharding.MeshConfig().make()

    def logp(variables, batch):
      return logprob.next_token_logp(DECODER, variables, *batch['text'])

    state = train_state.create({'lora': variables['lora']}, tx, 0)
    step = sharding.jit_step(sft_step(logp, tx), state, mesh)
    batch = {
      'text': TEXT,
      'loss_mask_bt': POSITION_BT > 0,
      'segment_bt': TEXT[2],
      'position_bt': POSITION_BT,
    }
    losses = []
    for _ in range(10):
      state, metrics = step(state, batch, base)
      losses.append(float(metrics['loss']))
    self.assertLess(losses[-1], losses[0] - 0.1)
    self.assertEqual(list(state.params), ['lora'])
    moments = [x.size for x in jax.tree.leaves(state.opt_state) if x.ndim]
    trained = sum(x.size for x in jax.tree.leaves(state.params))
    self.assertEqual(sum(moments), 2 * trained)
    frozen = jax.jit(DECODER.init)(jax.random.key(0), *TEXT)['params']
    chex.assert_trees_all_equal(base['params'], frozen)


if __name__ == '__main__':
  absltest.main()
