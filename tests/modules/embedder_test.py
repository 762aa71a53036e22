import functools
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import tokenizers

from taiji_jax.errors import UserError
from taiji_jax.modules import embedder, text_encoder
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.modules.text_encoder import TextEncoder, TextEncoderConfig

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


class ReadTokenizerTest(absltest.TestCase):
  def test_missing_and_damaged(self):
    with tempfile.TemporaryDirectory() as folder:
      path = pathlib.Path(folder) / 'tokenizer.json'
      with self.assertRaisesRegex(UserError, 'is missing'):
        embedder.read_tokenizer(path)
      path.write_text('{"version": "1.0", "mod', 'utf-8')
      with self.assertRaisesRegex(UserError, 'is no tokenizer file'):
        embedder.read_tokenizer(path)


if __name__ == '__main__':
  absltest.main()
