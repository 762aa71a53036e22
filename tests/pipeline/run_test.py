"""What a work directory holds, and what the key of a model holds."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.configs.popo import ml100k_cpu
from taiji_jax.errors import UserError
from taiji_jax.pipeline import (
  Arm,
  Plan,
  Run,
  cot_data,
  reinforcement,
  revisions,
  sft,
)
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.products import Product
from taiji_jax.rl import rewards
from tests.modules.weights import tiny

ARMS = {'sft': Arm(data='reasoning'), 'popo': Arm('sft', overrides={})}
MORE = {**ARMS, 'nash_mtl': Arm('sft', overrides={'weighting': 'nash_mtl'})}


def plan(name, arms):
  return Plan(name, arms, (0,), (0,))


class OpenTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir())
    for name, arms, steps in (('popo', ARMS, 7), ('weightings', MORE, 9)):
      config = ml100k_cpu.get_config()
      config.rl.opt.steps = steps
      recipe = recipe_lib.from_config(config)
      Run(recipe, self.workdir, plan(name, arms)).record(config.to_dict())

  def test_each_experiment_keeps_its_record(self):
    run = Run.open(self.workdir)
    self.assertEqual(run.plan, plan('popo', ARMS))
    self.assertEqual(run.recipe.rl.opt.steps, 7)
    self.assertEqual(Run.open(self.workdir, 'popo').plan.table, 'popo')
    run = Run.open(self.workdir, 'nash_mtl')
    self.assertEqual(run.plan, plan('weightings', MORE))
    self.assertEqual(run.recipe.rl.opt.steps, 9)

  def test_an_arm_that_no_experiment_has(self):
    with self.assertRaisesRegex(UserError, 'among sft, popo, nash_mtl'):
      Run.open(self.workdir, 'grpo')

  def test_it_makes_nothing(self):
    run = Run.open(self.workdir)
    with self.assertRaisesRegex(UserError, 'has not made its x'):
      run.products.make('x', {}, lambda *_: self.fail('made'))
    self.assertEqual([p.name for p in self.workdir.iterdir()], ['config.json'])

  def test_a_run_of_another_recipe_is_announced(self):
    config = ml100k_cpu.get_config()
    config.rl.opt.steps = 7
    run = Run(recipe_lib.from_config(config), self.workdir, plan('popo', ARMS))
    with self.assertNoLogs('taiji_jax', 'WARNING'):
      run.announce(config.to_dict())
    config.rl.opt.steps, config.seed = 8, 3
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      run.announce(config.to_dict())
    self.assertIn('rl.opt.steps 7 -> 8; seed 0 -> 3', logs.output[0])
    # It is still the finished run that is opened.
    self.assertEqual(Run.open(self.workdir).recipe.rl.opt.steps, 7)

  def test_a_result_of_another_recipe_is_of_a_run_that_was_stopped(self):
    config = ml100k_cpu.get_config()
    recipe = recipe_lib.from_config(config)
    run = Run(recipe, self.workdir, plan('popo', ARMS))
    result = self.workdir / 'result.json'
    run.record(config.to_dict(), result)
    for digest in (None, recipe.digest()):
      if digest:
        result.write_text(json.dumps({'config': digest}))
      self.assertEqual(Run.open(self.workdir, 'popo').recipe, recipe)
    config.sft.opt.steps += 1
    other = recipe_lib.from_config(config).digest()
    result.write_text(json.dumps({'config': other}))
    with self.assertRaisesRegex(UserError, f'not finished: .*{other}.*again'):
      Run.open(self.workdir, 'popo')

  def test_secrets_of_an_endpoint_are_not_written(self):
    def recipe(secret):
      config = ml100k_cpu.get_config()
      config.cot = {'openai': {'model': 'm', 'extra_body': {'key': secret}}}
      return config

    config = recipe('s3cret')
    run = Run(recipe_lib.from_config(config), self.workdir, plan('popo', ARMS))
    result = self.workdir / 'result.json'
    result.write_text(json.dumps({'config': run.recipe.digest()}))
    run.record(config.to_dict(), result)
    self.assertNotIn('s3cret', str(recipe_lib.masked(config)))
    self.assertNotIn('s3cret', (self.workdir / 'config.json').read_text())
    self.assertEqual(config.cot.openai.extra_body.key, 's3cret')
    opened = Run.open(self.workdir, 'popo')
    self.assertEqual(opened.recipe.digest(), run.recipe.digest())
    self.assertEqual(opened.recipe.key(), run.recipe.key())
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      run.announce(recipe('oth3r').to_dict())
    self.assertIn('cot.openai.extra_body.key', logs.output[0])
    self.assertNotIn('s3cret', logs.output[0])
    self.assertNotIn('oth3r', logs.output[0])

  def test_a_damaged_record(self):
    path = self.workdir / 'config.json'
    values = json.loads(path.read_text())
    del values['runs']['popo']['plan']
    path.write_text(json.dumps(values))
    with self.assertRaisesRegex(UserError, 'config.json is damaged; delete it'):
      Run.open(self.workdir)

  def test_arms_that_can_not_be_reinforced_are_told_before_any_training(self):
    config = ml100k_cpu.get_config()
    config.rl.form = 'jvp'
    with self.assertRaisesRegex(UserError, "'nash_mtl' needs one"):
      Run(recipe_lib.from_config(config), self.workdir, plan('t', MORE))
    config.rl.form, config.rl.alignment_on = 'vjps', 'layer_1/'
    recipe = recipe_lib.from_config(config)
    told = r"'layer_1/' matches none .*params/blocks/attention/key/kernel"
    with self.assertRaisesRegex(UserError, told):
      Run(recipe, self.workdir, plan('t', ARMS))
    # Read by no arm, it may be anything; and so in a run that makes nothing.
    light = {**ARMS, 'popo': Arm('sft', overrides={'weighting': 'popo_light'})}
    Run(recipe, self.workdir, plan('t', light))
    Run(recipe, self.workdir, plan('t', ARMS), makes=False)

  def test_a_backbone_has_one_origin(self):
    config = ml100k_cpu.get_config()
    arms = {'a': Arm('backbone', 'rupr')}
    with self.assertRaisesRegex(UserError, 'pretrained or a checkpoint: give'):
      Run(recipe_lib.from_config(config), self.workdir, plan('t', arms))


class KeyTest(parameterized.TestCase):
  def inputs(self, start='s', tower='t', held=None):
    """Returns what the key of a reinforced arm is made of."""
    recipe = recipe_lib.from_config(ml100k_cpu.get_config())
    run = mock.Mock(recipe=recipe, plan=plan('popo', ARMS))
    run.contents = held or {}
    run.model.return_value = Product(None, start, 0.0)
    run.tower = Product(None, tower, 0.0)
    run.logs.rl = range(5)
    reinforcement.make(run, 'popo', 0)
    (stage, name, inputs, _), _ = run.make.call_args
    self.assertIn(stage, revisions.REVISIONS)
    self.assertEqual(name, 'rl_popo_0')
    return json.dumps(inputs, sort_keys=True)

  def test_what_a_reinforced_model_follows_from(self):
    plain = self.inputs()
    self.assertEqual(self.inputs(), plain)
    self.assertNotEqual(self.inputs(start='other'), plain)
    self.assertNotEqual(self.inputs(tower='other'), plain)
    with mock.patch.object(rewards, 'NAMES', ('semantic', 'id', 'novel')):
      self.assertNotEqual(self.inputs(), plain)
    other = self.inputs(held={'embedder': 'x'})
    self.assertNotEqual(other, plain)
    self.assertNotEqual(self.inputs(held={'embedder': 'y'}), other)


class ContentsTest(parameterized.TestCase):
  """Other contents under the same name are another model."""

  FIELDS = (
    'model.source',
    'tokenizer.path',
    'cot.model.source',
    'cot.scorer_source',
    'embedder',
  )

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    tiny.write(self.folder / 'a')
    (self.folder / 'a' / 'tokenizer.json').write_text('{}')

  def open(self, **overrides):
    """Returns a run whose recipe reads the checkpoint in the field given."""
    config = ml100k_cpu.get_config()
    source = str(self.folder / 'a')
    config.model = {'source': source}
    for name, value in overrides.items():
      setattr(config, name, value)
    return Run(
      recipe_lib.from_config(config), self.folder / 'w', plan('popo', ARMS)
    )

  def every(self):
    """Returns a run of which every field names the checkpoint."""
    source = str(self.folder / 'a')
    return self.open(
      tokenizer={'path': source},
      embedder=source,
      cot={
        'teacher': 'model',
        'model': {'source': source},
        'scorer': 'other',
        'scorer_source': source,
      },
    )

  def change(self):
    """Writes other weights of the same size at the same place."""
    path = self.folder / 'a' / 'model.safetensors'
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

  def test_every_field_is_read(self):
    before = self.every().contents
    self.assertSameElements(before, self.FIELDS)
    self.change()
    after = self.every().contents
    for field in self.FIELDS:
      self.assertNotEqual(before[field], after[field])

  def test_what_is_not_used_is_not_read(self):
    config = ml100k_cpu.get_config()
    config.cot = {'model': {'source': 'missing'}}
    run = Run(
      recipe_lib.from_config(config), self.folder / 'w', plan('popo', ARMS)
    )
    self.assertEqual(run.contents, {})

  def test_keys_of_models_and_cells(self):
    def made():
      run = self.open()
      run.__dict__['encoder'] = mock.Mock()
      run.__dict__['policy'] = mock.Mock()
      run.policy.decoder.config = run.recipe.model
      run.__dict__['logs'] = mock.Mock(digest='d')
      run.__dict__['candidates'] = mock.Mock(key='c')
      return sft.made_from(run), run.digest

    before = made()
    self.assertEqual(made(), before)
    self.change()
    after = made()
    self.assertNotEqual(after[0], before[0])
    self.assertNotEqual(after[1], before[1])

  def test_keys_of_texts(self):
    def made():
      run = self.every()
      run.__dict__['logs'] = mock.Mock(digest='d', rl=[])
      run.__dict__['candidates'] = mock.Mock(key='c')
      run.__dict__['backbone'] = Product(None, 'b', 0.0)
      return cot_data.CotData(run, run.recipe.cot)._inputs('rupr')

    before = made()
    self.assertEqual(made(), before)
    self.change()
    self.assertNotEqual(made(), before)


if __name__ == '__main__':
  absltest.main()
