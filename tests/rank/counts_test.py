from absl.testing import absltest
import numpy as np

from taiji_jax.rank.counts import Counts
from taiji_jax.types import Log


def make(click, conversion, item=(0, 0, 1, 1, 2)):
  count = len(item)
  return Log(
    ('0',),
    ({},),
    np.zeros(count, np.int32),
    np.array(item, np.int32),
    np.arange(count),
    np.array(click, bool),
    np.array(conversion, bool),
  )


class CountsTest(absltest.TestCase):
  def test_golden(self):
    log = make([1, 1, 1, 0, 1], [1, 0, 1, 0, 0])
    counts = Counts.of(log, np.arange(5) < 4, 4)
    np.testing.assert_array_equal(counts.click_n, [2, 1, 0, 0])
    np.testing.assert_array_equal(counts.conversion_n, [1, 1, 0, 0])
    self.assertTrue(counts.tells_conversions)
    np.testing.assert_allclose(
      np.exp(counts.log_q_n), [2 / 3, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6
    )
    # All together (2 + 1/2) / (3 + 1) = 5/8; item 0: (1 + 25/8) / 7.
    np.testing.assert_allclose(
      counts.conversion_rate_n, [33 / 56, 33 / 48, 5 / 8, 5 / 8]
    )

  def test_one_kind_of_click_tells_no_conversions(self):
    for conversion in ([0] * 5, [1] * 5):
      counts = Counts.of(make([1] * 5, conversion), np.ones(5, bool), 3)
      self.assertFalse(counts.tells_conversions)
      rate_n = counts.conversion_rate_n
      self.assertTrue(((rate_n > 0) & (rate_n < 1)).all())

  def test_no_event(self):
    counts = Counts.of(make([1] * 5, [0] * 5), np.zeros(5, bool), 3)
    self.assertEqual(counts.clicks, 0)
    np.testing.assert_array_equal(counts.conversion_rate_n, [0.5] * 3)
    self.assertTrue(np.isfinite(counts.log_q_n).all())


if __name__ == '__main__':
  absltest.main()
