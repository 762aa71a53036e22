import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import rq_vae
from taiji_jax.modules.rq_vae import RqVae, RqVaeConfig

CODEBOOKS = jnp.array([[[0.0], [10.0]], [[-1.0], [1.0]]])


class QuantiseTest(absltest.TestCase):
  def test_golden(self):
    # 9.2: 10 leaves -.8, -1 leaves .2: sums of squares .64 + .04.
    # 1.5: 0 leaves 1.5, 1 leaves .5: 2.25 + .25.
    found = rq_vae.quantise(jnp.array([[9.2], [1.5]]), CODEBOOKS)
    np.testing.assert_array_equal(found.code_bl, [[1, 0], [0, 1]])
    np.testing.assert_allclose(found.vector_bd[:, 0], [9.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(
      found.rest_bld[..., 0], [[9.2, -0.8], [1.5, 1.5]], atol=1e-5
    )
    for value in (found.codebook_b, found.commitment_b):
      np.testing.assert_allclose(value, [0.68, 2.5], atol=1e-5)

  def test_straight_through(self):
    gradient = jax.grad(
      lambda z: (3 * rq_vae.quantise(z, CODEBOOKS).vector_bd).sum()
    )(jnp.array([[9.2], [1.5]]))
    np.testing.assert_array_equal(gradient, [[3.0], [3.0]])

  def test_the_codebook_loss_moves_its_own_codes_alone(self):
    z_bd = jnp.array([[9.2]])

    def loss(z_bd, codebook_lkd):
      return rq_vae.quantise(z_bd, codebook_lkd).codebook_b.sum()

    z, codes = jax.grad(loss, (0, 1))(z_bd, CODEBOOKS)
    np.testing.assert_array_equal(z, 0.0)
    # 2 (e - r): 2 (10 - 9.2), 2 (-1 + .8).
    np.testing.assert_allclose(codes[..., 0], [[0, 1.6], [-0.4, 0]], atol=1e-5)

  def test_the_commitment_moves_the_encoder_alone(self):
    def loss(z_bd, codebook_lkd):
      return rq_vae.quantise(z_bd, codebook_lkd).commitment_b.sum()

    z, codes = jax.grad(loss, (0, 1))(jnp.array([[9.2]]), CODEBOOKS)
    # 2 (-.8) + 2 (.2).
    np.testing.assert_allclose(z, [[-1.2]], atol=1e-5)
    np.testing.assert_array_equal(codes, 0.0)


class LossTest(absltest.TestCase):
  def test_golden(self):
    found = rq_vae.quantise(jnp.array([[9.2], [1.5]]), CODEBOOKS)
    x_bd, decoded_bd = jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.zeros((2, 2))
    # Mean of 5 and 0; mean of .68 and 2.5.
    total, parts = rq_vae.loss(x_bd, decoded_bd, found, 0.25)
    self.assertAlmostEqual(float(parts['reconstruction']), 2.5, places=5)
    self.assertAlmostEqual(float(parts['codebook']), 1.59, places=5)
    self.assertAlmostEqual(float(total), 2.5 + 1.25 * 1.59, places=5)
    total, _ = rq_vae.loss(x_bd, decoded_bd, found, 0.25, ema=True)
    self.assertAlmostEqual(float(total), 2.5 + 0.25 * 1.59, places=5)


class RqVaeTest(parameterized.TestCase):
  @parameterized.parameters(((),), ((7,),), ((7, 5),))
  def test_shapes(self, hidden):
    network = RqVae(RqVaeConfig(6, hidden, 3))
    x_bd, codebook_lkd = jnp.ones((4, 6)), jnp.ones((2, 5, 3))
    params = network.init(jax.random.key(0), x_bd, codebook_lkd)['params']
    decoded_bd, found = network.apply({'params': params}, x_bd, codebook_lkd)
    self.assertEqual(decoded_bd.shape, (4, 6))
    self.assertEqual(found.code_bl.shape, (4, 2))
    layers = len(hidden) + 1
    self.assertCountEqual(
      params,
      [f'{side}_{i}' for side in ('encoder', 'decoder') for i in range(layers)],
    )
    z_bd = network.apply({'params': params}, x_bd, method='encode')
    wanted_bd = rq_vae.quantise(z_bd, codebook_lkd).vector_bd
    again_bd = network.apply({'params': params}, wanted_bd, method='decode')
    np.testing.assert_allclose(again_bd, decoded_bd, atol=1e-6)

  def test_bfloat16_gives_float32(self):
    network = RqVae(RqVaeConfig(6, (7,), 3, dtype='bfloat16'))
    x_bd, codebook_lkd = jnp.ones((4, 6)), jnp.ones((2, 5, 3))
    params = network.init(jax.random.key(0), x_bd, codebook_lkd)
    decoded_bd, _ = network.apply(params, x_bd, codebook_lkd)
    self.assertEqual(decoded_bd.dtype, jnp.float32)

  @parameterized.parameters(
    ({'width': 0}, 'width is 0; it must be at least 1'),
    ({'code_width': 0}, 'code_width is 0'),
    ({'hidden': (0,)}, r'hidden is \(0,\)'),
    ({'hidden': 64}, 'hidden is 64; make it a tuple'),
    ({'dtype': 'float16'}, "'float16'; choose 'float32' or 'bfloat16'"),
  )
  def test_refuses(self, values, message):
    with self.assertRaisesRegex(UserError, message):
      RqVaeConfig(**({'width': 4} | values))


if __name__ == '__main__':
  absltest.main()
