import math

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax.modules import id_tower
from taiji_jax.rank import tower_step
from taiji_jax.rank.counts import Counts
from taiji_jax.rank.network import Network


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


class ConversionLossTest(absltest.TestCase):
  def test_golden(self):
    # Logits of 3/4: -ln 3/4 where it converted, -ln 1/4 where not.
    logit_b = jnp.full(3, math.log(3))
    total, count = tower_step.conversion_loss(logit_b, jnp.array([1, 1, 0]))
    expected = 2 * math.log(4 / 3) + math.log(4)
    self.assertAlmostEqual(float(total), expected, places=5)
    self.assertEqual(float(count), 3.0)


def network_of(items, profiles, click_n, conversion_n):
  return Network(
    id_tower.IdTowerConfig(items, (profiles,), (), width=4, mlp_widths=(8,)),
    np.arange(profiles, dtype=np.int32)[:, None],
    np.zeros((items, 0), np.int32),
    Counts(np.array(click_n), np.array(conversion_n)),
  )


def trained(network, loss_fn, batch, steps=150):
  tx = optax.adam(0.05)

  @jax.jit
  def step(params, opt):
    gradient, metrics = jax.grad(loss_fn, has_aux=True)(params, batch)
    updates, opt = tx.update(gradient, opt, params)
    return optax.apply_updates(params, updates), opt, metrics

  params = jax.jit(lambda: network.init(0))()
  opt = tx.init(params)
  for _ in range(steps):
    params, opt, metrics = step(params, opt)
  return params, metrics


class LossFnTest(absltest.TestCase):
  def test_esmm_learns_click_and_conversion_of_items(self):
    # Item 0 is never clicked, 1 clicked but not bought, 2 always bought.
    item_b = np.tile(np.arange(3, dtype=np.int32), 8)
    batch = {
      'profile_bf': np.zeros((24, 1), np.int32),
      'history_bs': np.full((24, 2), -1, np.int32),
      'item_b': item_b,
      'click_b': item_b > 0,
      'conversion_b': item_b == 2,
    }
    network = network_of(3, 1, [0, 8, 8], [0, 0, 8])
    params, metrics = trained(
      network, tower_step.make_esmm_loss_fn(network), batch
    )
    self.assertLess(float(metrics['loss']), 0.1)
    self.assertAlmostEqual(
      float(metrics['loss']),
      float(metrics['click_loss'] + metrics['ctcvr_loss']),
      places=5,
    )
    click_b, conversion_b = network.tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      item_b,
      network.category_nl,
    )
    self.assertLess(float(click_b[0]), -2)
    self.assertGreater(float(click_b[1]), 2)
    self.assertLess(float(conversion_b[1]), -2)
    self.assertGreater(float(conversion_b[2]), 2)

  def test_in_batch_softmax_learns_who_clicks_what(self):
    # Profile 0 clicks item 0 three times as often as 1, profile 1 items 2 and
    # 3 alike; 1 and 3 convert.
    item_b = np.tile(np.int32([0, 0, 0, 1, 2, 3, 2, 3]), 3)
    batch = {
      'profile_bf': (item_b > 1).astype(np.int32)[:, None],
      'history_bs': np.full((24, 2), -1, np.int32),
      'item_b': item_b,
      'click_b': np.ones(24, bool),
      'conversion_b': item_b % 2 == 1,
    }
    network = network_of(4, 2, [9, 3, 6, 6], [0, 3, 0, 6])
    params, metrics = trained(
      network, tower_step.make_in_batch_loss_fn(network), batch
    )
    self.assertAlmostEqual(
      float(metrics['loss']),
      float(metrics['click_loss'] + metrics['conversion_loss']),
      places=5,
    )
    click_pn, conversion_pn = map(
      np.asarray,
      network.tower.apply(
        {'params': params},
        np.int32([[0], [1]]),
        np.full((2, 2), -1, np.int32),
        network.category_nl,
        method='score_all',
      ),
    )
    self.assertGreater(click_pn[0, :2].min(), click_pn[0, 2:].max() + 2)
    self.assertGreater(click_pn[1, 2:].min(), click_pn[1, :2].max() + 2)
    self.assertGreater(click_pn[0, 0], click_pn[0, 1] + 0.5)
    self.assertLess(conversion_pn[0, 0], -2)
    self.assertGreater(conversion_pn[0, 1], 2)

  def test_clicks_that_all_convert_train_no_conversion_head(self):
    network = network_of(2, 1, [3, 1], [3, 1])
    batch = {
      'profile_bf': np.zeros((2, 1), np.int32),
      'history_bs': np.full((2, 1), -1, np.int32),
      'item_b': np.int32([0, 1]),
      'conversion_b': np.ones(2, bool),
    }
    _, metrics = trained(
      network, tower_step.make_in_batch_loss_fn(network), batch, steps=1
    )
    self.assertEqual(set(metrics), {'loss', 'click_loss'})


if __name__ == '__main__':
  absltest.main()
