from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.evaluate import packed

ROWS = 8317


class PackedTest(parameterized.TestCase):
  @parameterized.parameters(
    ([],),
    ([0.25],),
    ([np.nan, np.nan],),
    ([0, 1, np.nan, 1, 0, 0, 1, 1, 1],),
    ([1 / 3, -7e8, 2**-60, np.nan, 0.1],),
  )
  def test_few_values_come_back_as_they_are(self, values):
    value_r = np.array(values, np.float32)
    found = packed.unpack(packed.pack(value_r))
    self.assertEqual(found.dtype, np.float32)
    np.testing.assert_array_equal(found, value_r)

  def test_a_thousand_rows_are_exact(self):
    value_r = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(packed.unpack(packed.pack(value_r)), value_r)

  def test_many_values_are_near(self):
    rng = np.random.default_rng(0)
    value_r = rng.uniform(-3, 7, ROWS)
    value_r[rng.random(ROWS) < 0.1] = np.nan
    text = packed.pack(value_r)
    found = packed.unpack(text)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(value_r))
    # Half a step of 4,094 over a range of 10.
    self.assertLess(np.nanmax(np.abs(found - value_r)), 10 / 4094 / 2 + 1e-6)
    self.assertAlmostEqual(
      np.nanmean(found, dtype=float), np.nanmean(value_r), delta=5e-5
    )
    for end in (np.nanmin, np.nanmax):
      self.assertAlmostEqual(end(found), end(value_r), places=6)
    self.assertLess(len(text), 16_500)

  @parameterized.parameters(
    ([],), ([7],), ([-1, 5, 3, 2**31],), ([True, False, True],)
  )
  def test_integers_come_back(self, values):
    value_r = np.array(values, None if values else int)
    found = packed.unpack_integers(packed.pack_integers(value_r))
    np.testing.assert_array_equal(found, value_r)

  def test_texts_need_no_escape(self):
    text = packed.pack(np.random.default_rng(0).random(5000))
    self.assertNoCommonElements(set(text), set('"\\\n'))

  def test_what_is_no_column(self):
    for value in (np.zeros((2, 2)), np.array([1.0, np.inf])):
      with self.assertRaisesRegex(ValueError, 'one column'):
        packed.pack(value)
    for value in (np.zeros((2, 2), int), np.array([1.5])):
      with self.assertRaisesRegex(ValueError, 'one column of integers'):
        packed.pack_integers(value)

  def test_damaged(self):
    text = packed.pack(np.arange(9.0))
    for odd in (text[:-5], text[5:], '', '"', 7, None, [0.5, None]):
      with self.assertRaisesRegex(ValueError, 'cannot be read'):
        packed.unpack(odd)
    with self.assertRaisesRegex(ValueError, 'floats where integers belong'):
      packed.unpack_integers(text)
    with self.assertRaisesRegex(ValueError, 'integers where floats belong'):
      packed.unpack(packed.pack_integers(np.arange(9)))


if __name__ == '__main__':
  absltest.main()
