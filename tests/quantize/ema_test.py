import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from taiji_jax.quantize import ema


class EmaTest(absltest.TestCase):
  def test_golden(self):
    # One level, codes at 1 and 5; rows 2 and 4 go to the first. With g = .9:
    # N = .9 1 + .1 2 = 1.1, m = .9 1 + .1 6 = 1.5; the other keeps .9 and 4.5.
    state = ema.begin(jnp.array([[[1.0], [5.0]]]))
    state = ema.update(
      state, jnp.array([[0], [0]]), jnp.array([[[2.0]], [[4.0]]]), 0.9
    )
    np.testing.assert_allclose(state.count_lk, [[1.1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(state.sum_lkd[..., 0], [[1.5, 4.5]], rtol=1e-6)
    codebook = ema.codebooks(state)[0, :, 0]
    np.testing.assert_allclose(codebook, [1.5 / 1.1, 5.0], rtol=1e-6)

  def test_it_goes_to_the_mean_of_its_rows(self):
    rng = np.random.default_rng(0)
    rest_bld = rng.normal(size=(50, 2, 3)).astype(np.float32)
    code_bl = rng.integers(0, 4, (50, 2))
    state = ema.begin(jnp.zeros((2, 4, 3)))
    for _ in range(300):
      state = ema.update(state, code_bl, rest_bld, 0.9)
    codebook_lkd = np.asarray(ema.codebooks(state))
    for level in range(2):
      for k in range(4):
        own = rest_bld[code_bl[:, level] == k, level]
        np.testing.assert_allclose(
          codebook_lkd[level, k], own.mean(0), atol=1e-5
        )

  def test_unused_codes_stay_finite(self):
    state = ema.begin(jnp.ones((1, 2, 1)))
    for _ in range(2000):
      state = ema.update(
        state, jnp.zeros((1, 1), int), jnp.ones((1, 1, 1)), 0.5
      )
    self.assertTrue(np.isfinite(ema.codebooks(state)).all())

  def test_replaced(self):
    state = ema.begin(jnp.array([[[1.0], [5.0]]]))
    state = ema.replaced(
      state, jnp.array([[[8.0], [9.0]]]), jnp.array([[False, True]])
    )
    np.testing.assert_array_equal(ema.codebooks(state)[0, :, 0], [1.0, 9.0])


if __name__ == '__main__':
  absltest.main()
