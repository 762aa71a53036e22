import dataclasses
import functools
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import tokenizers

from taiji_jax.errors import UserError
from taiji_jax.modules import embedder, last_token, text_encoder
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.modules.text_encoder import TextEncoder, TextEncoderConfig
from taiji_jax.modules.weights import published
from tests.modules.weights import tiny

WORDS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', *'abcdefgh')
CONFIG = TextEncoderConfig(
  vocab_size=len(WORDS), width=8, num_layers=2, num_heads=2, mlp_width=16,
  max_positions=64,
)  # fmt: skip


def word_tokenizer() -> tokenizers.Tokenizer:
  tokenizer = tokenizers.Tokenizer(
    tokenizers.models.WordLevel(
      {word: i for i, word in enumerate(WORDS)}, '[UNK]'
    )
  )
  tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
  tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
    single='[CLS] $A [SEP]', special_tokens=[('[CLS]', 2), ('[SEP]', 3)]
  )
  return tokenizer


@functools.cache
def params():
  ones = np.ones((1, 4), np.int32)
  init = jax.jit(TextEncoder(CONFIG).init)
  return init(jax.random.key(1), ones, ones > 0)['params']


def make(max_tokens: int = 32, batch: int = 3) -> TextEmbedder:
  return TextEmbedder(params(), CONFIG, word_tokenizer(), max_tokens, batch)


def alone(tokens: list[int]) -> np.ndarray:
  """Returns the embedding of one text without any padding."""
  token_bt = np.array([tokens], np.int32)
  embed = jax.jit(text_encoder.embed, static_argnums=0)
  return embed(CONFIG, params(), token_bt, np.ones_like(token_bt, bool))[0]


class TextEmbedderTest(parameterized.TestCase):
  def test_rows_belong_to_their_texts(self):
    texts = ['a b c', ' '.join('abcdefgh' * 3), '', 'c b a', 'a b c', 'h']
    embedding = make().embed(texts)
    self.assertEqual(embedding.dtype, np.float32)
    ids = {'a': 4, 'b': 5, 'c': 6, 'h': 11}
    for row, text in enumerate(texts):
      words = [ids.get(w, WORDS.index(w)) for w in text.split()]
      np.testing.assert_allclose(
        embedding[row], alone([2, *words, 3]), atol=1e-5
      )

  def test_long_text_is_cut_at_its_end(self):
    long = ' '.join(['a'] * 14 + ['b'] * 30)
    np.testing.assert_allclose(
      make(max_tokens=16).embed([long])[0],
      alone([2, *[4] * 14, 3]),
      atol=1e-5,
    )

  def test_each_text_is_encoded_once_and_two_lengths_are_two_traces(self):
    subject = make()
    encode = text_encoder.embed
    traced = chex.assert_max_traces(n=2)(lambda *a: encode(CONFIG, *a))
    calls = []

    def counted(*args):
      calls.append(args[1].shape)
      return jitted(*args)

    jitted = jax.jit(traced)
    subject._encode = counted
    short = ['a', 'b', 'c', 'd', 'a b', 'a']
    first = subject.embed([*short, 'a ' * 20])
    self.assertEqual(calls, [(3, 16), (3, 16), (3, 32)])
    again = subject.embed(['a ' * 20, *reversed(short)])
    self.assertLen(calls, 3)
    np.testing.assert_array_equal(first, again[::-1])
    subject.embed(['e', 'b ' * 21])
    self.assertLen(calls, 5)

  def test_what_was_asked_for_longest_ago_is_forgotten_first(self):
    subject = TextEmbedder(params(), CONFIG, word_tokenizer(), 32, 3, memory=2)
    encode, calls = subject._encode, []

    def counted(*args):
      calls.append(args[1].shape)
      return encode(*args)

    subject._encode = counted
    everything = subject.embed(['a', 'b', 'c', 'd'])
    self.assertEqual(everything.shape, (4, 8))
    subject.embed(['c'])
    self.assertLen(calls, 2)
    subject.embed(['e'])  # 'd' goes, 'c' stays.
    subject.embed(['c'])
    self.assertLen(calls, 3)
    np.testing.assert_allclose(
      subject.embed(['d'])[0], everything[3], atol=1e-6
    )
    self.assertLen(calls, 4)

  def test_nothing_is_kept_where_memory_is_0(self):
    subject = TextEmbedder(params(), CONFIG, word_tokenizer(), 32, 3, memory=0)
    first = subject.embed(['a', 'b', 'a'])
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(subject.embed(['a', 'b', 'a']), first)
    with self.assertRaisesRegex(UserError, 'memory=-1: choose 0 or more'):
      TextEmbedder(params(), CONFIG, word_tokenizer(), 32, 3, memory=-1)

  def test_no_texts(self):
    self.assertEqual(make().embed([]).shape, (0, 8))

  def test_caller_may_change_what_it_got(self):
    subject = make()
    first = subject.embed(['a'])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(subject.embed(['a']), kept)

  @parameterized.parameters((0, 3), (24, 3), (128, 3), (32, 0))
  def test_out_of_range(self, max_tokens: int, batch: int):
    with self.assertRaisesRegex(UserError, 'choose'):
      make(max_tokens, batch)


class DecoderEmbedderTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.config = dataclasses.replace(
      tiny.CONFIG, qkv_bias=False, qk_norm=True, tie_embeddings=True
    )
    self.params = tiny.variables(self.config)['params']

  def _make(self, **options) -> TextEmbedder:
    tokenizer = word_tokenizer()
    return TextEmbedder(
      self.params, self.config, tokenizer, 16, 2, eos_id=3, **options
    )

  def _alone(self, tokens: list[int]) -> np.ndarray:
    token_bt = np.array([tokens], np.int32)
    embed = jax.jit(last_token.embed, static_argnums=0)
    return embed(
      self.config, self.params, token_bt, np.ones_like(token_bt, bool)
    )[0]

  def test_the_last_token_is_the_end_and_the_norm_is_1(self):
    embedding = self._make().embed(['a b c', '', ' '.join('a' * 30)])
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-6)
    for row, ids in zip(
      embedding, ([4, 5, 6, 3], [3], [4] * 15 + [3]), strict=True
    ):
      np.testing.assert_allclose(row, self._alone(ids), atol=1e-5)

  def test_an_instruction_comes_first(self):
    subject = self._make()
    plain, asked = subject.embed(['a']), subject.embed(['a'], 'b')
    # Instruct : b Query : a, of which the tokenizer knows a and b.
    np.testing.assert_allclose(
      asked[0], self._alone([1, 1, 5, 1, 1, 4, 3]), atol=1e-5
    )
    self.assertGreater(np.abs(asked - plain).max(), 1e-3)

  def test_out_of_range(self):
    with self.assertRaisesRegex(UserError, 'eos_id'):
      TextEmbedder(self.params, self.config, word_tokenizer())
    with self.assertRaisesRegex(UserError, 'multiple of 16'):
      TextEmbedder(self.params, self.config, word_tokenizer(), 17, eos_id=3)

  def test_from_a_directory(self):
    folder = pathlib.Path(self.create_tempdir().full_path, 'model')
    tiny.write(folder, self.config, context=32)
    tokenizer = tokenizers.Tokenizer.from_str(word_tokenizer().to_str())
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
      single='$A [SEP]', special_tokens=[('[SEP]', 3)]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    subject = TextEmbedder.pretrained(folder, max_tokens=16)
    np.testing.assert_allclose(
      subject.embed(['a b'])[0], self._alone([4, 5, 3]), atol=1e-5
    )
    with self.assertRaisesRegex(UserError, 'takes 32 tokens, not max_to'):
      TextEmbedder.pretrained(folder, max_tokens=48)


class MiniLmByNameTest(absltest.TestCase):
  def test_its_folder_is_taken_like_a_decoder_s(self):
    folder = self.create_tempdir()
    folder.create_file('config.json', '{"model_type": "bert"}')
    with (
      mock.patch.object(TextEmbedder, 'minilm') as made,
      mock.patch.object(
        published, 'fetch', lambda name: pathlib.Path(folder.full_path)
      ),
    ):
      TextEmbedder.pretrained(published.MINILM_ON_THE_HUB, batch=4)
    made.assert_called_once_with(folder.full_path, batch=4)


class CheckTest(absltest.TestCase):
  def test_nothing_there(self):
    folder = pathlib.Path(self.create_tempdir())
    for source in (folder, folder / 'none'):
      with self.assertRaisesRegex(UserError, 'no text encoder|no checkpoint'):
        TextEmbedder.check(source)
    (folder / 'tokenizer.json').write_text('{}')
    with self.assertRaisesRegex(UserError, 'config.json. cannot be read'):
      TextEmbedder.check(folder)
    (folder / 'config.json').write_text('{}')
    TextEmbedder.check(folder)


class ReadTokenizerTest(absltest.TestCase):
  def test_missing_and_damaged(self):
    with tempfile.TemporaryDirectory() as folder:
      path = pathlib.Path(folder) / 'tokenizer.json'
      with self.assertRaisesRegex(UserError, 'is missing'):
        embedder.read_tokenizer(path)
      path.write_text('{"version": "1.0", "mod', 'utf-8')
      with self.assertRaisesRegex(UserError, 'is no tokenizer file'):
        embedder.read_tokenizer(path)

  def test_what_breaks_the_library_or_grows(self):
    path = pathlib.Path(self.create_tempdir().full_path, 'tokenizer.json')
    whole = json.loads(word_tokenizer().to_str())
    whole['normalizer'] = {'type': 'Precompiled', 'precompiled_charsmap': 'AA'}
    path.write_text(json.dumps(whole))
    with self.assertRaisesRegex(UserError, 'is no tokenizer file'):
      embedder.read_tokenizer(path)
    growing = {'pattern': {'String': 'a'}, 'content': 'a' * 1025}
    whole['normalizer'] = {'type': 'Replace', **growing}
    path.write_text(json.dumps(whole))
    with self.assertRaisesRegex(UserError, 'more than 1024 times'):
      embedder.read_tokenizer(path)


if __name__ == '__main__':
  absltest.main()
