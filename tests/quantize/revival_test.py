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
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.quantize import revival


class FarthestTest(absltest.TestCase):
  def test_in_turn(self):
    x_nd = jnp.array([[1.0], [2.0], [3.0], [4.0]])
    moved = revival.farthest(
      jnp.array([[10.0], [20.0], [30.0]]),
      jnp.array([0.0, 4.0, 0.0]),
      x_nd,
      jnp.array([0.5, 9.0, 0.1, 7.0]),
    )
    np.testing.assert_array_equal(moved[:, 0], [2.0, 20.0, 4.0])

  def test_none_is_dead(self):
    center_kd = jnp.array([[1.0], [2.0]])
    moved = revival.farthest(
      center_kd, jnp.array([1.0, 1.0]), jnp.zeros((2, 1)), jnp.ones(2)
    )
    np.testing.assert_array_equal(moved, center_kd)

  def test_no_row_is_far(self):
    # Two rows, one of them padding: two of three dead centres stay.
    center_kd = jnp.array([[1.0], [2.0], [3.0]])
    moved = revival.farthest(
      center_kd, jnp.zeros(3), jnp.array([[7.0], [8.0]]), jnp.array([1.0, -1.0])
    )
    np.testing.assert_array_equal(moved[:, 0], [7.0, 2.0, 3.0])


class AtRandomTest(absltest.TestCase):
  def test_dead_codes_take_different_rows(self):
    x_nd = jnp.arange(10.0)[:, None] + 100
    codebook_kd = jnp.arange(4.0)[:, None]
    moved_kd, dead_k = revival.at_random(
      jax.random.key(0), codebook_kd, jnp.array([0.0, 3.0, 0.0, 0.0]), x_nd
    )
    np.testing.assert_array_equal(dead_k, [True, False, True, True])
    self.assertEqual(float(moved_kd[1, 0]), 1.0)
    taken = {float(moved_kd[k, 0]) for k in (0, 2, 3)}
    self.assertLen(taken, 3)
    self.assertTrue(all(value >= 100 for value in taken))

  def test_fewer_rows_than_dead_codes(self):
    moved_kd, _ = revival.at_random(
      jax.random.key(0), jnp.zeros((5, 1)), jnp.zeros(5), jnp.ones((2, 1))
    )
    np.testing.assert_array_equal(moved_kd, 1.0)


if __name__ == '__main__':
  absltest.main()
