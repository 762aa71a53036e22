"""Directories written for others: merged, whole, and never over theirs."""

import dataclasses
import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.rotary import RopeScaling
from taiji_jax.modules.weights import export, pretrained, safetensors_file
from taiji_jax.modules.weights.export import ExportOptions
from tests.modules.weights import tiny


def logits(config, variables):
  token_bt = np.random.default_rng(0).integers(0, 24, (2, 9))
  position_bt = np.tile(np.arange(9), (2, 1))

  @jax.jit
  def run(variables):
    hidden = Decoder(config).apply(
      variables, token_bt, position_bt, np.ones_like(token_bt)
    )
    return Decoder(config).apply(variables, hidden, method='logits')

  return run(variables)


class ExportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.root / 'model'

  @parameterized.parameters(True, False)
  def test_adapters_are_merged(self, stacked):
    config = dataclasses.replace(tiny.CONFIG, lora_rank=3, lora_alpha=6.0)
    variables = tiny.variables(config)
    self.assertIn('lora', variables)
    expected = logits(config, variables)
    if not stacked:
      _, variables = decoder_lib.unstacked(Decoder(config), variables)
    export.save(self.folder, config, variables)
    found, merged = pretrained.load(self.folder)
    self.assertEqual(found.lora_rank, 0)
    np.testing.assert_allclose(
      logits(found, merged), expected, rtol=1e-4, atol=1e-4
    )
    # W + (6 / 3) A B.
    block = variables['params']['blocks' if stacked else 'blocks_1']
    lora = variables['lora']['blocks' if stacked else 'blocks_1']
    take = (lambda x: x[1]) if stacked else (lambda x: x)
    up = jax.tree.map(take, lora['mlp']['up'])
    np.testing.assert_allclose(
      merged['params']['blocks']['mlp']['up']['kernel'][1],
      take(block['mlp']['up']['kernel']) + 2 * up['lora_a'] @ up['lora_b'],
      rtol=1e-5,
      atol=1e-5,
    )

  def test_bfloat16(self):
    made = tiny.write(self.folder, dtype='bfloat16')
    half = jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), made)
    _, variables = pretrained.load(self.folder, param_dtype='bfloat16')
    chex.assert_trees_all_equal(variables, half)
    again = self.root / 'again'
    export.save(again, tiny.CONFIG, half)
    for folder in (self.folder, again):
      fields = json.loads((folder / 'config.json').read_text())
      self.assertEqual(fields['torch_dtype'], 'bfloat16')
    self.assertEqual(
      (self.folder / 'model.safetensors').read_bytes(),
      (again / 'model.safetensors').read_bytes(),
    )

  def test_shards_and_index_as_safetensors_reads_them(self):
    made = tiny.write(self.folder, shard_bytes=2500)
    index = json.loads(
      (self.folder / 'model.safetensors.index.json').read_text()
    )
    numbers = sum(x.size for x in jax.tree.leaves(made))
    self.assertEqual(index['metadata']['total_size'], 4 * numbers)
    found = {}
    for file in sorted(self.folder.glob('*.safetensors')):
      with safetensors.safe_open(file, 'numpy') as shard:
        self.assertEqual(shard.metadata()['format'], 'pt')
        found |= dict.fromkeys(shard.keys(), file.name)
      sizes = [x.nbytes for x in safetensors.numpy.load_file(file).values()]
      self.assertTrue(sum(sizes) <= 2500 or len(sizes) == 1)
    self.assertEqual(found, index['weight_map'])

  def test_a_foreign_directory_is_left_alone(self):
    self.folder.mkdir()
    (self.folder / 'thesis.txt').write_text('mine')
    with self.assertRaisesRegex(UserError, 'not written by an export of ours'):
      tiny.write(self.folder)
    safetensors.numpy.save_file(
      {'a': np.ones(1)}, self.folder / 'model.safetensors'
    )
    with self.assertRaisesRegex(UserError, 'not written by an export of ours'):
      tiny.write(self.folder)
    self.assertEqual((self.folder / 'thesis.txt').read_text(), 'mine')
    self.assertLen(list(self.root.iterdir()), 1)

  def test_ours_is_replaced_as_a_whole(self):
    tiny.write(self.folder, shard_bytes=2500)
    tiny.write(self.folder)
    self.assertSetEqual(
      {p.name for p in self.folder.iterdir()},
      {'config.json', 'generation_config.json', 'model.safetensors'},
    )
    self.assertLen(list(self.root.iterdir()), 1)

  def test_failing_midway_changes_nothing(self):
    tiny.write(self.folder)
    before = (self.folder / 'model.safetensors').read_bytes()
    full = OSError(28, 'No space left on device')
    with (
      mock.patch.object(safetensors_file, 'write', side_effect=full),
      self.assertRaisesRegex(UserError, 'No space left'),
    ):
      export.save(self.folder, tiny.CONFIG, tiny.variables(seed=1))
    self.assertEqual((self.folder / 'model.safetensors').read_bytes(), before)
    self.assertLen(list(self.root.iterdir()), 1)

  def test_parameters_of_another_model_are_refused(self):
    other = dataclasses.replace(tiny.CONFIG, mlp_width=13)
    with self.assertRaisesRegex(UserError, 'mlp/gate/kernel'):
      export.save(self.folder, other, tiny.variables())
    other = dataclasses.replace(tiny.CONFIG, qk_norm=True, qkv_bias=False)
    with self.assertRaisesRegex(UserError, 'query_norm/scale is missing'):
      export.save(self.folder, other, tiny.variables())
    self.assertEmpty(list(self.root.iterdir()))

  def test_context(self):
    def context(folder):
      fields = json.loads((folder / 'config.json').read_text())
      return fields['max_position_embeddings']

    made = tiny.write(self.folder)
    self.assertEqual(context(self.folder), 8192)
    tiny.write(self.folder, context=77)
    self.assertEqual(context(self.folder), 77)
    second = self.root / 'second'
    export.save(second, tiny.CONFIG, made, source=self.folder)
    self.assertEqual(context(second), 77)
    config = dataclasses.replace(
      tiny.CONFIG, rope_scaling=RopeScaling('yarn', 4.0, 50)
    )
    tiny.write(self.folder, config)
    self.assertEqual(context(self.folder), 200)

  def test_out_of_range(self):
    for options in ({'dtype': 'int8'}, {'shard_bytes': 0}, {'context': -1}):
      with self.assertRaisesRegex(UserError, 'export.'):
        ExportOptions(**options)
    with self.assertRaisesRegex(UserError, "no checkpoint 'nowhere'"):
      export.save(self.folder, tiny.CONFIG, tiny.variables(), source='nowhere')


class TokenizerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.root / 'model'

  def test_ours_comes_back_through_transformers(self):
    import transformers

    lines = ['Item title: Star Wars (1977)'] * 9
    tokenizer = tokenizer_lib.train_sentencepiece(
      lines, self.root / 'a.model', vocab_size=300
    )
    with self.assertRaisesRegex(UserError, 'more than model.vocab_size=24'):
      export.save(
        self.folder, tiny.CONFIG, tiny.variables(), tokenizer=tokenizer
      )
    config = dataclasses.replace(tiny.CONFIG, vocab_size=320)
    with self.assertRaisesRegex(UserError, 'another tokenizer for a qwen2'):
      export.save(
        self.folder, config, tiny.variables(config), tokenizer=tokenizer
      )
    self.assertFalse(self.folder.exists())
    config = dataclasses.replace(config, qkv_bias=False)
    made = tiny.variables(config)
    export.save(self.folder, config, made, tokenizer=tokenizer)
    loaded = transformers.AutoTokenizer.from_pretrained(self.folder)
    for text in (*lines, ' a  b\n', '東京 </s>'):
      ids = loaded(text, add_special_tokens=False)['input_ids']
      self.assertEqual(ids, tokenizer.encode(text))
      self.assertEqual(loaded.decode(ids), text)
    fields = json.loads((self.folder / 'config.json').read_text())
    for name in ('bos', 'eos', 'pad'):
      expected = getattr(tokenizer, f'{name}_id')
      self.assertEqual(fields[f'{name}_token_id'], expected)
      self.assertEqual(getattr(loaded, f'{name}_token_id'), expected)

  def test_files_and_settings_of_the_source_are_kept(self):
    made = tiny.write(self.folder)
    kept = {
      'tokenizer.json': '{}',
      'tokenizer_config.json': '{"a": 1}',
      'chat_template.jinja': '{{ messages }}',
      'generation_config.json': '{"eos_token_id": [3, 4], "top_p": 0.8}',
    }
    for name, text in kept.items():
      (self.folder / name).write_text(text)
    (self.folder / 'pytorch_model.bin').write_text('never copied')
    fields = json.loads((self.folder / 'config.json').read_text())
    (self.folder / 'config.json').write_text(
      json.dumps(fields | {'eos_token_id': 3})
    )
    second = self.root / 'second'
    export.save(second, tiny.CONFIG, made, source=self.folder)
    self.assertSetEqual(
      {p.name for p in second.iterdir()},
      {*kept, 'config.json', 'model.safetensors'},
    )
    for name, text in kept.items():
      found = (second / name).read_text()
      if name == 'generation_config.json':
        self.assertEqual(json.loads(found), json.loads(text))
      else:
        self.assertEqual(found, text)
    fields = json.loads((second / 'config.json').read_text())
    self.assertEqual(fields['eos_token_id'], 3)


if __name__ == '__main__':
  absltest.main()
