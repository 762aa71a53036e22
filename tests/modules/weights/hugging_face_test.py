"""Directories of safetensors: read part by part, and refused by name."""

import os

os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=8',
    '--xla_backend_optimization_level=0',
  )
)

import dataclasses
import json
import pathlib
import struct
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import safetensors.numpy

from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.weights import export_target, hugging_face
from taiji_jax.modules.weights.safetensors_file import StoredTensor
from taiji_jax.sharding import MeshConfig
from tests.modules.weights import tiny

QUERY = 'model.layers.1.self_attn.q_proj.weight'


class HuggingFaceTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'model')
    self.made = tiny.write(self.folder)
    self.file = self.folder / 'model.safetensors'

  def _rewrite(self, change):
    """Writes the file anew, its tensors changed in place by `change`."""
    tensors = safetensors.numpy.load_file(self.file)
    change(tensors)
    safetensors.numpy.save_file(tensors, self.file, export_target.MARK)

  def _refused(self, message):
    """Checks that loading is refused before any parameter is made."""
    with (
      mock.patch.object(jax, 'make_array_from_callback') as allocate,
      self.assertRaisesRegex(UserError, message),
    ):
      hugging_face.load(self.folder)
    allocate.assert_not_called()

  def test_loads_what_was_written(self):
    config, variables = hugging_face.load(self.folder)
    self.assertEqual(config, tiny.CONFIG)
    chex.assert_trees_all_equal(variables, self.made)
    tensors = safetensors.numpy.load_file(self.file)
    np.testing.assert_array_equal(
      tensors[QUERY],
      self.made['params']['blocks']['attention']['query']['kernel'][1].T,
    )

  def test_blocks_apart_and_bfloat16(self):
    config, variables = hugging_face.load(
      self.folder, None, 'bfloat16', stacked=False
    )
    self.assertFalse(config.stacked)
    expected = decoder_lib.unstack(self.made, config.num_layers)
    chex.assert_trees_all_equal(
      variables,
      jax.tree.map(lambda x: np.asarray(x, jax.numpy.bfloat16), expected),
    )

  @parameterized.parameters(
    {'tensor': 2}, {'fsdp': 4}, {'data': 2, 'fsdp': 2, 'tensor': 2}
  )
  def test_each_device_reads_its_own_part_once(self, **axes):
    mesh = MeshConfig(**axes).make()
    read, numbers = StoredTensor.read, []

    def counted(tensor, index=()):
      part = read(tensor, index)
      numbers.append(part.size)
      return part

    with mock.patch.object(StoredTensor, 'read', counted):
      config, variables = hugging_face.load(self.folder, mesh)
    chex.assert_trees_all_equal(jax.device_get(variables), self.made)
    self.assertEqual(
      jax.tree.map(lambda x: x.sharding, variables),
      sharding.state_sharding(variables, mesh),
    )
    wanted = 0
    for x in jax.tree.leaves(variables):
      parts = {str(s.index): s.data.size for s in x.addressable_shards}
      wanted += sum(parts.values())
    self.assertEqual(sum(numbers), wanted)
    table = config.vocab_size * config.width
    self.assertEqual(max(numbers), table // (mesh.size // axes.get('data', 1)))

  def test_a_mesh_that_does_not_fit_is_refused(self):
    with self.assertRaisesRegex(UserError, 'does not divide by'):
      hugging_face.load(self.folder, MeshConfig(tensor=5).make())

  def test_shards(self):
    folder = self.folder.with_name('shards')
    made = tiny.write(folder, shard_bytes=3000)
    files = sorted(folder.glob('*.safetensors'))
    self.assertGreater(len(files), 3)
    _, variables = hugging_face.load(folder)
    chex.assert_trees_all_equal(variables, made)
    self.folder = folder
    files[1].rename(folder / 'elsewhere')
    self._refused(f"names '{files[1].name}', which is not there")
    (folder / 'elsewhere').rename(files[1])
    index = folder / 'model.safetensors.index.json'
    table = json.loads(index.read_text())
    table['weight_map'][QUERY] = next(
      f.name for f in files if table['weight_map'][QUERY] != f.name
    )
    index.write_text(json.dumps(table))
    self._refused(f"holds '{QUERY}', which it does not")
    table['weight_map'][QUERY] = '../model/model.safetensors'
    index.write_text(json.dumps(table))
    self._refused('no weight_map from tensors to files beside it')

  @parameterized.parameters('BF16', 'F16')
  def test_half_precision(self, dtype):
    kind = {'BF16': jax.numpy.bfloat16, 'F16': np.float16}[dtype]

    def halve(tensors):
      tensors.update({k: x.astype(kind) for k, x in tensors.items()})

    self._rewrite(halve)
    _, variables = hugging_face.load(self.folder)
    expected = jax.tree.map(
      lambda x: x.astype(kind).astype(np.float32), self.made
    )
    chex.assert_trees_all_equal(variables, expected)

  def test_a_bare_model_without_a_head(self):
    def strip(tensors):
      del tensors['lm_head.weight']
      for name in list(tensors):
        tensors[name.removeprefix('model.')] = tensors.pop(name)

    self._rewrite(strip)
    config, variables = hugging_face.load(self.folder)
    self.assertTrue(config.tie_embeddings)
    del self.made['params']['head']
    chex.assert_trees_all_equal(variables, self.made)

  def test_what_can_be_derived_may_be_there(self):
    self._rewrite(
      lambda t: t.update(
        {'model.layers.0.self_attn.rotary_emb.inv_freq': np.ones(2, np.float32)}
      )
    )
    hugging_face.load(self.folder)

  def test_missing_unknown_and_misshapen_tensors(self):
    self._rewrite(lambda t: t.pop(QUERY))
    self._refused(f"lacks the tensor '{QUERY}'")
    tiny.write(self.folder)
    one = np.ones(1, np.float32)
    extra = 'model.layers.2.mlp.up_proj.weight'
    self._rewrite(lambda t: t.update({extra: one}))
    self._refused(f"unknown tensor '{extra}'")
    tiny.write(self.folder)
    self._rewrite(lambda t: t.update({QUERY: t[QUERY][:, :-1].copy()}))
    self._refused(rf"'{QUERY}'.*\(16, 15\).*\(16, 16\)")

  def test_a_wrong_dtype(self):
    self._rewrite(lambda t: t.update({QUERY: t[QUERY].astype(np.int8)}))
    self._refused(f"'{QUERY}'.*dtype I8")

  @parameterized.parameters(0, 7, 200, 4000, -1)
  def test_a_truncated_file(self, size):
    data = self.file.read_bytes()
    self.file.write_bytes(data[:size])
    self._refused('model.safetensors.*(no safetensors file|cut off)')

  @parameterized.parameters(
    (b'{"a": ', 'no safetensors file'),
    (b'[1, 2]', 'no safetensors file'),
    (b'{"a": {"dtype": "F32"}}', "damaged header at 'a'"),
    (
      b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
      "damaged header at 'a'",
    ),
    (
      b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}',
      "damaged header at 'a'",
    ),
    (
      b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}',
      'cut off',
    ),
    (
      b'{"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}',
      "damaged header at 'a'",
    ),
    (
      b'{"a": {"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1],'
      b' "data_offsets": [0, 4]}}',
      "damaged header at 'a'",
    ),
    (
      b'{"a": {"dtype": "' + b'X' * 9999 + b'", "shape": [1],'
      b' "data_offsets": [0, 4]}}',
      'has the dtype X{20}; only',
    ),
    (b'[' * 100_000, 'no safetensors file .it is nested too deeply'),
  )
  def test_a_corrupt_header(self, header, message):
    self.file.write_bytes(struct.pack('<Q', len(header)) + header)
    self._refused(message)

  def test_json_that_means_ill(self):
    path = self.file.with_name('config.json')
    path.write_text('{"a": ' + '[' * 100_000)
    self._refused('config.json.* nested too deeply')
    with mock.patch.object(hugging_face, '_MOST_JSON', 10):
      self._refused('config.json.* more than 10 bytes')

  def test_a_header_longer_than_the_file(self):
    self.file.write_bytes(struct.pack('<Q', 1 << 60) + b'{}')
    self._refused('no safetensors file')

  def test_a_pickle_is_never_read(self):
    self.file.rename(self.folder / 'pytorch_model.bin')
    self._refused('pytorch_model.bin.*is a pickle')

  def test_nothing_there(self):
    self.file.unlink()
    self._refused('holds neither model.safetensors')
    (self.folder / 'config.json').write_text('{')
    self._refused('is no JSON')
    (self.folder / 'config.json').write_text('[]')
    self._refused('is no table')
    (self.folder / 'config.json').unlink()
    self._refused('cannot be read')

  def test_another_model_s_config(self):
    path = self.folder / 'config.json'
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {'intermediate_size': 13}))
    self._refused('mlp.gate_proj.weight.*asks for')
    path.write_text(json.dumps(fields | {'model_type': 'gpt2'}))
    self._refused("model_type 'gpt2'")

  def test_an_unknown_dtype_of_parameters(self):
    with self.assertRaisesRegex(UserError, 'float32, bfloat16'):
      hugging_face.load(self.folder, None, 'int8')

  def test_qwen3_shapes(self):
    config = dataclasses.replace(
      tiny.CONFIG, qkv_bias=False, qk_norm=True, head_width=6
    )
    made = tiny.write(self.folder, config)
    found, variables = hugging_face.load(self.folder)
    self.assertEqual(found, config)
    chex.assert_trees_all_equal(variables, made)


if __name__ == '__main__':
  absltest.main()
