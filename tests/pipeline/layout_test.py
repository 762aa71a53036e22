from absl.testing import absltest, parameterized
from jax.sharding import AbstractMesh

from experiments.configs.taiji import amazon_scientific_cpu
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Arm, Plan, layout
from taiji_jax.pipeline import recipe as recipe_lib

ARMS = {
  'sft': Arm('backbone', 'rupr'),
  'popo': Arm('sft', overrides={}),
}
SMALL = {
  'num_layers': 2,
  'width': 24,
  'num_heads': 4,
  'num_kv_heads': 2,
  'mlp_width': 24,
}


def mesh(data=1, fsdp=1, tensor=1):
  return AbstractMesh((data, fsdp, tensor), ('data', 'fsdp', 'tensor'))


def recipe(**batches):
  config = amazon_scientific_cpu.get_config()
  with config.unlocked():
    config.model = SMALL
    config.tokenizer.vocab_size = 320
    given = {'sft': 12, 'pretrain': 12, 'prompts': 12, 'cot': 12} | batches
    for section in ('sft', 'pretrain', 'cot'):
      config[section].batch = given[section]
    config.rl.prompts = given['prompts']
  return recipe_lib.from_config(config)


class LayoutTest(parameterized.TestCase):
  def check(self, own, training, rollouts=None, arms=ARMS):
    layout.check(own, Plan('t', arms, (0,), (0,)), training, rollouts)

  @parameterized.parameters(
    (mesh(), None),
    (mesh(2, 2), None),
    (mesh(2, 2), mesh(2, 1, 2)),
    (mesh(1, 4), mesh(4)),
  )
  def test_fits(self, training, rollouts):
    self.check(recipe(), training, rollouts)

  @parameterized.parameters('sft', 'pretrain', 'prompts', 'cot')
  def test_a_batch_that_does_not_divide(self, name):
    field = 'rl.prompts' if name == 'prompts' else f'{name}.batch'
    own = recipe(**{name: 10})
    with self.assertRaisesRegex(UserError, f'^{field} is 10, which does not'):
      self.check(own, mesh(2, 2))
    self.check(own, mesh(2))

  @parameterized.parameters('prompts', 'cot')
  def test_on_the_rollouts_mesh(self, name):
    field = 'rl.prompts' if name == 'prompts' else f'{name}.batch'
    own = recipe(**{name: 10})
    with self.assertRaisesRegex(UserError, f'rollout_mesh: {field} is 10'):
      self.check(own, mesh(2, 1, 2), mesh(4))

  def test_what_no_arm_uses_may_be_of_any_size(self):
    own = recipe(cot=10)
    self.check(own, mesh(4), arms={'sft': Arm(data='reasoning')})

  def test_a_parameter_that_does_not_divide(self):
    with self.assertRaisesRegex(
      UserError, r'24 does not divide by mesh.fsdp=5'
    ):
      self.check(recipe(sft=20, pretrain=20, prompts=20, cot=20), mesh(1, 5))
    with self.assertRaisesRegex(
      UserError, 'rollout_mesh: parameter .*tensor=5'
    ):
      own = recipe(sft=20, pretrain=20, prompts=20, cot=20)
      self.check(own, mesh(5), mesh(1, 1, 5))

  def test_another_number_of_devices(self):
    with self.assertRaisesRegex(UserError, 'rollout_mesh has 2 devices and'):
      self.check(recipe(), mesh(4), mesh(2))


if __name__ == '__main__':
  absltest.main()
