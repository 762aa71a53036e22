"""A work directory and an export of version 0.1.0: read, or refused by name."""

import json
import pathlib
import shutil

from absl.testing import absltest
import jax
import numpy as np

from experiments.configs.popo import ml100k_cpu
from experiments.popo_table import ARMS
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.errors import UserError
from taiji_jax.evaluate.cells import Cells, Stamp
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained, tree
from taiji_jax.pipeline import Plan, Run
from taiji_jax.pipeline import recipe as recipe_lib

LEGACY = pathlib.Path(__file__).parents[1] / 'legacy'
PRODUCTS = LEGACY / 'run_0_1_0/products'


def decoder():
  config, params = pretrained.load(LEGACY / 'export_0_1_0')
  return Decoder(config), params


class LegacyTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir()) / 'run'
    shutil.copytree(LEGACY / 'run_0_1_0', self.workdir)

  def test_an_export_is_read(self):
    network, params = decoder()
    expected = json.loads((LEGACY / 'logits_0_1_0.json').read_text())
    tokens = np.array(expected['tokens'], np.int32)
    position = np.arange(4, dtype=np.int32)[None]
    logits = network.apply(params, tokens, position, np.ones_like(tokens))
    np.testing.assert_allclose(logits, expected['logits'], atol=1e-5)

  def test_a_products_parameters_are_read(self):
    _, params = decoder()
    (path,) = PRODUCTS.glob('sft-*/model.safetensors')
    found = tree.load(path, params)
    jax.tree.map(np.testing.assert_array_equal, found, params)

  def test_a_checkpoint_is_read(self):
    _, params = decoder()
    (folder,) = self.workdir.glob('products/*.scratch')
    checkpointer = Checkpointer(folder)
    found, position = checkpointer.restore(params)
    checkpointer.close()
    self.assertEqual(checkpointer.folder.name, folder.name)
    self.assertEqual(position, {'batches': 3, 'seconds': 1.5})
    jax.tree.map(np.testing.assert_array_equal, found, params)

  def test_its_products_and_checkpoints_are_not_taken_up_in_silence(self):
    recipe = recipe_lib.from_config(ml100k_cpu.get_config())
    with self.assertRaisesRegex(
      UserError,
      r'made by taiji_jax 0\.1\.0 \(rl-0123456789abcdef.scratch, sft-.*Move '
      r'.*away.*same --workdir: the journals',
    ):
      Run(recipe, self.workdir, Plan('popo', ARMS, (0,), (0,)))
    self.assertLen(list((self.workdir / 'products').iterdir()), 2)

  def test_a_run_is_not_opened(self):
    with self.assertRaisesRegex(UserError, r'0\.1\.0.*another --workdir'):
      Run.open(self.workdir)

  def test_a_cell_is_refused_unless_it_may_be_made_anew(self):
    stamps = {'sft': Stamp('fedcba9876543210', 'd')}
    cells = Cells(self.workdir / 'cells', stamps)
    with self.assertRaisesRegex(UserError, r'0\.1\.0.*another --results'):
      cells.find('sft', 0)
    again = Cells(self.workdir / 'cells', stamps, remake=True)
    self.assertIsNone(again.find('sft', 0))


if __name__ == '__main__':
  absltest.main()
