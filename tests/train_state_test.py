import math

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import train_state
from taiji_jax.errors import UserError
from taiji_jax.train_state import OptimizerConfig


def rates(config, steps):
  """The size of each update by a constant gradient, which Adam scales to 1."""
  tx, params = config.make(), {'w': jnp.zeros(1)}
  state, found = tx.init(params), []
  for _ in range(steps):
    updates, state = tx.update({'w': jnp.full(1, 0.3)}, state, params)
    found.append(-float(updates['w'][0]))
  return found


class OptimizerTest(parameterized.TestCase):
  def test_constant_after_a_warmup(self):
    # Warm-up of 3 from lr / 4: 1/4, 2/4, 3/4 of the rate, then all of it.
    config = OptimizerConfig(lr=0.4, steps=8, warmup=3, schedule='constant')
    np.testing.assert_allclose(
      rates(config, 6), [0.1, 0.2, 0.3, 0.4, 0.4, 0.4], rtol=1e-4
    )

  def test_cosine(self):
    config = OptimizerConfig(lr=0.4, steps=5, warmup=1)
    cosine = [0.2 * (1 + math.cos(math.pi * i / 4)) for i in range(5)]
    np.testing.assert_allclose(
      rates(config, 6), [0.2, *cosine], rtol=1e-4, atol=1e-6
    )

  def test_decays_matrices_only(self):
    params = {
      'embedding': jnp.ones((2, 3)),
      'norm': {'scale': jnp.ones(3)},
      # Stacked over layers: two axes, and yet no matrices.
      'blocks': {'norm': {'scale': jnp.ones((4, 3))},
                 'dense': {'kernel': jnp.ones((4, 3, 3)),
                           'bias': jnp.ones((4, 3))}},
    }  # fmt: skip
    config = OptimizerConfig(
      lr=0.1, steps=9, schedule='constant', weight_decay=0.5
    )
    tx = config.make()
    zero = jax.tree.map(jnp.zeros_like, params)
    updates, _ = tx.update(zero, tx.init(params), params)
    decayed = jax.tree.map(lambda u: float(u.min()), updates)
    self.assertAlmostEqual(decayed['embedding'], -0.05, places=6)
    self.assertAlmostEqual(
      decayed['blocks']['dense']['kernel'], -0.05, places=6
    )
    for kept in (
      decayed['norm']['scale'],
      decayed['blocks']['norm']['scale'],
      decayed['blocks']['dense']['bias'],
    ):
      self.assertEqual(kept, 0)

  def test_clips_the_whole_gradient(self):
    # Adam forgets the scale, but not from one step to the next: after the norm
    # 1000 is cut to 1, the second gradient of norm 1 weighs as much.
    config = OptimizerConfig(lr=0.1, steps=9, schedule='constant')
    tx, params = config.make(), {'a': jnp.zeros(1), 'b': jnp.zeros(1)}
    state = tx.init(params)
    big = {'a': jnp.full(1, 600.0), 'b': jnp.full(1, 800.0)}
    small = {'a': jnp.full(1, 0.6), 'b': jnp.full(1, 0.8)}
    _, after_big = tx.update(big, state, params)
    _, after_small = tx.update(small, state, params)
    chex.assert_trees_all_close(after_big, after_small, rtol=1e-5)

  @parameterized.parameters(
    ({'lr': 0.0}, 'lr is 0.0'),
    ({'lr': float('nan')}, 'lr is nan'),
    ({'steps': 0}, 'steps is 0'),
    ({'clip_norm': -1.0}, 'clip_norm is -1.0'),
    ({'warmup': 11}, 'warmup is 11.*steps=10'),
    ({'schedule': 'linear'}, "'linear'; choose 'constant' or 'cosine'"),
    ({'weight_decay': -0.1}, 'weight_decay is -0.1'),
    ({'b2': 1.0}, 'b2 is 1.0'),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(UserError, message):
      OptimizerConfig(**({'lr': 0.1, 'steps': 10} | fields))


class AdvanceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.tx = OptimizerConfig(lr=0.1, steps=9).make()
    self.state = train_state.create(
      {'w': jnp.float32([1, 2])}, self.tx, 5, weighting=jnp.float32([0.5, 0.5])
    )

  def advance(self, gradient, finite):
    return jax.jit(
      lambda s, g, f: train_state.advance(s, self.tx, g, f, jnp.ones(2))
    )(self.state, gradient, finite)

  def test_moves_all_but_the_seed(self):
    new = self.advance({'w': jnp.float32([1, -1])}, True)
    self.assertEqual(int(new.step), 1)
    self.assertLess(float(new.params['w'][0]), 1)
    self.assertGreater(float(new.params['w'][1]), 2)
    np.testing.assert_array_equal(new.weighting, [1, 1])
    self.assertEqual(int(new.seed), 5)

  def test_nonfinite_keeps_the_whole_state(self):
    new = self.advance({'w': jnp.float32([np.nan, np.inf])}, False)
    chex.assert_trees_all_equal(new, self.state)

  def test_same_types(self):
    new = self.advance({'w': jnp.float32([1, -1])}, True)
    chex.assert_trees_all_equal_shapes_and_dtypes(new, self.state)
    weak = [x.weak_type for x in jax.tree.leaves(self.state)]
    self.assertFalse(any(weak))


if __name__ == '__main__':
  absltest.main()
