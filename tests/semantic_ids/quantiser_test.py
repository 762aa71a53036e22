import dataclasses
import os

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

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids.fit import fit
from taiji_jax.semantic_ids.quantiser import Quantiser
from tests.semantic_ids import made

# Level 0 at 0 and 10, level 1 at -1 and 1, after 2 is taken and all is halved.
SMALL = Quantiser(
  method='rq_kmeans',
  shift_d=np.float32([2]),
  scale=0.5,
  codebook_lkd=np.float32([[[0], [10]], [[-1], [1]]]),
  price_lk=np.zeros((2, 2), np.float32),
)


class SmallTest(parameterized.TestCase):
  def test_golden(self):
    # (20.4 - 2) / 2 = 9.2: 10, then -.8: -1; that stands for 9 * 2 + 2.
    vector_nd = np.float32([[20.4], [5.0]])
    np.testing.assert_allclose(
      SMALL.latent(vector_nd)[:, 0], [9.2, 1.5], atol=1e-6
    )
    code_nl = SMALL.encode(vector_nd)
    self.assertEqual(code_nl.tolist(), [[1, 0], [0, 1]])
    self.assertEqual(SMALL.decode(code_nl)[:, 0].tolist(), [20.0, 4.0])
    latent_nd = SMALL.latent(vector_nd)
    for level, wanted in ((0, [9.2, 1.5]), (1, [-0.8, 1.5]), (-1, [-0.8, 1.5])):
      rest_nd = SMALL.rest(latent_nd, code_nl, level)
      np.testing.assert_allclose(rest_nd[:, 0], wanted, atol=1e-6)
    self.assertEqual((SMALL.width, SMALL.levels, SMALL.codes), (1, 2, 2))
    self.assertIsNone(SMALL.network)

  def test_prices_count(self):
    priced = dataclasses.replace(SMALL, price_lk=np.float32([[0, -20], [0, 0]]))
    # 4.5 after the shift: 20.25 from 0, 30.25 - 20 from 10.
    self.assertEqual(priced.encode(np.float32([[11.0]]))[0, 0], 1)

  @parameterized.parameters(1, 7, 64, 1000)
  def test_parts_give_what_the_whole_gives(self, rows):
    vector_nd = np.random.default_rng(0).normal(size=(50, 1)) * 9
    np.testing.assert_array_equal(
      SMALL.encode(vector_nd, rows=rows, chunk=3), SMALL.encode(vector_nd)
    )

  def test_reads_a_file(self):
    path = self.create_tempfile().full_path
    vector_nd = np.memmap(path, np.float32, 'w+', shape=(30, 1))
    vector_nd[:] = np.linspace(-9, 30, 30)[:, None]
    found = SMALL.encode(vector_nd, rows=8)
    np.testing.assert_array_equal(found, SMALL.encode(np.array(vector_nd)))

  @parameterized.parameters(
    (np.ones((3, 2)), 'are 2 wide, the quantiser was fitted on 1'),
    (np.ones(3), r'shape \(3,\)'),
    (np.ones((0, 1)), 'at least one row'),
    (np.float32([[1], [np.nan]]), 'item 1 holds NaN'),
  )
  def test_refuses(self, vector_nd, message):
    with self.assertRaisesRegex(UserError, message):
      SMALL.encode(vector_nd)

  def test_the_number_of_a_bad_item_in_a_later_part(self):
    vector_nd = np.ones((10, 1))
    vector_nd[7] = np.inf
    with self.assertRaisesRegex(UserError, 'item 7 holds NaN'):
      SMALL.encode(vector_nd, rows=2)

  def test_a_code_out_of_range(self):
    with self.assertRaisesRegex(UserError, 'the codes hold 2 for item 0'):
      SMALL.decode(np.array([[2, 0]]))


class RandomTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.vectors = made.vectors(3000)
    cls.fitted = fit(cls.vectors, made.config('random', codes=4))

  def test_codes_are_spread_and_say_nothing(self):
    code_nl = self.fitted.code_nl
    count_c = np.bincount(code_nl[:, 0] * 4 + code_nl[:, 1], minlength=16)
    # 187.5 each, give or take 13.
    self.assertGreater(count_c.min(), 187.5 - 4.5 * 13)
    self.assertLess(count_c.max(), 187.5 + 4.5 * 13)
    found = self.fitted.quantiser.decode(code_nl[:2])
    np.testing.assert_allclose(found[0], self.vectors.mean(0), atol=1e-4)

  def test_the_slightest_difference_changes_them(self):
    near_nd = np.nextafter(self.vectors, np.float32(1e9))
    code_nl = self.fitted.quantiser.encode(near_nd)
    same = (code_nl == self.fitted.code_nl).all(1).mean()
    self.assertAlmostEqual(same, 1 / 16, delta=0.02)

  def test_0_is_0(self):
    zero = np.zeros((1, 6), np.float32)
    one, other = map(self.fitted.quantiser.encode, (zero, -zero))
    np.testing.assert_array_equal(one, other)


if __name__ == '__main__':
  absltest.main()
