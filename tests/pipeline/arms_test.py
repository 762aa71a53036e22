import json

from absl.testing import absltest, parameterized

from taiji_jax.errors import UserError
from taiji_jax.pipeline.arms import Arm, Plan

ARMS = {
  'backbone': Arm('backbone'),
  'teacher': Arm('teacher'),
  'sft': Arm('backbone', 'rupr'),
  'orft': Arm('backbone', 'rupr', 'kept'),
  'popo': Arm('orft', overrides={'weighting': 'popo'}),
}
PLAN = Plan('t', ARMS, sft_seeds=(3, 5), rl_seeds=(0, 1, 2))


class PlanTest(parameterized.TestCase):
  def test_cells_go_seed_by_seed(self):
    self.assertEqual(
      PLAN.cells(),
      [
        ('backbone', 0),
        ('teacher', 0),
        ('sft', 3),
        ('orft', 3),
        ('sft', 5),
        ('orft', 5),
        ('popo', 0),
        ('popo', 1),
        ('popo', 2),
      ],
    )

  @parameterized.parameters((0, 3), (1, 5), (2, 3))
  def test_reinforcement_takes_its_bases_seeds_in_turn(self, seed, start):
    self.assertEqual(PLAN.start_of('popo', seed), start)

  def test_a_chain_ends_where_training_begins(self):
    self.assertEqual(PLAN.chain('popo'), [ARMS['popo'], ARMS['orft']])
    self.assertEqual(PLAN.chain('sft'), [ARMS['sft']])

  def test_comes_back_from_json(self):
    overrides = {'fixed_weights': (0.5, 0.5)}
    arms = ARMS | {'fixed': Arm('orft', overrides=overrides)}
    for plan in (PLAN, Plan('t', arms, (3, 5), (0,))):
      self.assertEqual(Plan.from_json(plan.to_json()), plan)
      text = json.dumps(plan.to_json())
      self.assertEqual(Plan.from_json(json.loads(text)), plan)

  def test_unknown_arms_and_seeds(self):
    with self.assertRaisesRegex(UserError, "no arm 'grpo'; choose among back"):
      PLAN.get('grpo')
    with self.assertRaisesRegex(UserError, "'popo' has no seed 7; .*0, 1, 2"):
      PLAN.seed_of('popo', 7)
    self.assertEqual(PLAN.seed_of('sft'), 3)
    self.assertEqual(PLAN.seed_of('sft', 5), 5)

  def test_an_arm_is_taught_or_reinforced(self):
    with self.assertRaisesRegex(ValueError, 'make two of it'):
      Arm('sft', 'rupr', overrides={})

  @parameterized.parameters('temperature', 'share_prompt')
  def test_what_all_arms_sample_with_is_no_override(self, field):
    with self.assertRaisesRegex(ValueError, f'rl.{field} is the same for all'):
      Arm('backbone', overrides={field: 0.5})

  @parameterized.parameters('', 'teacher')
  def test_reinforcement_needs_a_model(self, base):
    with self.assertRaisesRegex(ValueError, 'make its base the backbone or an'):
      Arm(base, overrides={})

  def test_a_base_stands_before_its_arm(self):
    with self.assertRaisesRegex(ValueError, "'popo' begins with 'sft', which"):
      Plan('t', {'popo': Arm('sft', overrides={})}, (0,), (0,))

  def test_the_backbone_is_reinforced_without_an_arm_of_its_own(self):
    plan = Plan('t', {'popo': Arm('backbone', overrides={})}, (0,), (0, 3))
    self.assertEqual(plan.start_of('popo', 3), 0)

  def test_an_arm_without_training_is_its_bases_model(self):
    arms = ARMS | {
      'sft_held': Arm('sft', held=True),
      'popo_all': Arm('popo', seeds=2),
      'popo_held': Arm('popo_all', held=True),
    }
    plan = Plan('t', arms, sft_seeds=(3, 5), rl_seeds=(0, 1, 2))
    self.assertEqual(plan.seeds('sft_held'), (3, 5))
    self.assertEqual(plan.seeds('popo_held'), (0, 1))
    self.assertEqual(plan.start_of('popo_held', 1), 1)
    # popo 1 began with orft 5, and so did what is asked of it.
    self.assertEqual(plan.origin('popo_held', 1), 5)
    self.assertEqual(plan.origin('sft_held', 3), 3)
    self.assertTrue(plan.after_reinforcement('popo_all'))
    self.assertFalse(plan.after_reinforcement('sft_held'))
    cells = plan.cells()
    self.assertLess(cells.index(('sft_held', 5)), cells.index(('popo', 0)))

  def test_few_seeds_and_an_own_teacher_comes_last(self):
    arms = {
      'asked': Arm('backbone', 'rupr', cot={'teacher': 'openai'}),
      'few': Arm('backbone', 'mbr', seeds=1),
      'popo': Arm('few', overrides={}),
    }
    plan = Plan('t', arms, sft_seeds=(0, 1), rl_seeds=(4,))
    self.assertEqual(
      plan.cells(), [('few', 0), ('popo', 4), ('asked', 0), ('asked', 1)]
    )
    self.assertEqual(plan.start_of('popo', 4), 0)

  def test_prompts_are_inherited_and_may_be_changed_again(self):
    arms = {
      'open': Arm('backbone', 'mbr', prompt={'candidates': 0}),
      'held': Arm('open', held=True),
      'popo': Arm(
        'open', overrides={}, prompt={'candidate_order': 'likeliest'}
      ),
      'shown': Arm('popo', prompt={'candidates': 3}),
    }
    plan = Plan('t', arms, (0,), (0,))
    self.assertEqual(plan.prompt_of('held'), {'candidates': 0})
    self.assertEqual(
      plan.prompt_of('shown'), {'candidates': 3, 'candidate_order': 'likeliest'}
    )
    self.assertEqual(Plan.from_json(plan.to_json()), plan)

  def test_a_checkpoint_is_no_teacher_of_one_arm(self):
    with self.assertRaisesRegex(ValueError, "own teacher is 'openai' or"):
      Arm('backbone', 'rupr', cot={'teacher': 'model'})

  def test_some_arms_with_what_they_begin_with(self):
    plan = PLAN.only(['popo', 'backbone'])
    self.assertEqual(list(plan.arms), ['backbone', 'orft', 'popo'])
    with self.assertRaisesRegex(UserError, "no arm 'grpo'"):
      PLAN.only(['grpo'])

  def test_another_reasoning_needs_scored_data(self):
    for changes in ({'reasoning': 'none'}, {'cot': {'samples': 1}}):
      with self.assertRaisesRegex(ValueError, 'no scored data whose reasoning'):
        Arm('backbone', 'reasoning', **changes)


if __name__ == '__main__':
  absltest.main()
