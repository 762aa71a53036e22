import importlib.util
import pathlib

from absl.testing import absltest, parameterized
import ml_collections

from experiments import generator_table
from taiji_jax import config as config_lib
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_recipe
from taiji_jax.pipeline import recipe as recipe_lib

CONFIGS = pathlib.Path(__file__).parents[2] / 'experiments' / 'configs'
EVERY = sorted(CONFIGS.rglob('*.py'))
GENERATORS = [p for p in EVERY if p.parent.name in ('a2po', 'generator')]
FILES = [p for p in EVERY if p not in GENERATORS]


def config_of(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config(), module.__doc__


def changed(field, value):
  config, _ = config_of(CONFIGS / 'popo/ml100k_cpu.py')
  *sections, name = field.split('.')
  part = config
  with config.unlocked(), config.ignore_type():
    for section in sections:
      part = part[section]
    part[name] = value
  return config


class RecipesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (str(p.relative_to(CONFIGS)), p) for p in FILES
  )
  def test_builds(self, path):
    config, doc = config_of(path)
    recipe = recipe_lib.from_config(config)
    self.assertEqual(recipe.name, str(path.relative_to(CONFIGS))[:-3])
    self.assertTrue(doc)
    longest = recipe.length.prompt + recipe.length.completion
    self.assertGreaterEqual(recipe.sft.tokens, longest)
    recipe.rl.make_weighting().init(2)
    recipe.sft.opt.make()
    parts = recipe.mesh.data * recipe.mesh.fsdp
    self.assertEqual(recipe.sft.batch % parts, 0)
    self.assertEqual(recipe.rl.prompts % parts, 0)

  @parameterized.named_parameters(
    (str(p.relative_to(CONFIGS)), p) for p in GENERATORS
  )
  def test_generators_build(self, path):
    config, doc = config_of(path)
    recipe = generator_recipe.from_config(config)
    self.assertEqual(recipe.name, str(path.relative_to(CONFIGS))[:-3])
    self.assertTrue(doc)
    self.assertNotEmpty(generator_table.plan(recipe).cells())

  def test_there_are_some(self):
    self.assertNotEmpty(FILES)


class FromConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ('sft.opt.lrr', 1.0, r'sft.opt.lrr; did you mean sft.opt.lr\?'),
    ('data.elephant', 1, 'unknown field data.elephant. It has source'),
    ('slt', 1, r'unknown field slt; did you mean sft\?'),
    ('seed', -1, 'seed is -1'),
    ('seed', 1.5, 'seed is 1.5'),
    ('mesh', 3, 'mesh is 3; it must be a section'),
    ('model.width', '160', "model.width is '160'; it must be a whole number"),
    ('model.width', 160.0, 'model.width is 160.0'),
    ('model.width', True, 'model.width is True'),
    ('sft.opt.lr', '3e-3', "sft.opt.lr is '3e-3'; it must be a number"),
    ('data.consumed_once', 1, 'data.consumed_once is 1'),
    ('tower.mlp_widths', ('a',), 'tower.mlp_widths is .* tuple of int'),
    ('tower.mlp_widths', 64, 'tower.mlp_widths is 64'),
    ('prompt.profile_fields', 'age', "profile_fields is 'age'"),
    ('rl.fixed_weights', (1.0, 1.0, 1.0), 'rl.fixed_weights has 3 numbers'),
    ('rl.prompts', '8', "rl.prompts is '8'"),
    ('rl.prompts', 0, 'rl.prompts is 0'),
    ('rl.weighting', 'mgda', 'choose one of'),
    ('evaluation.batch', 0, 'evaluation.batch is 0'),
    ('retrieve.decay', 0.0, 'retrieve.decay is 0.0'),
    ('retrieve.folds', 1, 'retrieve.folds is 1'),
    ('retrieve.l2', -1.0, 'retrieve.l2 is -1.0'),
    ('mesh.tensor', 0, 'mesh.tensor is 0'),
    ('tokenizer.vocab_size', 10, 'tokenizer.vocab_size is 10'),
    ('data.source', 'netflix', 'choose among movielens, tables'),
    ('data.miss', 2.0, 'data.miss is 2.0'),
    ('length.completion', 1, 'length.completion is 1'),
    ('sft.opt.warmup', 10_000, 'sft.opt.warmup is 10000'),
    ('sft.opt.lr', -1.0, 'sft.opt.lr is -1.0'),
    ('sft.batch', 0, 'sft.batch is 0'),
    ('tower.half_life', 0.0, 'tower.half_life is 0.0'),
    ('compare', {'seeds': ()}, r'compare.seeds is \(\)'),
    ('arms', {'rl_seeds': (1, 1)}, 'arms.rl_seeds is'),
    ('data.tables', {'itmes': 'x'}, 'unknown field data.tables.itmes; did'),
    ('cot', {'openai': {'modle': 'x'}}, 'unknown field cot.openai.modle; d'),
    (
      'cot',
      {'openai': {'model': 'x', 'prices': {'prompt': '1'}}},
      "cot.openai.prices.prompt is '1'; it must be a number",
    ),
    ('cot', {'teacher': 'model'}, 'has no section cot.model'),
    ('cot', {'guard': {'near': 2.0}}, 'cot.guard.near is 2.0'),
    (
      'cot',
      {'search_rounds': 1, 'search_enough': 0.0},
      'cot.search_enough is 0',
    ),
    ('cot', {'search_least_fall': -1.0}, 'cot.search_least_fall is -1'),
    ('cot', {'search_rounds': -1}, 'cot.search_rounds is -1'),
    ('cot', {'openai': 3}, 'cot.openai is 3; it must be a section'),
    ('cot', {'model': {'source': 'x', 'rows': 0}}, 'cot.model.rows is 0'),
    ('cot', {'model': {'source': 'x', 'top_p': 0.0}}, 'cot.model.top_p is'),
    ('cot', {'model': {'source': 'x', 'dtype': 'x'}}, "cot.model.dtype is 'x'"),
    ('cot', {'model': {'source': 'x', 'temperature': -1.0}}, 'cot.model.tem'),
    ('cot', {'guard': {'surprise': -3.0}}, 'cot.guard.surprise is -3'),
    (
      'cot',
      {'openai': {'model': 'x', 'prices': {'prompt': -1.0}}},
      'cot.openai.prices.prompt is -1',
    ),
    ('data.train_fraction', 1.5, 'data.train_fraction is 1.5'),
    ('data.rl_fraction', 2.0, 'data.rl_fraction is 2.0'),
    ('data.history', 0, 'data.history is 0'),
    ('data.min_history', 51, 'data.min_history is 51; .*data.history, 50'),
    ('data.core', 0, 'data.core is 0'),
    ('embedder', '', "embedder is ''"),
    ('tokenizer', 3, 'tokenizer is 3; it must be a section'),
    ('tokenizer', None, 'tokenizer is None; it must be a section'),
    ('save_seconds', -1.0, 'save_seconds is -1.0'),
    ('save_steps', -1, 'save_steps is -1'),
    ('save_share', 0.0, 'save_share is 0.0'),
    ('rollout_mesh', {'data': 0}, 'rollout_mesh.data is 0'),
  )
  def test_refuses(self, field, value, message):
    with self.assertRaisesRegex(UserError, message) as raised:
      recipe_lib.from_config(changed(field, value))
    self.assertNotIn('\n', str(raised.exception))

  def test_missing(self):
    config = changed('seed', 0)
    with config.unlocked():
      del config.tower
    with self.assertRaisesRegex(UserError, 'tower is not set'):
      recipe_lib.from_config(config)
    config = changed('seed', 0)
    with config.unlocked():
      del config.sft.opt.lr
    with self.assertRaisesRegex(UserError, 'sft.opt.lr is not set'):
      recipe_lib.from_config(config)

  def test_whole_numbers_and_lists_will_do(self):
    recipe = recipe_lib.from_config(changed('sft.opt.clip_norm', 2))
    self.assertIsInstance(recipe.sft.opt.clip_norm, float)
    recipe = recipe_lib.from_config(changed('tower.mlp_widths', [8, 4]))
    self.assertEqual(recipe.tower.mlp_widths, (8, 4))

  def test_deviations_of_a_column_map(self):
    tables = ml_collections.ConfigDict(
      {
        'interactions': 'b.csv',
        'items': 'a.csv',
        'users': 'c.csv',
        'profile': ('x',),
      }
    )
    recipe = recipe_lib.from_config(changed('data.tables', tables))
    self.assertEqual(
      config_lib.deviations(recipe.data)['tables'],
      {
        'interactions': 'b.csv',
        'items': 'a.csv',
        'users': 'c.csv',
        'profile': ['x'],
      },
    )

  def test_any_mapping_will_do(self):
    config, _ = config_of(CONFIGS / 'popo/ml100k_cpu.py')
    self.assertEqual(
      recipe_lib.from_config(config.to_dict()), recipe_lib.from_config(config)
    )

  def test_a_key_leaves_defaults_and_the_layout_out(self):
    plain = recipe_lib.from_config(changed('seed', 0)).key()
    for field, value in (
      ('tower.half_life', 5.0),
      ('mesh.fsdp', 2),
      ('save_seconds', 1.0),
      ('save_steps', 5),
      ('save_share', 0.5),
      ('compare', {'seeds': (4, 5)}),
      ('cot', {'rule': 'ppl'}),
    ):
      found = recipe_lib.from_config(changed(field, value)).key()
      self.assertEqual(found, plain, field)
    other = recipe_lib.from_config(changed('tower.half_life', 4.0)).key()
    self.assertNotEqual(other, plain)
    self.assertNotIn('rope_theta', plain['model'])

  def test_an_endpoint_draws_by_the_runs_seed_unless_it_has_one(self):
    for own, seed in (({}, 7), ({'seed': 3}, 3)):
      config = changed('seed', 7)
      openai = {'model': 'm', 'base_url': 'http://127.0.0.1:1/v1', **own}
      with config.unlocked():
        config.cot = {'teacher': 'openai', 'openai': openai}
      self.assertEqual(recipe_lib.from_config(config).cot.openai.seed, seed)


if __name__ == '__main__':
  absltest.main()
