import math

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rank import contrastive

in_batch_loss = jax.jit(contrastive.in_batch_loss)


class InBatchLossTest(absltest.TestCase):
  def test_golden(self):
    # Shares of the clicks 1/2 and 1/4: corrected logits are ln 2 and ln 4 at
    # logits of 0, so context 0 has 2 / (2 + 4) and context 1 has 4 / (2 + 4).
    log_q = jnp.log(jnp.array([0.5, 0.25]))
    total, count = in_batch_loss(jnp.zeros((2, 2)), jnp.array([3, 5]), log_q)
    self.assertAlmostEqual(float(total), math.log(3) + math.log(1.5), places=5)
    self.assertEqual(float(count), 2.0)

  def test_the_same_item_elsewhere_is_no_negative(self):
    # Item 4 stands in two examples; each has item 7 as its only negative:
    # 1 / (1 + 1), and item 7 has both of them: 1 / (1 + 2).
    total, _ = in_batch_loss(
      jnp.zeros((3, 3)), jnp.array([4, 7, 4]), jnp.zeros(3)
    )
    expected = 2 * math.log(2) + math.log(3)
    self.assertAlmostEqual(float(total), expected, places=5)

  def test_gradients_are_finite_where_all_clicked_the_same(self):
    def loss(logit_bb):
      return in_batch_loss(logit_bb, jnp.zeros(3, jnp.int32), jnp.zeros(3))[0]

    value, gradient_bb = jax.jit(jax.value_and_grad(loss))(jnp.ones((3, 3)))
    self.assertEqual(float(value), 0.0)
    np.testing.assert_array_equal(gradient_bb, np.zeros((3, 3)))

  def test_log_shares_are_the_logits_of_clicks_that_no_context_explains(self):
    # All pairs of clicks, drawn by the shares: at logits of log share the
    # expected gradient vanishes with the correction, and only with it.
    share_n = np.array([0.6, 0.3, 0.1])
    item_qb = np.stack(np.meshgrid(*[np.arange(3)] * 2), -1).reshape(-1, 2)
    weight_q = share_n[item_qb].prod(-1)

    def gradient(correction):
      def loss(logit_n):
        def one(item_b):
          logit_bb = jnp.tile(logit_n[item_b], (2, 1))
          return in_batch_loss(
            logit_bb, item_b, correction * jnp.log(share_n)[item_b]
          )[0]

        return (jax.vmap(one)(item_qb) * weight_q).sum()

      return np.abs(jax.jit(jax.grad(loss))(jnp.log(jnp.array(share_n)))).max()

    self.assertLess(gradient(1.0), 1e-6)
    self.assertGreater(gradient(0.0), 0.1)


if __name__ == '__main__':
  absltest.main()
