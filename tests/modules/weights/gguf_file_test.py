import os

os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=4',
  )
)

import dataclasses
import importlib.util
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np

from taiji_jax import gguf_header, sharding
from taiji_jax.errors import UserError
from taiji_jax.modules import rotary
from taiji_jax.modules.rotary import RopeScaling
from taiji_jax.modules.weights import merged, pretrained
from taiji_jax.sharding import MeshConfig
from tests.modules.weights import tiny

HAS_GGUF = importlib.util.find_spec('gguf') is not None
if HAS_GGUF:
  from tests.modules.weights import gguf_writer

LLAMA = dataclasses.replace(
  tiny.CONFIG,
  qkv_bias=False,
  num_layers=1,
  width=256,
  mlp_width=512,
  num_heads=8,
  norm_epsilon=0.5,
  rope_theta=512.0,
)
CONFIGS = {
  'llama': LLAMA,
  'llama_tied': dataclasses.replace(LLAMA, tie_embeddings=True),
  'qwen2': dataclasses.replace(LLAMA, qkv_bias=True),
  'qwen3': dataclasses.replace(LLAMA, qk_norm=True, head_width=64),
}
MLP = 'model.layers.0.mlp.up_proj.weight'


def many_blocks(writer):
  writer.kv_data[0]['llama.block_count'].value = 10**6


@absltest.skipUnless(HAS_GGUF, 'gguf is not installed')
class GgufTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 'a.gguf')

  def _write(self, config=LLAMA, kind='F32', **more):
    variables = tiny.variables(config)
    return variables, gguf_writer.write(
      self.path, config, variables, kind, **more
    )

  def _refused(self, message):
    with (
      mock.patch.object(jax, 'make_array_from_callback') as allocate,
      self.assertRaisesRegex(UserError, message),
    ):
      pretrained.load(self.path)
    allocate.assert_not_called()

  @parameterized.parameters(*CONFIGS)
  def test_families(self, name):
    made, _ = self._write(CONFIGS[name])
    config, variables = pretrained.load(self.path)
    self.assertEqual(config, CONFIGS[name])
    self.assertEqual(pretrained.config(self.path, unroll=2).unroll, 2)
    chex.assert_trees_all_equal(variables, made)

  @parameterized.parameters(
    'F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q4_K', 'Q6_K'
  )
  def test_quantizations(self, kind):
    _, kept = self._write(kind=kind)
    config, variables = pretrained.load(self.path)
    read = merged.reader(config, variables)
    for name, expected in kept.items():
      np.testing.assert_array_equal(read(name), expected, err_msg=name)
    self.assertGreater(np.abs(kept[MLP]).max(), 0)

  def test_parts_of_a_mesh(self):
    self._write(kind='Q8_0')
    _, one = pretrained.load(self.path)
    mesh = MeshConfig(fsdp=2, tensor=2).make()
    _, parts = pretrained.load(self.path, mesh)
    chex.assert_trees_all_equal(jax.device_get(parts), jax.device_get(one))
    self.assertEqual(
      jax.tree.map(lambda x: x.sharding, parts),
      sharding.state_sharding(parts, mesh),
    )

  @parameterized.parameters(
    ('linear', {}, RopeScaling('linear', 4.0)),
    ('yarn', {'original': 32}, RopeScaling('yarn', 4.0, 32)),
  )
  def test_scaling_in_the_metadata(self, kind, more, expected):
    import gguf

    def fields(writer):
      writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
      writer.add_rope_scaling_factor(4.0)
      if more:
        writer.add_rope_scaling_orig_ctx_len(more['original'])

    self._write(fields=fields)
    self.assertEqual(pretrained.config(self.path).rope_scaling, expected)

  def test_llama3_s_scaling_is_read_back_from_its_factors(self):
    scaling = RopeScaling('llama3', 32.0, 8192)
    config = dataclasses.replace(LLAMA, rope_theta=5e5)
    plain, _ = rotary.wavelengths(32, 5e5, RopeScaling())
    scaled, _ = rotary.wavelengths(32, 5e5, scaling)
    self._write(config, extra={'rope_freqs.weight': plain / scaled})
    found, _ = pretrained.load(self.path)
    self.assertEqual(found.rope_scaling, scaling)
    odd = np.linspace(1, 2, 16, dtype=np.float32)
    self._write(config, extra={'rope_freqs.weight': odd})
    self._refused("'rope_freqs.weight'.*no scaling of Llama 3")

  @parameterized.parameters(
    ({'architecture': 'gemma'}, "general.architecture 'gemma'"),
    ({'without': MLP}, f"lacks the tensor '{MLP}'"),
    ({'without': 'model.embed_tokens.weight'}, "lacks .* 'token_embd.weight'"),
    ({'extra': {'blk.0.what.weight': np.ones(3)}}, "unknown.*'blk.0.what.we"),
    ({'extra': {'a': np.ones(3)}}, "unknown tensor 'a'"),
    ({'kind': 'Q5_0'}, 'quantised as Q5_0; only F32'),
    ({'fields': many_blocks}, 'num_layers 1000000.*at most 4,096'),
    ({'fields': lambda w: w.add_expert_count(8)}, 'llama.expert_count 8'),
    ({'fields': lambda w: w.add_sliding_window(8)}, 'sliding_window 8'),
    (
      {'fields': lambda w: w.add_rope_dimension_count(16)},
      'rope.dimension_count 16',
    ),
    (
      {'fields': lambda w: w.add_string('llama.rope.scaling.type', 'longrope')},
      'lacks llama.rope.scaling.factor',
    ),
  )
  def test_refused_by_name(self, more, message):
    self._write(**more)
    self._refused(message)

  @parameterized.parameters(0, 3, 100, 500, -100, -1)
  def test_a_truncated_file(self, size):
    self._write()
    data = self.path.read_bytes()
    self.path.write_bytes(data[:size])
    self._refused("a.gguf' is (no whole GGUF file|damaged or cut off)")

  @parameterized.parameters(
    ('token_embd.weight', ()),
    ('token_embd.weight', (64,)),
    ('token_embd.weight', (2, 64, 256)),
    ('rope_freqs.weight', ()),
    ('rope_freqs.weight', (0,)),
    ('rope_freqs.weight', (0, 16)),
    ('rope_freqs.weight', (4, 4)),
    ('blk.0.ffn_up.weight', ()),
    ('blk.0.ffn_up.weight', (0, 256)),
  )
  def test_other_axes_than_a_tensor_has(self, name, shape):
    self._write(extra={'rope_freqs.weight': np.ones(16)})
    header = gguf_header.read(self.path)
    own = dataclasses.replace(header.tensors[name], shape=shape)
    changed = dataclasses.replace(header, tensors=header.tensors | {name: own})
    with mock.patch.object(gguf_header, 'read', return_value=changed):
      self._refused(f"'{name}'")

  def test_a_misshapen_tensor(self):
    wrong = {'blk.0.ffn_up.weight': np.ones((3, 256))}
    self._write(without=MLP, extra=wrong)
    self._refused(rf"'{MLP}'.*\(3, 256\).*\(512, 256\)")


if __name__ == '__main__':
  absltest.main()
