from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.recommender import code_start


class ImpliedTest(absltest.TestCase):
  def test_means_of_what_is_left(self):
    code_nl = np.array([[0, 0], [0, 1], [1, 0], [1, 0]])
    vector_nd = np.array([[4.0, 1.0], [2.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]])
    book_lkd = code_start.implied(code_nl, vector_nd, 3)
    self.assertEqual(book_lkd.shape, (2, 3, 2))
    np.testing.assert_allclose(book_lkd[0], [[3, 0], [-3, 0], [0, 0]])
    # Behind level 1 the rest is (1, 1), (-1, -1), (0, 1), (0, -1).
    np.testing.assert_allclose(
      book_lkd[1], [[1 / 3, 1 / 3], [-1, -1], [0, 0]], atol=1e-6
    )

  def test_another_number_of_vectors(self):
    with self.assertRaisesRegex(UserError, '2 vectors for 3 items'):
      code_start.implied(np.zeros((3, 1), int), np.zeros((2, 4)), 2)


class EmbeddingsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.drawn = [rng.normal(0, 0.02, (8, 4)) for _ in range(2)]
    self.books = rng.normal(0, [[[5]], [[1]]], (2, 8, 4))

  def _size(self, x):
    return np.sqrt((np.asarray(x) ** 2).mean())

  def test_one_scale_for_all_levels(self):
    found = code_start.embeddings(self.books, self.drawn)
    scale = self._size(self.drawn[0]) / self._size(self.books[0])
    for begun, book in zip(found, self.books, strict=True):
      np.testing.assert_allclose(begun, book * scale, rtol=1e-5)

  def test_a_narrow_codebook_leaves_the_rest_as_drawn(self):
    found = code_start.embeddings(self.books[..., :3], self.drawn)
    np.testing.assert_allclose(found[1][:, 3], self.drawn[1][:, 3], rtol=1e-6)

  def test_a_wide_codebook_keeps_its_distances(self):
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(9, 9)))[0][:4]
    wide = self.books @ turn
    found = code_start.embeddings(wide, self.drawn)
    want = code_start.embeddings(self.books, self.drawn)
    for begun, narrow in zip(found, want, strict=True):
      # Turned and scaled: inner products are in proportion.
      ratio = np.asarray(begun @ begun.T) / np.asarray(narrow @ narrow.T)
      np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-3)

  def test_other_ids(self):
    with self.assertRaisesRegex(UserError, 'give those of the same IDs'):
      code_start.embeddings(self.books[:, :7], self.drawn)


if __name__ == '__main__':
  absltest.main()
