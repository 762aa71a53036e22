"""Every rule against its own row of the README's table, cell by cell.

A cell that promises something must hold on all gradients here; one that says
that a rule has not a property needs at least one witness here.
"""

import dataclasses

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from tests.pareto.battery import (
  KINDS,
  RULES,
  SEES_GRADIENTS,
  TABLE,
  TOLERANCE,
  TRACES,
  WIDTH,
  gradients,
  jitted,
  make,
  observe,
  run,
  step,
  weigh,
)


def same_way(a_p: np.ndarray, b_p: np.ndarray, sign: bool = True) -> bool:
  cosine = a_p @ b_p / (np.linalg.norm(a_p) * np.linalg.norm(b_p))
  return (cosine if sign else abs(cosine)) > 1 - 1e-5


def least_cosine(rule: str, jacobian_kp: np.ndarray) -> float:
  step_p = step(rule, jacobian_kp)
  length = np.linalg.norm(step_p)
  if length < 1e-3 * np.linalg.norm(jacobian_kp):
    return 0.0
  product_k = jacobian_kp @ step_p / np.linalg.norm(jacobian_kp, axis=-1)
  return product_k.min() / length


class TableTest(absltest.TestCase):
  def test_has_every_public_rule(self):
    named = set(pareto.__all__) - {'finite_objectives', 'objective_gradients'}
    rules = {
      n for n in named if n.islower() and callable(getattr(pareto, n))
    } - {'gramian'}
    made = {n for n in rules if not _needs_arguments(n)}
    self.assertEqual(made, set(RULES))
    self.assertEqual({rule.__name__ for rule in pareto.RULES}, made)

  def test_rules_say_what_they_read(self):
    for rule in RULES:
      cell = TABLE[rule]['reads']
      of_gradients = 'Gramian' in cell or 'alignment' in cell
      want = 'gradients' if of_gradients else cell
      self.assertEqual(make(rule).reads, want, rule)
      self.assertEqual(pareto.cached(make(rule)).reads, want, rule)


def _needs_arguments(name: str) -> bool:
  try:
    return not isinstance(getattr(pareto, name)(), pareto.Weighting)
  except TypeError:
    return True


class WeightsTest(parameterized.TestCase):
  @parameterized.parameters(*RULES)
  def test_range(self, rule: str):
    kind = TABLE[rule]['weights']
    self.assertIn(kind, ('simplex', 'sum 1', '>= 0', 'any'))
    seen = []
    for k in KINDS:
      weights_k = run(rule, [gradients(4, 3), gradients(4, k)])
      self.assertEqual(weights_k.dtype, np.float32)
      self.assertEqual(weights_k.shape, (4,))
      seen.append(weights_k)
    least = min(w.min() for w in seen)
    sums = max(abs(w.sum() - 1) for w in seen)
    self.assertEqual(least >= 0, kind in ('simplex', '>= 0'))
    self.assertEqual(sums < 1e-5, kind in ('simplex', 'sum 1'))

  @parameterized.parameters(*RULES)
  def test_one_objective(self, rule: str):
    weights_k = weigh(rule, gradients(1, 0))
    if TABLE[rule]['weights'] in ('simplex', 'sum 1'):
      np.testing.assert_allclose(weights_k, [1.0], rtol=1e-6)
    self.assertGreater(weights_k[0], 0)

  @parameterized.parameters(*RULES)
  def test_order(self, rule: str):
    order_k = np.array([2, 0, 3, 1])
    holds = []
    for k in KINDS:
      history = [gradients(4, k), gradients(4, 3), gradients(4, k)]
      plain_k = run(rule, history)
      moved_k = run(rule, [jacobian_kp[order_k] for jacobian_kp in history])
      holds.append(np.allclose(moved_k, plain_k[order_k], TOLERANCE, TOLERANCE))
    self.assertEqual(all(holds), TABLE[rule]['order'] == 'yes')

  @parameterized.parameters(*RULES)
  def test_preference(self, rule: str):
    observation = observe(gradients(4, 0))
    wanted_k = jnp.asarray([0.7, 0.1, 0.1, 0.1], jnp.float32)
    asked = dataclasses.replace(observation, preference_k=wanted_k)
    state = make(rule).init(4)
    plain_k, _ = jitted(rule, 4)(observation, state)
    asked_k, _ = jitted(rule, 4)(asked, state)
    has = TABLE[rule]['preference'] == 'yes'
    self.assertEqual(not np.allclose(plain_k, asked_k, atol=1e-3), has)
    if has:
      own = getattr(pareto, rule)(np.asarray(wanted_k) * 5)
      unasked = dataclasses.replace(observation, preference_k=None)
      own_k, _ = jax.jit(own.update)(unasked, own.init(4))
      np.testing.assert_allclose(own_k, asked_k, rtol=1e-5, atol=1e-6)

  @parameterized.parameters(*RULES)
  def test_state(self, rule: str):
    leaves = jax.tree.leaves(make(rule).init(3))
    self.assertEqual(bool(leaves), TABLE[rule]['state'] != 'none')
    for leaf in leaves:
      self.assertIsInstance(leaf, jax.Array)


