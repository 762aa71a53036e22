"""Eight devices give the IDs that one gives."""

import os

os.environ['XLA_FLAGS'] = (
  os.environ.get('XLA_FLAGS', '') + ' --xla_force_host_platform_device_count=8'
)

from absl import logging
from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids.fit import fit
from taiji_jax.sharding import MeshConfig
from tests.semantic_ids import made

VECTORS = made.vectors(101)


def setUpModule():
  logging.set_verbosity(logging.ERROR)


class ShardedTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.mesh = MeshConfig(data=2, fsdp=4).make()

  def test_k_means(self):
    config = made.config('rq_kmeans', encode_rows=20)
    one = fit(VECTORS, config)
    eight = fit(VECTORS, config, mesh=self.mesh)
    np.testing.assert_allclose(
      one.quantiser.codebook_lkd, eight.quantiser.codebook_lkd, atol=1e-4
    )
    self.assertGreater((one.code_nl == eight.code_nl).mean(), 0.99)

  def test_rq_vae(self):
    config = made.config('rq_vae', steps=6, check_every=3)
    one = fit(VECTORS, config)
    eight = fit(VECTORS, config, mesh=self.mesh)
    np.testing.assert_allclose(
      one.quantiser.codebook_lkd, eight.quantiser.codebook_lkd, atol=1e-3
    )
    self.assertGreater((one.code_nl == eight.code_nl).mean(), 0.97)

  def test_a_batch_that_does_not_divide(self):
    with self.assertRaisesRegex(UserError, 'batch is 30, .* = 8'):
      fit(VECTORS, made.config('rq_vae', batch=30), mesh=self.mesh)
    with self.assertRaisesRegex(UserError, 'number of items is 5'):
      fit(VECTORS[:5], made.config('rq_vae'), mesh=self.mesh)


if __name__ == '__main__':
  absltest.main()
