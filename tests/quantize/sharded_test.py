"""Rows that are split over eight devices are clustered as one set."""

import os

os.environ['XLA_FLAGS'] = (
  os.environ.get('XLA_FLAGS', '') + ' --xla_force_host_platform_device_count=8'
)

import functools

from absl.testing import absltest, parameterized
import jax
import numpy as np

from taiji_jax import sharding
from taiji_jax.quantize import kmeans, residual, split_rows
from taiji_jax.sharding import MeshConfig

AXIS = ('data', 'fsdp')
ROWS = 300


def rows_of(rows=ROWS, width=4):
  rng = np.random.default_rng(0)
  return rng.normal(size=(rows, width)).astype(np.float32)


def split(function, mesh, outs):
  """Returns `function(key, rows)`, each device with a part of the rows."""
  return jax.jit(
    jax.shard_map(
      function,
      mesh=mesh,
      in_specs=(jax.P(), sharding.BATCH),
      out_specs=outs,
      check_vma=False,
    )
  )


def padded(x_nd, parts=8):
  return np.pad(x_nd, ((0, -len(x_nd) % parts), (0, 0)), constant_values=1e6)


class ShardedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.mesh = MeshConfig(data=4, fsdp=2).make()

  @parameterized.parameters('plus_plus', 'random')
  def test_residual_codebooks(self, start):
    cluster = functools.partial(
      kmeans.fit, codes=9, start=start, start_rows=50, rows=ROWS, tolerance=0.0
    )
    x_nd, key = rows_of(), jax.random.key(0)
    one = jax.jit(lambda key, x: residual.fit(key, x, 2, cluster))(key, x_nd)
    fitted = split(
      lambda key, x: residual.fit(
        key, x, 2, functools.partial(cluster, axis=AXIS)
      ),
      self.mesh,
      residual.Residual(jax.P(), sharding.BATCH, jax.P()),
    )
    eight = fitted(key, sharding.place_batch(padded(x_nd), self.mesh))
    np.testing.assert_allclose(one.codebook_lkd, eight.codebook_lkd, atol=1e-4)
    same = np.asarray(one.code_nl) == np.asarray(eight.code_nl)[:ROWS]
    self.assertGreater(same.mean(), 0.99)

  def test_revival_looks_at_all_rows(self):
    # Three far rows on three devices, one centre: the others go to them.
    x_nd = rows_of(64)
    x_nd[[3, 30, 60]] += 100 * np.eye(4, dtype=np.float32)[:3]
    start_kd = np.float32([[0] * 4] + [[1e4] * 4] * 3)
    fitted = split(
      lambda start, x: kmeans.lloyd(x, start, axis=AXIS, rows=64),
      self.mesh,
      kmeans.Clusters(jax.P(), sharding.BATCH, jax.P()),
    )
    found = fitted(start_kd, sharding.place_batch(x_nd, self.mesh))
    code_n = np.asarray(found.code_n)
    self.assertLen(set(code_n[[3, 30, 60, 0]].tolist()), 4)

  def test_rows_by_their_place(self):
    x_nd = rows_of(64)
    index_m = np.int32([63, 0, 17, 17])
    found = split(
      lambda index, x: split_rows.at(x, index, AXIS), self.mesh, jax.P()
    )(index_m, sharding.place_batch(x_nd, self.mesh))
    np.testing.assert_array_equal(found, x_nd[index_m])


if __name__ == '__main__':
  absltest.main()