class DirectionTest(parameterized.TestCase):
  @parameterized.parameters(*SEES_GRADIENTS)
  def test_conflicts(self, rule: str):
    cell = TABLE[rule]['conflicts']
    self.assertIn(cell, ('never', 'K = 2', 'may'))
    pairs = [least_cosine(rule, gradients(2, k)) for k in KINDS]
    many = [least_cosine(rule, gradients(4, k)) for k in KINDS]
    free = [min(pairs) > -TOLERANCE, min(many) > -TOLERANCE]
    expected = {
      'never': [True, True], 'K = 2': [True, False], 'may': [False, False]
    }  # fmt: skip
    self.assertEqual(free, expected[cell])

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_common_scale(self, rule: str):
    holds = [
      same_way(
        step(rule, gradients(4, k)), step(rule, factor * gradients(4, k))
      )
      for k in KINDS
      for factor in (2.0, 1e-3)
    ]
    self.assertEqual(all(holds), TABLE[rule]['common scale'] == 'yes')

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_one_scale(self, rule: str):
    cell = TABLE[rule]['one scale']
    pairs = [
      (step(rule, gradients(4, k)), step(rule, scale_k1 * gradients(4, k)))
      for k in KINDS
      for scale_k1 in np.array([[[1], [30], [1], [1]], [[1], [1], [1], [50]]])
    ]
    signed = all(same_way(a, b) for a, b in pairs)
    unsigned = all(same_way(a, b, sign=False) for a, b in pairs)
    self.assertEqual(signed, cell == 'yes')
    self.assertEqual(unsigned, cell in ('yes', 'up to sign'))

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_linear_under_scaling(self, rule: str):
    # A(diag(a + b) J) = A(diag(a) J) + A(diag(b) J) for positive a and b.
    a_k1 = np.array([1.0, 2.0, 0.5, 1.0])[:, None]
    b_k1 = np.array([0.5, 0.2, 3.0, 1.0])[:, None]
    holds = []
    for k in KINDS:
      jacobian_kp = gradients(4, k)
      parts_p = step(rule, a_k1 * jacobian_kp) + step(rule, b_k1 * jacobian_kp)
      whole_p = step(rule, (a_k1 + b_k1) * jacobian_kp)
      gap = np.linalg.norm(whole_p - parts_p)
      holds.append(gap < TOLERANCE * np.linalg.norm(jacobian_kp))
    self.assertEqual(all(holds), TABLE[rule]['linear'] == 'yes')

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_opposed(self, rule: str):
    row_p = gradients(1, 0)[0]
    jacobian_kp = np.stack([row_p, -2 * row_p])
    weights_k = weigh(rule, jacobian_kp)
    self.assertTrue(np.isfinite(weights_k).all())
    length = np.linalg.norm(jacobian_kp.T @ weights_k)
    spent = np.abs(weights_k) @ np.linalg.norm(jacobian_kp, axis=-1)
    stops = length < TOLERANCE * max(spent, np.linalg.norm(row_p))
    self.assertEqual(stops, TABLE[rule]['(g, -2g)'] == 'stops')

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_zero_gradient(self, rule: str):
    cell = TABLE[rule]['zero']
    self.assertIn(cell, ('stops', 'absent', 'other'))
    stops, absent = [], []
    for k in KINDS:
      rest_kp = gradients(3, k)
      whole_kp = np.concatenate([rest_kp, np.zeros((1, WIDTH))])
      self.assertTrue(np.isfinite(weigh(rule, whole_kp)).all())
      step_p = step(rule, whole_kp)
      length = np.linalg.norm(step_p) / np.linalg.norm(rest_kp)
      stops.append(length < TOLERANCE)
      absent.append(length > 0 and same_way(step_p, step(rule, rest_kp)))
    self.assertEqual(all(stops), cell == 'stops')
    self.assertEqual(all(absent), cell == 'absent')

  @parameterized.parameters(*SEES_GRADIENTS)
  def test_copy(self, rule: str):
    same = []
    for k in KINDS:
      rest_kp = gradients(3, k)
      whole_kp = np.concatenate([rest_kp, rest_kp[:1]])
      weights_k = weigh(rule, whole_kp)
      self.assertTrue(np.isfinite(weights_k).all())
      if TABLE[rule]['order'] == 'yes':
        # The jitter 1e-5 alone tells copies apart: in float32 their shares are
        # known to a few times 1.2e-7 / 1e-5; processors round differently.
        np.testing.assert_allclose(weights_k[0], weights_k[3], 0.1)
      same.append(same_way(step(rule, whole_kp), step(rule, rest_kp)))
    self.assertEqual(all(same), TABLE[rule]['copy'] == 'same')


