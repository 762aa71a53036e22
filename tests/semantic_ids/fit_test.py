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
from taiji_jax.semantic_ids import statistics
from taiji_jax.semantic_ids.fit import fit
from tests.semantic_ids import made

METHODS = ('rq_vae', 'rq_kmeans', 'balanced', 'random')


def described(fitted, vector_nd):
  quantiser = fitted.quantiser
  return statistics.describe(
    fitted.code_nl,
    quantiser.codes,
    vector_nd,
    quantiser.decode(fitted.code_nl),
    count=5,
  )


class FitTest(parameterized.TestCase):
  @parameterized.parameters(*METHODS)
  def test_the_same_seed_the_same_codes(self, method):
    vector_nd = made.vectors()
    one, two, other = (
      fit(vector_nd, made.config(method, steps=3, seed=seed)).code_nl
      for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    self.assertFalse(np.array_equal(one, other))
    self.assertEqual(one.shape, (120, 2))
    self.assertEqual(one.dtype, np.int32)
    self.assertTrue(((one >= 0) & (one < 8)).all())

  def test_what_each_is_for(self):
    vector_nd = made.vectors(600)
    found = {
      method: described(
        fit(vector_nd, made.config(method, steps=300)), vector_nd
      )
      for method in METHODS
    }
    # Neighbours share codes, but for the control.
    for method in ('rq_vae', 'rq_kmeans', 'balanced'):
      # An autoencoder of so few steps is far from its best.
      most = 0.7 if method == 'rq_vae' else 0.3
      self.assertLess(found[method].error, most, method)
      self.assertGreater(found[method].near_l[0], 0.6, method)
      self.assertGreater(found[method].near_l[0], 3 * found[method].chance_l[0])
    self.assertAlmostEqual(found['random'].error, 1.0, places=4)
    self.assertAlmostEqual(found['random'].near_l[0], 1 / 8, delta=0.05)
    # Equal sizes are the most perplexing, and cost some error.
    self.assertAlmostEqual(min(found['balanced'].perplexity_l), 8, places=2)
    self.assertLess(found['rq_kmeans'].error, found['balanced'].error)

  @parameterized.parameters('rq_vae', 'rq_kmeans', 'random')
  def test_codes_are_those_of_encode(self, method):
    vector_nd = made.vectors()
    fitted = fit(vector_nd, made.config(method, steps=3))
    np.testing.assert_array_equal(
      fitted.quantiser.encode(vector_nd), fitted.code_nl
    )

  def test_balanced_sizes(self):
    vector_nd = made.vectors(130)
    fitted = fit(vector_nd, made.config('balanced'))
    for code_n in fitted.code_nl.T:
      self.assertLessEqual(np.ptp(np.bincount(code_n, minlength=8)), 1)
    same = fitted.quantiser.encode(vector_nd)[:, 0] == fitted.code_nl[:, 0]
    self.assertGreater(same.mean(), 0.5)

  @parameterized.parameters('rq_kmeans', 'balanced')
  def test_fitted_on_a_part_encodes_all(self, method):
    vector_nd = made.vectors(300)
    fitted = fit(vector_nd, made.config(method, fit_rows=100))
    self.assertLen(fitted.code_nl, 300)
    self.assertLess(described(fitted, vector_nd).error, 0.3)
    if method == 'rq_kmeans':
      np.testing.assert_array_equal(
        fitted.quantiser.encode(vector_nd), fitted.code_nl
      )

  @parameterized.parameters(*METHODS)
  def test_few_items(self, method):
    # Fewer than codes, some equal, and a column that does not vary.
    for items in (1, 3):
      vector_nd = np.zeros((items, 2))
      vector_nd[:, 0] = np.arange(items) // 2
      fitted = fit(vector_nd, made.config(method, steps=2))
      self.assertLen(fitted.code_nl, items)
      self.assertTrue(
        np.isfinite(fitted.quantiser.decode(fitted.code_nl)).all()
      )

  def test_shift_and_scale_change_no_code(self):
    vector_nd = made.vectors()
    one, other = (
      fit(x, made.config('rq_kmeans')).code_nl
      for x in (vector_nd, 64 * vector_nd + 512)
    )
    self.assertGreater((one == other).mean(), 0.98)

  def test_refuses(self):
    config = made.config('rq_kmeans')
    with self.assertRaisesRegex(UserError, 'at least one row an item'):
      fit(np.zeros((0, 3)), config)
    vector_nd = made.vectors()
    vector_nd[11, 2] = np.nan
    with self.assertRaisesRegex(UserError, 'item 11 holds NaN'):
      fit(vector_nd, config)


if __name__ == '__main__':
  absltest.main()
