"""Batches of large programs: one after the other, and they end."""

import faulthandler

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from taiji_jax.pareto import turns
from tests.pareto.battery import equations

LOOPS = (
  pareto.min_norm,
  pareto.upgrad,
  pareto.dualproj,
  pareto.cagrad,
  pareto.nash_mtl,
)


def gramians(batch: int, size: int) -> jax.Array:
  jacobian_nkp = np.random.default_rng(0).normal(size=(batch, size, size))
  return jnp.asarray(jacobian_nkp @ jacobian_nkp.swapaxes(1, 2), jnp.float32)


def of_gramian(rule):
  def weights(gramian_kk: jax.Array) -> jax.Array:
    return rule().update(pareto.Observation(gramian_kk=gramian_kk), ())[0]

  return weights


class TurnsTest(parameterized.TestCase):
  @parameterized.parameters(*LOOPS)
  def test_large_programs_are_solved_one_by_one(self, rule):
    for size, batched in ((turns.SIDE_BY_SIDE, True), (9, False)):
      made = jax.make_jaxpr(jax.vmap(of_gramian(rule)))(gramians(3, size))
      found = list(equations('cholesky', made))
      self.assertNotEmpty(found)
      for equation in found:
        self.assertEqual(equation.outvars[0].aval.ndim > 2, batched)

  @parameterized.parameters(pareto.upgrad, pareto.cagrad)
  def test_equals_one_by_one(self, rule):
    gramian_nkk = gramians(4, 9)
    wanted_nk = jax.lax.map(of_gramian(rule), gramian_nkk)
    twice = jax.jit(jax.vmap(jax.vmap(of_gramian(rule))))
    found_nk = twice(gramian_nkk.reshape(2, 2, 9, 9)).reshape(4, 9)
    np.testing.assert_allclose(found_nk, wanted_nk, 1e-4, 1e-6)

  def test_a_batch_of_cagrad_ends(self):
    # It hung XLA's CPU runtime; a hang ends the process, with a traceback.
    faulthandler.dump_traceback_later(60, exit=True)
    try:
      weights_nk = jax.jit(jax.vmap(of_gramian(pareto.cagrad)))(
        gramians(64, 30)
      )
      self.assertTrue(np.isfinite(weights_nk).all())
    finally:
      faulthandler.cancel_dump_traceback_later()


if __name__ == '__main__':
  absltest.main()
