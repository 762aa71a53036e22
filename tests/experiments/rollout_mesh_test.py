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


def draw(**sections):
  config = ml100k_cpu.get_config()
  model = {'num_layers': 2, 'width': 32, 'num_heads': 2, 'num_kv_heads': 2}
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
  variables = policy.for_rollouts(policy.start())
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


if __name__ == '__main__':
  absltest.main()
