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
    self.assertEqual(Plan.from_json(PLAN.to_json()), PLAN)

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


if __name__ == '__main__':
  absltest.main()
