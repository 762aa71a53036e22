"""Every rule on wrong input: an error with the value, or a defined answer."""

import dataclasses

from absl.testing import absltest, parameterized
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
  WIDTH,
  gradients,
  jitted,
  make,
  observe,
  run,
  weigh,
)


class BadInputTest(parameterized.TestCase):
  @parameterized.parameters(*RULES)
  def test_not_finite(self, rule: str):
    for bad in (np.nan, np.inf):
      whole_kp = np.insert(gradients(3, 1), 1, bad, axis=0)
      before_kp = np.insert(gradients(3, 2), 1, 0.3, axis=0)
      weights_k = run(rule, [before_kp, whole_kp])
      self.assertTrue(np.isfinite(weights_k).all(), weights_k)
      if TABLE[rule]['NaN'] == 'left out':
        self.assertEqual(weights_k[1], 0.0)
        self.assertGreater(np.abs(weights_k).sum(), 0.0)
      else:
        self.assertEqual(TABLE[rule]['NaN'], 'not seen')
        np.testing.assert_array_equal(weights_k, run(rule, [before_kp]))
      seen = pareto.finite_objectives(observe(whole_kp).gramian_kk)
      np.testing.assert_array_equal(seen, [True, False, True, True])

  @parameterized.parameters(
    *(
      rule
      for rule in SEES_GRADIENTS
      if TABLE[rule]['NaN'] == 'left out' and TABLE[rule]['order'] == 'yes'
    )
  )
  def test_others_are_weighed_as_if_alone(self, rule: str):
    for k in KINDS:
      rest_kp = gradients(3, k)
      whole_kp = np.insert(rest_kp, 1, np.nan, axis=0)
      np.testing.assert_allclose(
        np.delete(weigh(rule, whole_kp), 1),
        weigh(rule, rest_kp),
        rtol=TOLERANCE,
        atol=1e-5,
      )

  @parameterized.parameters(*RULES)
  def test_all_zero_and_all_nan(self, rule: str):
    for value in (0.0, np.nan):
      weights_k = weigh(rule, np.full((4, WIDTH), value))
      self.assertTrue(np.isfinite(weights_k).all(), weights_k)
      np.testing.assert_allclose(weights_k, weights_k[0], rtol=1e-6)

  @parameterized.parameters(*RULES)
  def test_impossible_gramian(self, rule: str):
    # Neither symmetric nor positive semi-definite.
    matrix_kk = np.array(
      [[1, 3, -2, 0], [5, 1, 3, 1], [-9, 3, -1, 2], [0, 2, 2, 1]]
    )
    observation, mirrored = (
      dataclasses.replace(
        observe(gradients(4, 0)), gramian_kk=jnp.asarray(m, jnp.float32)
      )
      for m in (matrix_kk, (matrix_kk + matrix_kk.T) / 2)
    )
    weights_k, _ = jitted(rule, 4)(observation, make(rule).init(4))
    again_k, _ = jitted(rule, 4)(mirrored, make(rule).init(4))
    self.assertTrue(np.isfinite(weights_k).all(), weights_k)
    np.testing.assert_allclose(weights_k, again_k, rtol=1e-6)

  @parameterized.parameters(*RULES)
  def test_no_objective(self, rule: str):
    with self.assertRaisesRegex(ValueError, f'{rule}.* objective'):
      make(rule).init(0)

  @parameterized.parameters(*(r for r in RULES if r != 'fixed'))
  def test_missing_field(self, rule: str):
    with self.assertRaisesRegex(ValueError, f'{rule} needs Observation'):
      make(rule).update(pareto.Observation(), make(rule).init(2))

  @parameterized.parameters(
    *(r for r in RULES if 'Gramian' in TABLE[r]['reads'])
  )
  def test_not_square(self, rule: str):
    for shape in ((2, 3), (4,), (0, 0), (2, 2, 2)):
      observation = pareto.Observation(gramian_kk=jnp.ones(shape))
      with self.assertRaisesRegex(ValueError, rf'{rule}: a Gramian of shape'):
        make(rule).update(observation, make(rule).init(2))

  @parameterized.parameters(*(r for r in RULES if r != 'fixed'))
  def test_state_of_other_objectives(self, rule: str):
    if TABLE[rule]['state'] in ('none', 'key'):
      rule_of_three = pareto.cached(make(rule))
    else:
      rule_of_three = make(rule)
    state = rule_of_three.init(3)
    for size in (1, 2, 4):
      with self.assertRaisesRegex(ValueError, f'{size} objectives .* 3;'):
        seen = observe(gradients(size, 0))
        jax.eval_shape(rule_of_three.update, seen, state)

  @parameterized.parameters('popo', 'min_norm', 'popo_light', 'dwa', 'fixed')
  def test_lists_and_tuples(self, rule: str):
    whole = observe(gradients(2, 1))
    state = make(rule).init(2)
    listed, tupled = (
      pareto.Observation(**{
        field.name: kind(np.asarray(getattr(whole, field.name)).tolist())
        for field in dataclasses.fields(whole)
      })
      for kind in (list, tuple)
    )  # fmt: skip
    wanted_k, _ = jitted(rule, 2)(whole, state)
    found_k, _ = make(rule).update(listed, state)
    np.testing.assert_allclose(found_k, wanted_k, rtol=1e-5)
    # Traced, it is a tuple of tracers.
    found_k, _ = jax.jit(make(rule).update)(tupled, state)
    np.testing.assert_allclose(found_k, wanted_k, rtol=1e-5)

  @parameterized.parameters(
    ('min_norm', {'gramian_kk': [[1.0, 2.0], [3.0]]}),
    ('popo', {'gramian_kk': 'popo'}),
    ('popo', {'alignment_k': [[1.0, 2.0]]}),
    ('popo', {'gramian_kk': jnp.eye(2), 'alignment_k': [1.0]}),
    ('dwa', {'loss_k': 1.0}),
    ('famo', {'loss_k': {'a': 1.0}}),
    ('popo_light', {'reward_bgk': [[1.0, 2.0]]}),
  )
  def test_no_array_of_the_shape(self, rule: str, fields):
    with self.assertRaisesRegex(ValueError, f'{rule}: '):
      make(rule).update(pareto.Observation(**fields), make(rule).init(2))

  @parameterized.parameters(
    *(r for r in RULES if TABLE[r]['preference'] == 'yes')
  )
  def test_preference(self, rule: str):
    factory = getattr(pareto, rule)
    for wrong in ((-1.0, 2.0), (0.0, 0.0), (np.nan, 1.0), ((1.0, 2.0),)):
      with self.assertRaisesRegex(ValueError, f'{rule}: .* finite numbers'):
        factory(wrong)
    unasked = dataclasses.replace(observe(gradients(2, 0)), preference_k=None)
    with self.assertRaisesRegex(ValueError, f'{rule}: .* 2 objectives'):
      short = factory((1.0, 1.0, 1.0))
      short.update(unasked, short.init(2))
    # Traced: a negative or NaN entry counts as 0, nothing left is uniform.
    for entries, meant in (
      ((-1.0, np.nan, 2.0), (0.0, 0.0, 1.0)),
      ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
      ((6.0, 2.0, 2.0), (0.6, 0.2, 0.2)),
    ):
      found_k, wanted_k = (
        jitted(rule, 3)(
          dataclasses.replace(
            observe(gradients(3, 0)), preference_k=jnp.asarray(p, jnp.float32)
          ),
          make(rule).init(3),
        )[0]
        for p in (entries, meant)
      )
      np.testing.assert_allclose(found_k, wanted_k, rtol=1e-5, atol=1e-6)


if __name__ == '__main__':
  # It compiles much and runs little.
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
