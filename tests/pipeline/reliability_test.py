"""Fifths of validation answers by how likely the retriever held them."""

from absl.testing import absltest
import numpy as np

from taiji_jax.pipeline import reliability


class ReliabilityTest(absltest.TestCase):
  def test_fifths_by_hand(self):
    logp = np.arange(-10.0, 0.0)
    l1 = np.array([0, 0, 0, 1, 1, 1, np.nan, 1, np.nan, np.nan])
    title = logp == -1.0
    parts = reliability.of(logp, l1, title)
    self.assertEqual([p.rows for p in parts], [2, 2, 2, 2, 2])
    self.assertEqual([p.l1 for p in parts], [0.0, 0.5, 1.0, 1.0, None])
    self.assertEqual([p.title for p in parts], [0.0, 0.0, 0.0, 0.0, 0.5])
    self.assertEqual([p.most for p in parts[:-1]], [-9.0, -7.0, -5.0, -3.0])
    self.assertEqual(parts[0].least, -np.inf)
    self.assertEqual(parts[-1].most, np.inf)
    self.assertStartsWith(str(parts[-1]), '50.0% the very item, of 2 ')

  def test_each_answer_is_of_one_part(self):
    rng = np.random.default_rng(0)
    logp = rng.integers(-4, 0, 200).astype(float)
    parts = reliability.of(logp, np.zeros(200), np.zeros(200, bool))
    self.assertEqual(sum(p.rows for p in parts), 200)
    for value in (-100.0, *np.unique(logp), 0.0):
      fits = [p for p in parts if p.least < value <= p.most]
      self.assertEqual([reliability.part_of(parts, value)], fits)

  def test_equal_answers_are_one_part(self):
    (part,) = reliability.of(np.full(7, -2.0), np.ones(7), np.ones(7, bool))
    self.assertEqual((part.rows, part.l1, part.title), (7, 1.0, 1.0))

  def test_nothing(self):
    none = np.zeros(0)
    self.assertEmpty(reliability.of(none, none, none.astype(bool)))
    self.assertIsNone(reliability.part_of([], -1.0))


if __name__ == '__main__':
  absltest.main()