class TransformTest(parameterized.TestCase):
  @parameterized.parameters(*RULES)
  def test_jit_equals_no_jit(self, rule: str):
    history = [gradients(4, 1), gradients(4, 2)]
    with jax.disable_jit():
      plain_k = run(rule, history, update=make(rule).update)
    np.testing.assert_allclose(run(rule, history), plain_k, 1e-4, 1e-6)

  @parameterized.parameters(*RULES)
  def test_one_trace(self, rule: str):
    state = make(rule).init(4)
    for k in KINDS:
      _, after = jitted(rule, 4)(observe(gradients(4, k)), state)
      chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
      state = after
    self.assertEqual(TRACES[rule, 4], 1)

  @parameterized.parameters(*RULES)
  def test_constant_inside_a_loss(self, rule: str):
    observation, state = observe(gradients(4, 1)), make(rule).init(4)

    def loss(scale: jax.Array) -> jax.Array:
      seen = jax.tree.map(lambda x: scale * x, observation)
      weights_k, after = make(rule).update(seen, state)
      kept = [x.sum() for x in jax.tree.leaves(after) if x.dtype == jnp.float32]
      return weights_k @ jnp.arange(4.0) + sum(kept)

    self.assertEqual(jax.jit(jax.grad(loss))(1.5), 0.0)

  @parameterized.parameters(*RULES)
  def test_vmap_in_bfloat16(self, rule: str):
    half = [observe(gradients(4, k), jnp.bfloat16) for k in KINDS]
    full = jax.tree.map(lambda x: x.astype(jnp.float32), half)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *half)
    state = make(rule).init(4)
    update = jax.jit(jax.vmap(make(rule).update, (0, None)))
    weights_nk, _ = update(stacked, state)
    one_nk = jnp.stack([jitted(rule, 4)(o, state)[0] for o in full])
    self.assertEqual(weights_nk.dtype, jnp.float32)
    np.testing.assert_allclose(weights_nk, one_nk, rtol=1e-3, atol=1e-5)


if __name__ == '__main__':
  # The battery compiles much and runs little.
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
