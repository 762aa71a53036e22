"""Keys of cells: what changes them, and what does not."""

import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from experiments import taiji_table
from experiments.configs.taiji import amazon_scientific_cpu
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import table
from taiji_jax.pipeline.arms import Arm, Plan
from taiji_jax.rl.rewards import Rewarded
from taiji_jax.types import Catalog, Rows

RECIPE = recipe_lib.from_config(amazon_scientific_cpu.get_config())
ARMS = taiji_table.plan(RECIPE).arms
REINFORCED = {
  name for name in ARMS if taiji_table.plan(RECIPE).after_reinforcement(name)
}


def stamps(plan=None, digest='d', **fields):
  config = amazon_scientific_cpu.get_config()
  with config.unlocked():
    config.update(fields)
  recipe = recipe_lib.from_config(config)
  plan = plan or Plan('taiji', ARMS, recipe.arms.sft_seeds, (0, 1))
  return table.stamps_of(recipe, plan, digest)


class StampsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'cot': {'search_least_fall': 0.0, 'guard': {'near': 0.75}}},),
    ({'mesh': {'data': 4}},),
    ({'name': 'another'},),
    ({'arms': {'rl_seeds': (0, 7)}},),
    ({'save_seconds': 5.0},),
    ({'data': {'path': '/elsewhere'}},),
    ({'retrieve': {'rows': 7}},),
  )
  def test_stay(self, fields):
    self.assertEqual(stamps(**fields), stamps())

  def test_a_field_that_deviates_changes_all(self):
    plain, other = stamps(), stamps(cot={'guard': {'near': 0.5}})
    for arm in ARMS:
      self.assertNotEqual(other[arm], plain[arm], arm)

  def test_other_data_are_told_apart(self):
    self.assertFalse(stamps()['popo'].fits(stamps(digest='e')['popo']))
    self.assertTrue(stamps(digest='')['popo'].fits(stamps()['popo']))

  @parameterized.parameters(
    ('rl', REINFORCED),
    ('sft', set(ARMS) - {'backbone'}),
    ('backbone', set(ARMS)),
    ('cot', set(ARMS) - {'backbone'}),
    ('candidates', set(ARMS)),
    ('evaluation', set(ARMS)),
    ('reasoning', set()),
  )
  def test_a_stages_revision_changes_what_follows_from_it(self, stage, arms):
    plain = stamps()
    number = table.REVISIONS[stage] + 1
    with mock.patch.dict(table.REVISIONS, {stage: number}):
      raised = stamps()
    changed = {arm for arm in ARMS if raised[arm] != plain[arm]}
    self.assertEqual(changed, arms)

  def test_the_backbone_scores_what_any_arm_is_taught(self):
    plan = Plan(
      't', {'a': Arm(data='rupr'), 'b': Arm(data='reasoning')}, (0,), ()
    )
    plain = stamps(plan)
    number = table.REVISIONS['backbone'] + 1
    with mock.patch.dict(table.REVISIONS, {'backbone': number}):
      raised = stamps(plan)
    changed = {arm for arm in plain if raised[arm] != plain[arm]}
    self.assertEqual(changed, {'a'})

  def test_where_tables_lie_is_no_part_of_a_key(self):
    def key(folder, **more):
      names = ('interactions', 'items', 'users')
      tables = {name: f'{folder}/{name}.csv' for name in names} | more
      data = {'source': 'tables', 'tables': tables}
      return stamps(data=data)['popo'].key

    self.assertEqual(key('here'), key('there'))
    self.assertNotEqual(key('here'), key('here', title='name'))

  def test_a_reward_that_is_not_known_has_no_value(self):
    def half_known(sampled, row_n):
      del row_n
      known_nk = np.array([[True], [False]])
      return Rewarded(np.array([[0.5], [0.0]]), known_nk, {})

    half_known.names = ('click',)
    run = mock.Mock()
    run.logs.split.evaluation = Rows(*(np.zeros(2, int),) * 3, np.zeros((2, 1)))
    run.logs.catalog = Catalog(('a',), ('A',), ((),))
    run.rewards.return_value = half_known
    reward = table._Judge(run).data.rewards(['x', 'y'])
    np.testing.assert_array_equal(reward['click'], [0.5, np.nan])

  def test_the_definition_of_an_arm_and_of_its_base_count(self):
    plain = stamps()
    mbr = Arm('backbone', 'mbr', 'kept')
    plan = Plan('taiji', {**ARMS, 'mbr': mbr}, RECIPE.arms.sft_seeds, (0, 1))
    other = stamps(plan)
    changed = {arm for arm in ARMS if other[arm] != plain[arm]}
    self.assertEqual(changed, {'mbr', 'mbr_held'} | REINFORCED)

  def test_on_how_many_rows_reinforcement_is_judged_counts(self):
    plain, other = stamps(), stamps(arms={'rl_rows': 500})
    changed = {arm for arm in ARMS if other[arm] != plain[arm]}
    self.assertEqual(changed, {n for n, arm in ARMS.items() if arm.reinforced})

  def test_seeds_that_the_start_does_not_have_do_not_count(self):
    arms = {
      'few': Arm('backbone', 'mbr', seeds=1),
      'rl': Arm('few', '', overrides={}),
    }
    one, two = (
      stamps(Plan('t', arms, seeds, (0,))) for seeds in ((0,), (0, 1))
    )
    self.assertEqual(one, two)

  def test_seeds_that_reinforcement_starts_from_count(self):
    plan = Plan('taiji', ARMS, (4, 5), (0, 1))
    plain, other = stamps(), stamps(plan)
    changed = {arm for arm in ARMS if other[arm] != plain[arm]}
    self.assertEqual(changed, REINFORCED)

  def test_an_endpoint_counts_where_it_is_asked(self):
    def found(model):
      fields = {'cot': {'openai': {'model': model}}, 'arms': {'asked': True}}
      config = amazon_scientific_cpu.get_config()
      with config.unlocked():
        config.update(fields)
      recipe = recipe_lib.from_config(config)
      return table.stamps_of(recipe, taiji_table.plan(recipe), 'd')

    plain, other = found('one'), found('two')
    changed = {arm for arm in plain if other[arm] != plain[arm]}
    self.assertEqual(changed, set(taiji_table.ASKED))

  def test_new_fields_with_defaults_void_no_cell(self):
    recipe = recipe_lib.from_config(amazon_scientific_cpu.get_config())

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Longer(recipe_lib.Recipe):
      novel: float = 0.25

    fields = {
      f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)
    }
    self.assertEqual(Longer(**fields).key(), recipe.key())
    self.assertNotEqual(Longer(**fields, novel=0.5).key(), recipe.key())


if __name__ == '__main__':
  absltest.main()
