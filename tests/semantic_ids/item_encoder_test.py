import os
import pathlib
from unittest import mock

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np
from safetensors import numpy as safetensors_numpy

from taiji_jax.errors import UserError
from taiji_jax.retrieve.tfidf import TfidfConfig
from taiji_jax.semantic_ids import item_encoder, vectors

WORDS = ('hex', 'nut', 'bolt', 'steel', 'zinc', 'm4', 'm5', 'wing', 'cap')
CONFIG = TfidfConfig(least=1, most=1.0)


def texts(count=30):
  rng = np.random.default_rng(0)
  return [' '.join(rng.choice(WORDS, 4)) for _ in range(count)]


class Embedder:
  """Texts to the numbers of their letters."""

  def embed(self, texts):
    return np.float32([[len(t), t.count('e'), 3.0] for t in texts])


class ItemEncoderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir()) / 'encoder.safetensors'
    self.enter_context(
      mock.patch.object(
        item_encoder.TextEmbedder, 'minilm', return_value=Embedder()
      )
    )
    rng = np.random.default_rng(1)
    self.pairs = tuple(rng.integers(0, 29, (2, 200)))

  def fit(self, *sources):
    return item_encoder.fit(texts(), self.pairs, sources, 5, config=CONFIG)

  @parameterized.parameters(
    (('tfidf',), 5), (('encoder',), 3), (('encoder', 'tfidf'), 8)
  )
  def test_a_text_of_the_catalogue_gets_its_item_s_vector(self, sources, width):
    vector_nd, encoder = self.fit(*sources)
    self.assertEqual(vector_nd.shape, (30, width))
    self.assertEqual(vector_nd.dtype, np.float32)
    np.testing.assert_allclose(
      encoder.vectors(texts()), vector_nd, rtol=1e-4, atol=1e-6
    )
    # One at a time: nothing depends on the other texts.
    one_nd = encoder.vectors(texts()[7:8])
    np.testing.assert_allclose(one_nd, vector_nd[7:8], rtol=1e-4, atol=1e-6)

  def test_every_source_weighs_the_same(self):
    vector_nd, _ = self.fit('tfidf', 'cooccurrence', 'encoder')
    for part_nd in np.split(vector_nd, [5, 10], 1):
      norm_n = np.linalg.norm(part_nd, axis=1)
      self.assertAlmostEqual(norm_n.mean(), 1, places=5)

  def test_nobody_followed_a_new_item(self):
    vector_nd, encoder = self.fit('cooccurrence', 'tfidf')
    own_nd = vectors.co_occurrence(*self.pairs, 30, 5)
    np.testing.assert_array_equal(vector_nd[:, :5], vectors.joined([own_nd]))
    # Item 29 is in no pair: it is as a new one with its text.
    found_nd = encoder.vectors(texts()[29:])
    np.testing.assert_allclose(found_nd, vector_nd[29:], rtol=1e-4, atol=1e-6)

  def test_unknown_words_and_none(self):
    _, encoder = self.fit('tfidf')
    found_nd = encoder.vectors(['', 'gasket', 'gasket nut', 'nut'])
    np.testing.assert_array_equal(found_nd[:2], 0)
    np.testing.assert_allclose(found_nd[2], found_nd[3], rtol=1e-6)

  def test_from_a_file_the_same(self):
    _, before = self.fit('tfidf', 'cooccurrence', 'encoder')
    item_encoder.save(self.path, before)
    after = item_encoder.load(self.path)
    self.assertEqual(after.sources, before.sources)
    new = ['wing nut', 'zinc cap m5']
    np.testing.assert_array_equal(after.vectors(new), before.vectors(new))

  @parameterized.parameters(
    ((), r'ids_sources is \(\); choose one or several of tfidf'),
    (('text',), "'text'"),
    (('tfidf', 'tfidf'), 'each once'),
  )
  def test_refuses_sources(self, sources, message):
    with self.assertRaisesRegex(UserError, message):
      self.fit(*sources)

  def test_refuses_files(self):
    with self.assertRaisesRegex(UserError, "can't be read .*; make it anew"):
      item_encoder.load(self.path)
    self.path.write_bytes(b'nothing of the kind')
    with self.assertRaisesRegex(UserError, "can't be read"):
      item_encoder.load(self.path)
    safetensors_numpy.save_file({'a': np.ones(3)}, self.path)
    with self.assertRaisesRegex(UserError, 'no item encoder of this version'):
      item_encoder.load(self.path)
    _, encoder = self.fit('tfidf')
    item_encoder.save(self.path, encoder)
    about = {'format': item_encoder._FORMAT, 'terms': '["a"]'}
    tensors = safetensors_numpy.load_file(self.path)
    safetensors_numpy.save_file(tensors, self.path, about)
    with self.assertRaisesRegex(UserError, 'differ in number'):
      item_encoder.load(self.path)

  def test_a_catalogue_without_texts(self):
    with self.assertRaisesRegex(UserError, 'width is 5 for 0 items'):
      item_encoder.fit([], self.pairs, ('tfidf',), 5)


if __name__ == '__main__':
  absltest.main()
