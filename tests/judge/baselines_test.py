from absl.testing import absltest
import numpy as np

from taiji_jax.judge import CosineJudge, RandomJudge


class CosineJudgeTest(absltest.TestCase):
  def test_against_numpy(self):
    rng = np.random.default_rng(0)
    text_nd = rng.normal(size=(7, 3)) * rng.uniform(1, 9, (7, 1))
    text_nd[6] = 0
    recent_rs = np.array([[0, 1, -1], [5, -1, -1], [6, -1, -1]])
    judge = CosineJudge(text_nd, recent_rs)
    found = judge.scores(np.array([0, 1, 0, 2, 1]), np.array([2, 5, 6, 1, 4]))
    unit = text_nd / np.maximum(
      np.linalg.norm(text_nd, axis=1, keepdims=True), 1e-9
    )
    profile = unit[0] + unit[1]
    want = [
      unit[2] @ profile / np.linalg.norm(profile),
      1,
      0,
      0,
      unit[4] @ unit[5],
    ]
    np.testing.assert_allclose(found, want, atol=1e-6)
    self.assertFalse(np.ma.getmaskarray(found).any())


class RandomJudgeTest(absltest.TestCase):
  def test_the_same_whenever_asked(self):
    judge = RandomJudge()
    row_n, item_n = np.divmod(np.arange(4000), 40)
    found = judge.scores(row_n, item_n)
    order = np.random.default_rng(0).permutation(4000)
    again = RandomJudge().scores(row_n[order], item_n[order])
    np.testing.assert_array_equal(again, found[order])
    self.assertTrue(((found >= 0) & (found < 1)).all())
    self.assertAlmostEqual(float(found.mean()), 0.5, delta=0.03)
    self.assertAlmostEqual(float(found.std()), 12**-0.5, delta=0.02)
    by_row = np.asarray(found).reshape(100, 40)
    self.assertLess(abs(np.corrcoef(by_row[:, 0], by_row[:, 1])[0, 1]), 0.4)
    self.assertGreater(
      np.abs(RandomJudge(1).scores(row_n, item_n) - found).mean(), 0.2
    )


if __name__ == '__main__':
  absltest.main()
