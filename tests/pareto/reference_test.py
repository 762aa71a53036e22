"""Every rule against a float64 reference, to the error the README states."""

import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from taiji_jax.pareto.pcgrad import draw_orders
from tests.pareto import properties, reference


@functools.cache
def jitted(rule: str):
  weighting = getattr(pareto, rule)()

  def first(gramian_kk: jax.Array) -> jax.Array:
    observation = pareto.Observation(gramian_kk=gramian_kk)
    return weighting.update(observation, weighting.init(len(gramian_kk)))[0]

  return jax.jit(first)


def weights(rule: str, jacobian_kp: np.ndarray) -> np.ndarray:
  gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
  return np.asarray(jitted(rule)(gramian_kk), np.float64)


def error(rule: str) -> float:
  """Returns the rule's error as its row of the README states it."""
  return float(properties.table()[rule]['error'])


def longest(jacobian_kp: np.ndarray) -> float:
  return float(np.linalg.norm(jacobian_kp, axis=-1).max())


class IndependentGradientsTest(parameterized.TestCase):
  @parameterized.parameters(
    'min_norm', 'upgrad', 'dualproj', 'aligned_mtl', 'imtl_g'
  )
  def test_update(self, rule: str):
    for name, jacobian_kp in reference.jacobians():
      with self.subTest(name):
        wanted_k = getattr(reference, rule)(jacobian_kp)
        # The update is compared, not the weights: a short gradient's weight
        # may be large, and no one sees its last digits.
        gap_p = jacobian_kp.T @ (weights(rule, jacobian_kp) - wanted_k)
        update = np.linalg.norm(jacobian_kp.T @ wanted_k)
        scale = max(update, longest(jacobian_kp))
        self.assertLess(np.linalg.norm(gap_p) / scale, error(rule))

  def test_nash_mtl(self):
    for name, jacobian_kp in reference.jacobians():
      with self.subTest(name):
        weights_k = weights('nash_mtl', jacobian_kp)
        bargain_k = weights_k * (jacobian_kp @ jacobian_kp.T @ weights_k)
        np.testing.assert_allclose(bargain_k, 1.0, atol=error('nash_mtl'))

  @parameterized.parameters(0.2, 0.5, 1.5)
  def test_cagrad(self, c: float):
    update = jax.jit(pareto.cagrad(c).update)
    for name, jacobian_kp in reference.jacobians((2, 3, 8, 32)):
      with self.subTest(name):
        gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
        weights_k, _ = update(pareto.Observation(gramian_kk=gramian_kk), ())
        weights_k = np.asarray(weights_k, np.float64)
        gap, radius = reference.cagrad_gap(jacobian_kp, weights_k, c)
        average = np.linalg.norm(jacobian_kp.mean(0))
        scale = longest(jacobian_kp) * average * (1 + c)
        self.assertLess(abs(gap) / scale, error('cagrad'))
        self.assertLess(radius, 1 + error('cagrad'))
        self.assertGreaterEqual(weights_k.min(), 1 / len(weights_k) - 1e-6)

  def test_pcgrad(self):
    weighting = pareto.pcgrad(seed=3)
    update = jax.jit(weighting.update)
    for name, jacobian_kp in reference.jacobians((3, 8)):
      with self.subTest(name):
        size = len(jacobian_kp)
        state = weighting.init(size)
        gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
        observation = pareto.Observation(gramian_kk=gramian_kk)
        for _ in range(2):
          key = jax.random.wrap_key_data(state.key_data, impl='threefry2x32')
          drawn = jax.random.split(key)[1]
          order_kk = np.asarray(draw_orders(drawn, size))
          np.testing.assert_array_equal(
            np.sort(order_kk), np.tile(np.arange(size), (size, 1))
          )
          weights_k, state = update(observation, state)
          wanted_p = reference.pcgrad(jacobian_kp, order_kk)
          gap_p = jacobian_kp.T @ np.asarray(weights_k, np.float64) - wanted_p
          scale = max(np.linalg.norm(wanted_p), longest(jacobian_kp))
          self.assertLess(np.linalg.norm(gap_p) / scale, error('pcgrad'))


