"""What is asked of the K gradients, and of the losses they come from."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto

X_N = jnp.asarray([0.5, -2.0, 1.0])


def losses_of(x_n: jax.Array) -> jax.Array:
  return jnp.stack([(x_n**2).sum(), x_n.prod()])


class LossesTest(parameterized.TestCase):
  @parameterized.parameters(
    lambda x_n: (x_n.sum(), x_n.prod()),
    lambda x_n: {'a': x_n.sum()},
    lambda x_n: x_n.sum(),
    lambda x_n: jnp.outer(x_n, x_n),
  )
  def test_other_than_one_vector(self, losses):
    output, pullback = jax.vjp(lambda x_n: 2 * x_n, X_N)
    with self.assertRaisesRegex(ValueError, r'by_vjps: .* shape \[K\]'):
      pareto.by_vjps(output, pullback, losses)
    with self.assertRaisesRegex(ValueError, r'alignment_by_jvp: .* \[K\]'):
      pareto.alignment_by_jvp(lambda x_n: 2 * x_n, losses, X_N)

  def test_gradients_and_alignment(self):
    # Of |2 x|^2: 8 x; of the product of 2 x: 8 times the others' product.
    output, pullback = jax.vjp(lambda x_n: 2 * x_n, X_N)
    loss_k, gradient_kn = pareto.by_vjps(output, pullback, losses_of)
    np.testing.assert_allclose(loss_k, losses_of(2 * X_N))
    wanted_kn = np.array([[4.0, -16.0, 8.0], [-16.0, 4.0, -8.0]])
    np.testing.assert_allclose(gradient_kn, wanted_kn)
    seen = pareto.observe_gradients({'x': gradient_kn})
    np.testing.assert_allclose(seen.gramian_kk, wanted_kn @ wanted_kn.T)
    np.testing.assert_allclose(
      pareto.alignment_by_jvp(lambda x_n: 2 * x_n, losses_of, X_N),
      seen.alignment_k,
    )


class LeavesTest(absltest.TestCase):
  def test_none(self):
    with self.assertRaisesRegex(ValueError, 'no gradients'):
      pareto.gramian({})

  def test_of_unlike_k(self):
    for other in (jnp.ones((1, 4)), jnp.ones(())):
      with self.assertRaisesRegex(ValueError, 'same leading K'):
        pareto.gramian({'a': jnp.ones((3, 2)), 'b': other})

  def test_weights_in_a_list(self):
    np.testing.assert_allclose(
      pareto.combine(jnp.asarray([[1.0, 2.0], [3.0, -1.0]]), [2.0, 1.0]),
      [5.0, 3.0],
    )


if __name__ == '__main__':
  absltest.main()
