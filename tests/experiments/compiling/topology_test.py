import importlib.util
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.compiling import chips, topology
from taiji_jax.errors import UserError
from taiji_jax.sharding import MeshConfig


class NamesTest(parameterized.TestCase):
  @parameterized.parameters(
    'v5e', 'v5e-256', 'v5litepod-16', 'v7x:2x2', 'v5e:3x3', 'v5e:4x4x4',
    'v5p:4x4', 'v5e:', '',
  )  # fmt: skip
  def test_refuses(self, name):
    with self.assertRaisesRegex(UserError, 'unknown; choose one of v4:.*v5e:{'):
      topology.check_name(name, 1)

  def test_slices(self):
    self.assertEqual(topology.check_name('v5e:16x16', 2), chips.CHIPS['v5e'])
    with self.assertRaisesRegex(UserError, 'num_slices is 0'):
      topology.check_name('v5e:16x16', 0)

  def test_no_compiler(self):
    self.enter_context(
      mock.patch.object(importlib.util, 'find_spec', return_value=None)
    )
    with self.assertRaisesRegex(UserError, r"pip install 'jax\[tpu\]=="):
      topology.devices('v5e:2x2')


class SizeTest(parameterized.TestCase):
  @parameterized.parameters(
    (MeshConfig(2, 3, 4), 64, r'2 \* 3 \* 4 = 24, .* 64 dev.*mesh.fsdp=8'),
    (MeshConfig(3, 1, 1), 64, 'data=1 --config.mesh.fsdp=64 .*tensor=1'),
  )
  def test_another_number(self, config, size, message):
    with self.assertRaisesRegex(UserError, message):
      topology.check_size(config, size, 'mesh')

  def test_right(self):
    topology.check_size(MeshConfig(2, 8, 4), 64, 'mesh')

  def test_slices_lie_along_data(self):
    with self.assertRaisesRegex(UserError, 'data is 1, but 2 slices'):
      topology.mesh_of(MeshConfig(1, 2, 1), [None, None], 2)


class ChipsTest(absltest.TestCase):
  def test_sane(self):
    for name, chip in chips.CHIPS.items():
      with self.subTest(name):
        self.assertBetween(chip.hbm, 8 * chips.GIB, 256 * chips.GIB)
        # Products need 100 to 1,000 operations a byte to be bound by them.
        self.assertBetween(chip.flops / chip.hbm_bandwidth, 100, 1000)
        self.assertGreater(chip.hbm_bandwidth, chip.ici_bandwidth)
        self.assertGreater(chip.ici_bandwidth, chip.dcn_bandwidth)


if __name__ == '__main__':
  absltest.main()
