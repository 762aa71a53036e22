"""Rollouts on a mesh of their own against rollouts on the training mesh."""

import os
import types

os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=4',
  )
)

from absl.testing import absltest
import jax
import numpy as np

from experiments.configs.popo import ml100k_cpu
from taiji_jax import sharding
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.policy import Policy

TOKENIZER = types.SimpleNamespace(vocab_size=320, eos_id=1, pad_id=0)


def draw(dtype='float32', **sections):
  config = ml100k_cpu.get_config()
  model = {'num_layers': 2, 'width': 32, 'num_heads': 2, 'num_kv_heads': 2}
  model['dtype'] = dtype
  with config.unlocked():
    config.update(
      {
        'model': model | {'mlp_width': 32},
        'length': {'prompt': 16, 'completion': 8},
        'tokenizer': {'vocab_size': 320},
        'mesh': {'fsdp': 4},
        **sections,
      }
    )
  recipe = recipe_lib.from_config(config)
  policy = Policy(recipe.policy, TOKENIZER, recipe.mesh.make())
  rng = np.random.default_rng(0)
  prompts = sharding.place_batch(
    (
      rng.integers(4, 320, (4, 16)).astype(np.int32),
      np.array([9, 16, 1, 4], np.int32),
      np.arange(8, dtype=np.uint32),
    ),
    policy.rollout_mesh,
  )
  rng = np.random.default_rng(1)
  start = jax.tree_util.tree_map_with_path(
    lambda path, x: (
      x * (1 + rng.normal(size=x.shape).astype(np.float32) / 4)
      if sharding.path_text(path).endswith('scale')
      else x
    ),
    policy.start(),
  )
  variables = policy.for_rollouts(start)
  return variables, jax.device_get(policy.sampler(1.0)(variables, *prompts))


class RolloutMeshTest(absltest.TestCase):
  def test_draws_the_same(self):
    _, drawn = draw()
    variables, other = draw(rollout_mesh={'data': 2, 'tensor': 2})
    np.testing.assert_array_equal(other.token_nc, drawn.token_nc)
    np.testing.assert_allclose(other.logp_nc, drawn.logp_nc, atol=1e-5)
    kernel = variables['params']['blocks_1']['mlp']['gate']['kernel']
    self.assertEqual(kernel.sharding.spec, jax.P('fsdp', 'tensor'))
    self.assertEqual(kernel.addressable_shards[0].data.shape, (32, 16))

  def test_norm_scales_are_not_rounded(self):
    # Products are in bfloat16, norms in float32: both as in training. Laid out
    # alike: sums over other parts are rounded in other places.
    variables, drawn = draw('bfloat16', rollout_mesh={'fsdp': 4})
    blocks = variables['params']['blocks_0']
    self.assertEqual(blocks['mlp']['gate']['kernel'].dtype, jax.numpy.bfloat16)
    self.assertEqual(blocks['mlp_norm']['scale'].dtype, np.float32)
    _, same = draw('bfloat16')
    token_nc, other_nc = np.asarray(drawn.token_nc), np.asarray(same.token_nc)
    np.testing.assert_array_equal(token_nc, other_nc)
    np.testing.assert_allclose(drawn.logp_nc, same.logp_nc, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
