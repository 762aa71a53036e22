"""More objectives than directions: no conflict, and CAGrad in its ball."""

from collections.abc import Iterator

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto

SIZE, RANK = 20, 10
# Of the longest gradient, of Nash-MTL's weights on all gradients: a shorter
# update is nothing but rounding.
SHORTEST = 1e-3


def jacobians(count: int) -> Iterator[np.ndarray]:
  """Yields `[20, 10]`: at random, and each second one much in conflict."""
  for seed in range(count):
    jacobian_kp = np.random.default_rng(seed).normal(size=(SIZE, RANK))
    yield jacobian_kp - 0.9 * (seed % 2) * jacobian_kp.mean(0)


def updates(
  weighting: pareto.Weighting, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields (gradients, weights)."""
  update = jax.jit(weighting.update)
  for jacobian_kp in jacobians(count):
    gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
    weights_k, _ = update(
      pareto.Observation(gramian_kk=gramian_kk), weighting.init(SIZE)
    )
    yield jacobian_kp, np.asarray(weights_k, np.float64)


class DependentTest(parameterized.TestCase):
  @parameterized.parameters(
    pareto.upgrad, pareto.dualproj, pareto.min_norm, pareto.nash_mtl
  )
  def test_does_not_conflict(self, rule):
    met = 0
    for jacobian_kp, weights_k in updates(rule(), 110):
      step_p = jacobian_kp.T @ weights_k
      norm_k = np.linalg.norm(jacobian_kp, axis=-1)
      length = np.linalg.norm(step_p)
      nash = rule is pareto.nash_mtl
      if length > SHORTEST * (weights_k @ norm_k if nash else norm_k.max()):
        met += 1
        cosine_k = jacobian_kp @ step_p / (norm_k * length)
        self.assertGreater(cosine_k.min(), -0.01)
    self.assertGreater(met, 10)

  @parameterized.parameters(0.5, 1.0, 2.0)
  def test_cagrad_stays_in_its_ball(self, c: float):
    for jacobian_kp, weights_k in updates(pareto.cagrad(c), 110):
      step_p = jacobian_kp.T @ weights_k
      average_p = jacobian_kp.mean(0)
      bound = c * np.linalg.norm(average_p)
      self.assertLess(np.linalg.norm(step_p - average_p), 1.001 * bound)
      worst = (jacobian_kp @ step_p).min() - (jacobian_kp @ average_p).min()
      self.assertGreater(worst / (jacobian_kp @ jacobian_kp.T).max(), -1e-4)


if __name__ == '__main__':
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