class DegenerateGradientsTest(parameterized.TestCase):
  """Weights are no longer unique; the update they give is, or nearly so."""

  @parameterized.parameters('upgrad', 'dualproj')
  def test_projections(self, rule: str):
    for name, jacobian_kp in reference.degenerate():
      with self.subTest(name):
        wanted_k = getattr(reference, rule)(jacobian_kp)
        gap_p = jacobian_kp.T @ (weights(rule, jacobian_kp) - wanted_k)
        self.assertLess(np.linalg.norm(gap_p) / longest(jacobian_kp), 1e-3)

  def test_min_norm(self):
    for name, jacobian_kp in reference.degenerate():
      with self.subTest(name):
        weights_k = weights('min_norm', jacobian_kp)
        wanted_k = reference.min_norm(jacobian_kp)
        found = ((jacobian_kp.T @ weights_k) ** 2).sum()
        best = ((jacobian_kp.T @ wanted_k) ** 2).sum()
        self.assertLess(found - best, 1e-5 * longest(jacobian_kp) ** 2)
        self.assertAlmostEqual(weights_k.sum(), 1.0, places=5)
        self.assertGreaterEqual(weights_k.min(), 0.0)

  def test_cagrad_is_bounded_and_no_worse_than_the_average(self):
    for name, jacobian_kp in reference.degenerate():
      with self.subTest(name):
        weights_k = weights('cagrad', jacobian_kp)
        average_p = jacobian_kp.mean(0)
        direction_p = jacobian_kp.T @ weights_k
        reach = np.linalg.norm(direction_p - average_p)
        self.assertLessEqual(reach, 0.501 * np.linalg.norm(average_p) + 1e-6)
        scale = longest(jacobian_kp) * np.linalg.norm(average_p) + 1e-9
        better = (jacobian_kp @ direction_p).min()
        before = (jacobian_kp @ average_p).min()
        self.assertGreaterEqual((better - before) / scale, -1e-4)

  def test_nash_mtl_does_not_conflict(self):
    for name, jacobian_kp in reference.degenerate():
      with self.subTest(name):
        weights_k = weights('nash_mtl', jacobian_kp)
        product_k = jacobian_kp @ (jacobian_kp.T @ weights_k)
        norm_k = np.linalg.norm(jacobian_kp, axis=-1)
        # |sum_k w_k g_k|^2 = K at a bargain.
        self.assertGreater((product_k / np.maximum(norm_k, 1)).min(), -0.05)

  def test_aligned_mtl(self):
    for name, jacobian_kp in reference.degenerate():
      with self.subTest(name):
        gap_p = jacobian_kp.T @ (
          weights('aligned_mtl', jacobian_kp)
          - reference.aligned_mtl(jacobian_kp)
        )
        self.assertLess(np.linalg.norm(gap_p) / longest(jacobian_kp), 1e-4)


class HandTest(absltest.TestCase):
  """Two gradients, (2, 0) and (-1, 1): G = [[4, -2], [-2, 2]]."""

  JACOBIAN = np.array([[2.0, 0.0], [-1.0, 1.0]])

  def test_min_norm(self):
    # (G22 - G12) / (G11 + G22 - 2 G12) = (2 + 2) / (4 + 2 + 4) = 0.4.
    np.testing.assert_allclose(
      weights('min_norm', self.JACOBIAN), [0.4, 0.6], atol=1e-6
    )

  def test_upgrad(self):
    # g_1 - (<g_1, g_2> / |g_2|^2) g_2 = g_1 + g_2; g_2 + g_1 / 2. The mean of
    # (1, 1) and (1 / 2, 1).
    np.testing.assert_allclose(
      weights('upgrad', self.JACOBIAN), [0.75, 1.0], atol=1e-6
    )

  def test_pcgrad_is_twice_that(self):
    np.testing.assert_allclose(
      weights('pcgrad', self.JACOBIAN), [1.5, 2.0], atol=1e-6
    )

  def test_dualproj(self):
    # The mean (1/2, 1/2) has <g_1, mean> = 1, <g_2, mean> = 0: no conflict.
    np.testing.assert_allclose(
      weights('dualproj', self.JACOBIAN), [0.5, 0.5], atol=1e-6
    )

  def test_a_zero_gradient_keeps_its_preference(self):
    jacobian_kp = np.vstack([self.JACOBIAN, np.zeros(2)])
    for rule in ('upgrad', 'dualproj'):
      self.assertAlmostEqual(weights(rule, jacobian_kp)[2], 1 / 3, places=6)

  def test_nash_mtl(self):
    # w_1 (4 w_1 - 2 w_2) = 1 = w_2 (2 w_2 - 2 w_1): with r = w_2 / w_1,
    # 4 - 2 r = 2 r^2 - 2 r, so r = sqrt 2 and w_1^2 = 1 / (4 - 2 sqrt 2).
    first = (4 - 2 * 2**0.5) ** -0.5
    np.testing.assert_allclose(
      weights('nash_mtl', self.JACOBIAN), [first, 2**0.5 * first], rtol=1e-4
    )

  def test_cagrad_where_no_direction_helps_all(self):
    # g_1 = -g_2, so that the level is 0 at the most, where d_1 = 0: nearest to
    # the average (1/6, 1/3) is (0, 1/3), by 1/6 of g_2.
    jacobian_kp = np.array([[1.0, 0.0], [-1.0, 0.0], [0.5, 1.0]])
    np.testing.assert_allclose(
      weights('cagrad', jacobian_kp), [1 / 3, 1 / 2, 1 / 3], atol=1e-4
    )
    # A zero gradient's product is 0, and that of the average is no less.
    jacobian_kp = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(weights('cagrad', jacobian_kp), 1 / 3, atol=1e-6)

  def test_imtl_g(self):
    # w = G^-1 (2, sqrt 2) up to scale; G^-1 = [[2, 2], [2, 4]] / 4, so w goes
    # with (4 + 2 sqrt 2, 4 + 4 sqrt 2).
    raw = np.array([4 + 2 * 2**0.5, 4 + 4 * 2**0.5])
    np.testing.assert_allclose(
      weights('imtl_g', self.JACOBIAN), raw / raw.sum(), rtol=1e-4
    )


if __name__ == '__main__':
  # It compiles much and runs little.
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
