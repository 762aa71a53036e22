"""TF-IDF by hand and against loops; neighbours against a dense cosine."""

from collections import Counter
import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.retrieve import tfidf
from taiji_jax.retrieve.tfidf import TfidfConfig

WORDS = ('hex', 'nut', 'bolt', 'steel', 'zinc', 'm4', 'm5', 'wing', 'cap')


def texts(seed, count=25):
  rng = np.random.default_rng(seed)
  return [' '.join(rng.choice(WORDS, rng.integers(0, 9))) for _ in range(count)]


def by_loops(found, config):
  """Returns one dict a text: term -> weight, of length 1."""
  listed = [tfidf.terms(text, config.words) for text in found]
  df = Counter(term for terms in listed for term in set(terms))
  vectors = []
  for terms in listed:
    vector = {
      term: (1 + math.log(times))
      * (1 + math.log((1 + len(found)) / (1 + df[term])))
      for term, times in Counter(terms).items()
      if config.least <= df[term] <= config.most * len(found)
    }
    norm = math.sqrt(sum(v * v for v in vector.values()))
    vectors.append({term: v / norm for term, v in vector.items()})
  return vectors


def cosines(found, config):
  vectors = by_loops(found, config)
  return np.array(
    [
      [sum(a[term] * b.get(term, 0.0) for term in a) for b in vectors]
      for a in vectors
    ]
  )


class TfidfTest(parameterized.TestCase):
  def test_golden(self):
    # 'nut' is in two of two texts: 1 + log(3/3) = 1; twice in the first:
    # 1 + log 2. All else is in one text and left out.
    found = tfidf.vectors(['nut nut a', 'nut b'], TfidfConfig(1, 2, 1.0))
    np.testing.assert_allclose(found.dense(), [[1.0], [1.0]])
    # With single terms: a and b weigh 1 + log(3/2).
    found = tfidf.vectors(['nut nut a', 'nut b'], TfidfConfig(1, 1, 1.0))
    nut, rare = 1 + math.log(2), 1 + math.log(1.5)
    norm = math.hypot(nut, rare)
    np.testing.assert_allclose(
      found.dense()[0], [nut / norm, rare / norm, 0], rtol=1e-6
    )

  @parameterized.product(
    seed=(0, 1),
    config=(TfidfConfig(), TfidfConfig(1, 1, 1.0), TfidfConfig(3, 1, 0.3)),
  )
  def test_neighbours_equal_loops(self, seed, config):
    found = texts(seed)
    expected = np.round(cosines(found, config), 6)
    np.fill_diagonal(expected, 0)
    near = tfidf.nearest(tfidf.vectors(found, config), len(found))
    np.testing.assert_allclose(near.dense(), expected, atol=2e-6)
    few = tfidf.nearest(tfidf.vectors(found, config), 3).dense()
    for n, cosine in enumerate(expected):
      kept = np.flatnonzero(few[n])
      self.assertLen(kept, min(3, (cosine > 0).sum()))
      left = np.delete(cosine, kept)
      self.assertGreaterEqual(
        cosine[kept].min(initial=1), left.max(initial=0) - 2e-6
      )

  def test_case_and_marks_do_not_count(self):
    near = tfidf.nearest(
      tfidf.vectors(
        ['Hex-Nut, M4', 'hex nut m4', 'bolt ring', 'BOLT  Ring!', '']
      ),
      4,
    )
    np.testing.assert_allclose(
      near.dense(), np.eye(5)[[1, 0, 3, 2, 4]] * (np.arange(5) < 4), atol=1e-6
    )

  def test_texts_without_a_shared_term(self):
    near = tfidf.nearest(tfidf.vectors(['a', 'b', '']), 2)
    self.assertEqual((near.rows, len(near.value_q)), (3, 0))

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'words is 0'):
      TfidfConfig(words=0)
    with self.assertRaisesRegex(UserError, 'most is 1.5'):
      TfidfConfig(most=1.5)
    with self.assertRaisesRegex(UserError, 'neighbours is 0'):
      tfidf.nearest(tfidf.vectors(['a']), 0)


if __name__ == '__main__':
  absltest.main()
