"""No product that makes weights is left to the device's default precision."""

from collections.abc import Callable
from typing import Any

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from tests.pareto.battery import RULES, equations, gradients, make, observe

HIGHEST = (jax.lax.Precision.HIGHEST,) * 2


class PrecisionTest(parameterized.TestCase):
  def check(self, function: Callable[..., Any], *arguments: Any) -> int:
    """Returns how many products there are."""
    made = jax.make_jaxpr(function)(*arguments)
    seen = list(equations('dot_general', made))
    for equation in seen:
      self.assertEqual(equation.params['precision'], HIGHEST, equation)
      kind = equation.outvars[0].aval.dtype
      self.assertEqual(kind, jnp.float32, equation)
    return len(seen)

  @parameterized.product(rule=RULES, size=(2, 3, 9), batch=(None, 2))
  def test_rule(self, rule: str, size: int, batch: int | None):
    weighting, seen = make(rule), observe(gradients(size, 1))
    update = weighting.update
    if batch:
      seen = jax.tree.map(lambda x: jnp.stack([x] * batch), seen)
      update = jax.vmap(update, (0, None))
    count = self.check(update, seen, weighting.init(size))
    expects = ('upgrad', 'cagrad', 'nash_mtl', 'aligned_mtl', 'famo')
    if rule in expects or (rule == 'min_norm' and size > 2):
      self.assertGreater(count, 0)

  def test_gradients(self):
    tree = {'a': jnp.ones((3, 4, 2)), 'b': jnp.ones((3, 5))}
    weights_k = jnp.ones(3)
    self.assertEqual(self.check(pareto.gramian, tree), 2)
    self.assertEqual(self.check(pareto.combine, tree, weights_k), 2)
    rule = pareto.min_norm()
    self.assertGreater(
      self.check(
        lambda g: pareto.objective_gradients(g, lambda o: rule.update(o, ())),
        tree,
      ),
      4,
    )

  def test_gramian_of_bfloat16_is_summed_in_float32(self):
    half_kn = jnp.full((2, 3000), 1.01, jnp.bfloat16)
    gramian_kk = pareto.gramian(half_kn)
    want = 3000 * float(jnp.bfloat16(1.01)) ** 2
    np.testing.assert_allclose(gramian_kk, want, rtol=1e-5)


if __name__ == '__main__':
  absltest.main()
