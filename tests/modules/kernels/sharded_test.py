import functools
import os
from unittest import mock

os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=8',
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import attention
from taiji_jax.modules.kernels import ragged_decode, splash
from taiji_jax.modules.kv_cache import Slots
from taiji_jax.sharding import MeshConfig

MESH = MeshConfig(data=2, fsdp=2, tensor=2)


def random(seed, *shape):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def on_mesh(function, *arguments):
  """Returns what the function gives on eight devices, arguments whole."""
  mesh = MESH.make()
  whole = jax.sharding.NamedSharding(mesh, jax.P())
  arguments = jax.device_put(arguments, whole)
  return jax.jit(sharding.on(function, mesh))(*arguments)


class ShardedTest(parameterized.TestCase):
  """Each device with its rows and heads equals one device with all."""

  def setUp(self):
    super().setUp()
    for module in (splash, ragged_decode):
      self.enter_context(
        mock.patch.object(
          module, 'attend', functools.partial(module.attend, interpret=True)
        )
      )

  @parameterized.parameters((4, 4, 2), (4, 3, 1), (3, 4, 2))
  def test_whole(self, rows, heads, kv_heads):
    # Rows or heads that don't divide are whole on every device.
    inputs = (
      random(0, rows, 12, heads, 8),
      random(1, rows, 12, kv_heads, 8),
      random(2, rows, 12, kv_heads, 8),
      jnp.ones((rows, 12), jnp.int32),
    )

    def gradients(form):
      def total(*parts):
        return (attention.whole(*parts, inputs[3], (6, 3), form) ** 2).sum()

      return jax.grad(total, argnums=(0, 1, 2))

    found = on_mesh(gradients('kernel'), *inputs[:3])
    expected = gradients('plain')(*inputs[:3])
    for one, other in zip(found, expected, strict=True):
      np.testing.assert_allclose(one, other, atol=1e-4)

  def test_step(self):
    shape = (4, 10, 2, 8)
    prompt = Slots.of(random(0, *shape), random(1, *shape), jnp.int8)
    shape = (8, 5, 2, 8)
    completion = Slots.of(random(2, *shape), random(3, *shape), jnp.int8)
    arguments = (
      random(4, 8, 4, 8),
      prompt,
      completion,
      jnp.array([10, 1, 4, 7], jnp.int32),
      jnp.int32(3),
    )
    step = functools.partial(attention.step, form='kernel')
    found = on_mesh(step, *arguments)
    np.testing.assert_allclose(found, attention.step(*arguments), atol=1e-5)

  def test_embedded(self):
    """The table's gradient is made in parts, and the same."""
    table_vd, token_bt = random(0, 6, 8), np.array([[0, 5, 2]] * 4)

    def total(table_vd):
      x_btd = sharding.constrain_embedded(table_vd[token_bt])
      return (sharding.constrain_rows(x_btd) ** 3).sum()

    found = on_mesh(jax.grad(total), table_vd)
    np.testing.assert_allclose(found, jax.grad(total)(table_vd), rtol=1e-5)


class CheckShardedTest(absltest.TestCase):
  def test_large_and_whole(self):
    shapes = {
      'embedding': jax.ShapeDtypeStruct((8, 8), jnp.float32),
      'final_norm': {'scale': jax.ShapeDtypeStruct((8,), jnp.float32)},
    }
    sharding.check_sharded(shapes, MESH.make(), 32)
    with self.assertRaisesRegex(UserError, r'final_norm/scale \(8,\) of 32 b'):
      sharding.check_sharded(shapes, MESH.make(), 31)
    # A mesh that splits no parameter is not asked to.
    sharding.check_sharded(shapes, MeshConfig(data=8).make(), 1)


if __name__ == '__main__':
  absltest.main()
