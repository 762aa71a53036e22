import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules.rq_vae import RqVae, RqVaeConfig
from taiji_jax.semantic_ids import rq_vae_step
from tests.semantic_ids import made

VECTORS = made.vectors(80)


def started(config):
  network = RqVae(RqVaeConfig(6, config.hidden, config.code_width))
  tx = config.optimizer().make()
  state = jax.jit(
    lambda x: rq_vae_step.begin(network, config, tx, x)
  )(VECTORS[:40])  # fmt: skip
  step = rq_vae_step.rq_vae_step(network, config, tx, len(VECTORS))
  return network, state, jax.jit(chex.assert_max_traces(step, n=1))


def run(step, state, steps):
  rows = []
  for i in range(steps):
    batch = {'vector_bd': VECTORS[40 * (i % 2) : 40 * (i % 2) + 40]}
    state, metrics = step(state, batch, VECTORS)
    rows.append({k: float(v) for k, v in metrics.items()})
  return state, rows


class CollisionShareTest(absltest.TestCase):
  def test_golden(self):
    # Three different IDs of five items.
    code_nl = jnp.array([[0, 1], [1, 0], [0, 1], [1, 1], [1, 0]])
    self.assertAlmostEqual(
      float(rq_vae_step.collision_share(code_nl)), 0.4, places=6
    )
    self.assertEqual(float(rq_vae_step.collision_share(code_nl[:1])), 0.0)


class StepTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    chex.clear_trace_counter()

  @parameterized.parameters(False, True)
  def test_learns(self, ema):
    _, state, step = started(made.config('rq_vae', ema=ema, steps=200, lr=1e-2))
    before = np.asarray(rq_vae_step.codebooks(state.params, state.ema))
    state, rows = run(step, state, 200)
    self.assertLess(rows[-1]['reconstruction'], 0.4 * rows[0]['reconstruction'])
    self.assertGreater(rows[-1]['codes_used'], 0.5)
    after = np.asarray(rq_vae_step.codebooks(state.params, state.ema))
    self.assertGreater(np.abs(after - before).max(), 1e-2)
    self.assertEqual('codebook_lkd' in state.params, not ema)

  def test_keeps_the_step_with_the_fewest_collisions(self):
    config = made.config(
      'rq_vae', steps=30, check_every=5, check_from=0.0, lr=0.1
    )
    network, state, step = started(config)
    shares = []
    for i in range(1, 31):
      state, rows = run(step, state, 1)
      if i % 5:
        continue
      shares.append(rows[0]['best_collisions'])
    self.assertTrue((np.diff(shares) <= 0).all())
    self.assertLess(shares[-1], 1)
    # The parameters that were kept collide as was said.
    z_nd = network.apply(
      {'params': state.best['network']}, VECTORS, method='encode'
    )
    rest_nd, code_nl = z_nd, []
    for codebook_kd in state.best['codebook_lkd']:
      code_nl.append(((rest_nd[:, None] - codebook_kd) ** 2).sum(-1).argmin(1))
      rest_nd = rest_nd - codebook_kd[code_nl[-1]]
    share = rq_vae_step.collision_share(jnp.stack(code_nl, 1))
    self.assertAlmostEqual(float(share), shares[-1], places=6)

  def test_no_check_before_its_time_but_one_at_the_end(self):
    config = made.config('rq_vae', steps=12, check_every=5, check_from=0.9)
    _, state, step = started(config)
    state, rows = run(step, state, 12)
    found = [row['best_collisions'] for row in rows]
    self.assertEqual(found[:11], [1.0] * 11)
    self.assertLess(found[11], 1.0)

  @parameterized.parameters(False, True)
  def test_dead_codes_are_put_on_the_batch(self, ema):
    config = made.config('rq_vae', ema=ema, revive_every=1, lr=1e-6)
    network, state, step = started(config)
    # A code of level 0 that no item is near.
    far = rq_vae_step.codebooks(state.params, state.ema).at[0, 3].set(1e3)
    if ema:
      sums = state.ema.count_lk[..., None] * far
      state = state.replace(ema=state.ema.replace(sum_lkd=sums))
    else:
      state = state.replace(params={**state.params, 'codebook_lkd': far})
    z_nd = network.apply(
      {'params': state.params['network']}, VECTORS[:40], method='encode'
    )
    state, _ = run(step, state, 1)
    code_d = np.asarray(rq_vae_step.codebooks(state.params, state.ema))[0, 3]
    square_n = np.sum((np.asarray(z_nd) - code_d) ** 2, 1)
    self.assertLess(square_n.min(), 1e-3)

  def test_a_loss_that_is_not_finite_changes_nothing(self):
    _, state, step = started(made.config('rq_vae'))
    batch = {'vector_bd': np.full((40, 6), np.nan, np.float32)}
    new, metrics = step(state, batch, VECTORS)
    self.assertFalse(np.isfinite(metrics['loss']))
    chex.assert_trees_all_equal(new, state)


if __name__ == '__main__':
  absltest.main()
