import math

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax.modules import id_tower
from taiji_jax.rank import tower_step


class LogCtcvrTest(parameterized.TestCase):
  def test_equals_float64(self):
    grid = np.linspace(-12, 12, 25)
    click, conversion = np.meshgrid(grid, grid)
    p = 1 / (1 + np.exp(-click)) / (1 + np.exp(-conversion))
    log_p, log_not_p = tower_step.log_ctcvr(
      jnp.float32(click), jnp.float32(conversion)
    )
    np.testing.assert_allclose(log_p, np.log(p), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_not_p, np.log1p(-p), rtol=1e-4, atol=1e-6)

  @parameterized.product(click=(-200.0, 200.0), conversion=(-200.0, 200.0))
  def test_finite_far_out(self, click, conversion):
    values = tower_step.log_ctcvr(jnp.float32(click), jnp.float32(conversion))
    self.assertTrue(np.isfinite(values).all())
    for part in (0, 1):
      gradient = jax.grad(
        lambda x, part=part: tower_step.log_ctcvr(x[0], x[1])[part]
      )(jnp.float32([click, conversion]))
      self.assertTrue(np.isfinite(gradient).all())


class EsmmLossTest(absltest.TestCase):
  def test_golden(self):
    # All logits 0: pCTR = 1/2, pCTCVR = 1/4. Click loss: ln 2 each.
    # CTCVR: not bought -ln 3/4; clicked only -ln 3/4; bought ln 4.
    zero_b = jnp.zeros(3)
    total, count, parts = tower_step.esmm_loss(
      zero_b, zero_b, jnp.array([0, 1, 1]), jnp.array([0, 0, 1])
    )
    click = 3 * math.log(2)
    ctcvr = 2 * math.log(4 / 3) + math.log(4)
    self.assertAlmostEqual(float(parts['click_loss']), click, places=5)
    self.assertAlmostEqual(float(parts['ctcvr_loss']), ctcvr, places=5)
    self.assertAlmostEqual(float(total), click + ctcvr, places=5)
    self.assertEqual(float(count), 3.0)

  def test_conversion_without_click_is_none(self):
    logits = jnp.float32([0.3]), jnp.float32([-0.2])
    no = jnp.array([False])
    with_it, without = (
      tower_step.esmm_loss(*logits, no, jnp.array([label]))[0]
      for label in (True, False)
    )
    self.assertEqual(float(with_it), float(without))

  def test_sums_add_over_parts_of_a_batch(self):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 10)).astype(np.float32)
    click = rng.random(10) < 0.5
    both = click & (rng.random(10) < 0.5)
    whole = tower_step.esmm_loss(*logits, click, both)[0]
    parts = [
      tower_step.esmm_loss(*logits[:, s], click[s], both[s])[0]
      for s in (slice(0, 3), slice(3, 10))
    ]
    self.assertAlmostEqual(float(whole), float(sum(parts)), places=4)


class LossFnTest(absltest.TestCase):
  def test_learns_click_and_conversion_of_items(self):
    # Item 0 is never clicked, 1 clicked but not bought, 2 always bought.
    item_b = np.tile(np.arange(3, dtype=np.int32), 8)
    batch = {
      'profile_bf': np.zeros((24, 1), np.int32),
      'history_bs': np.full((24, 2), -1, np.int32),
      'item_b': item_b,
      'click_b': item_b > 0,
      'conversion_b': item_b == 2,
    }
    config = id_tower.IdTowerConfig(3, (1,), (), width=4, mlp_widths=(8,))
    category_nl = np.zeros((3, 0), np.int32)
    tower = id_tower.IdTower(config)
    inputs = batch['profile_bf'], batch['history_bs'], item_b, category_nl
    params = tower.init(jax.random.key(0), *inputs)['params']
    loss_fn = tower_step.make_loss_fn(config, category_nl)
    tx = optax.adam(0.05)

    @jax.jit
    def step(params, opt):
      gradient, metrics = jax.grad(loss_fn, has_aux=True)(params, batch)
      updates, opt = tx.update(gradient, opt, params)
      return optax.apply_updates(params, updates), opt, metrics

    opt = tx.init(params)
    for _ in range(150):
      params, opt, metrics = step(params, opt)
    self.assertLess(float(metrics['loss']), 0.1)
    self.assertAlmostEqual(
      float(metrics['loss']),
      float(metrics['click_loss'] + metrics['ctcvr_loss']),
      places=5,
    )
    click_b, conversion_b = tower.apply({'params': params}, *inputs)
    self.assertLess(float(click_b[0]), -2)
    self.assertGreater(float(click_b[1]), 2)
    self.assertLess(float(conversion_b[1]), -2)
    self.assertGreater(float(conversion_b[2]), 2)


if __name__ == '__main__':
  absltest.main()
