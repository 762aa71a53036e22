"""Every kernel compiles for a TPU that is not there."""

import importlib.util

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding

from experiments.compiling import topology
from taiji_jax.modules.kernels import ragged_decode, splash
from taiji_jax.modules.kv_cache import Slots


@absltest.skipUnless(
  importlib.util.find_spec('libtpu'), 'libtpu is not installed'
)
class AheadOfTimeTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    device = topology.devices('v5e:2x2')[0]
    cls.sharding = SingleDeviceSharding(device)

  def shape(self, dtype, *shape):
    return jax.ShapeDtypeStruct(shape, dtype, sharding=self.sharding)

  def compile(self, function, *arguments):
    text = jax.jit(function).lower(*arguments).compile().as_text()
    self.assertIn('tpu_custom_call', text)

  @parameterized.product(
    width=(64, 128), fork=(None, (520, 200)), dtype=('bfloat16', 'float32')
  )
  def test_splash_and_its_gradient(self, width, fork, dtype):
    def total(query, key, value, segment):
      y = splash.attend(query, key, value, segment, fork)
      return y.astype(jnp.float32).sum()

    head = lambda heads: self.shape(dtype, 1, heads, 920, width)  # noqa: E731
    self.compile(
      jax.grad(total, argnums=(0, 1, 2)),
      head(4),
      head(2),
      head(2),
      self.shape(jnp.int32, 1, 920),
    )

  @parameterized.product(
    width=(64, 128),
    dtype=('bfloat16', 'float32', 'int8'),
    slots=(48, 2048, 13000),
  )
  def test_ragged_decode(self, width, dtype, slots):
    key = self.shape(dtype, 2, 4, width, slots)
    value = self.shape(dtype, 2, 4, slots, width)
    scale = self.shape(jnp.float32, 2, 4, slots) if dtype == 'int8' else None
    query = 'float32' if dtype == 'float32' else 'bfloat16'
    self.compile(
      ragged_decode.attend,
      self.shape(query, 2, 4, 28, width),
      Slots(
        key_bhds=key,
        value_bhsd=value,
        key_scale_bhs=scale,
        value_scale_bhs=scale,
      ),
      self.shape(jnp.int32, 2),
    )


if __name__ == '__main__':
  absltest.main()
