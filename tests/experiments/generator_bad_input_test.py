"""What is wrong with a generator's table is told before work begins."""

import os
import pathlib
import subprocess
import types

from absl.testing import absltest, flagsaver, parameterized

from experiments import entry, next_items
from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_data, generator_recipe
from taiji_jax.pipeline.generator import GeneratorRun
from taiji_jax.pipeline.generator_arms import GeneratorArm, GeneratorPlan
from tests import forks
from tests.pipeline import circle

ROOT = pathlib.Path(__file__).resolve().parents[2]
RL = {'opt': {'lr': 0.02, 'steps': 4}, 'rollouts': 'samples'}


class RecipeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    circle.write_log(self.folder)

  def data(self, **more):
    log = {'source': 'item_sequences', 'path': str(self.folder)}
    return {'source': 'leave_one_out', 'log': log} | more

  @parameterized.parameters(
    ({'codes': 0}, 'data.codes is 0; give at least 1'),
    ({'core': 0}, 'data.core is 0; give at least 1'),
    ({'history': 0}, 'data.history is 0; give at least 1'),
    (
      {'source': 'global_split'},
      "data.source is 'global_split', .*'item_sequences' has no times; take",
    ),
  )
  def test_of_the_data(self, more, text):
    with self.assertRaisesRegex(UserError, text):
      circle.recipe(self.folder, data=self.data(**more))

  def test_samples_of_a_generator_over_the_vocabulary(self):
    fields = {'fit': {'opt': {'lr': 0.1, 'steps': 1}, 'batch': 4}}
    with self.assertRaisesRegex(UserError, "rl.rollouts is 'samples', .*or 'c"):
      circle.recipe(
        self.folder, rl=RL, generator=fields | {'normalize': 'vocabulary'}
      )
    circle.recipe(self.folder, rl=RL, generator=fields)

  def test_what_is_left_out_is_known_before_anything_is_trained(self):
    data = self.data(left_out=('3', 'zz', 'yy'))
    recipe = circle.recipe(self.folder, data=data)
    text = r'no item yy, zz; leave out .*\(data.left_out\)'
    with self.assertRaisesRegex(UserError, text):
      generator_data.read(recipe.data)
    plan = GeneratorPlan({'plain': GeneratorArm('sequence', share=0.0)}, (0,))
    run = GeneratorRun(recipe, self.folder / 'run', plan)
    with self.assertRaisesRegex(UserError, text):
      run.model('plain', 0)
    self.assertFalse((self.folder / 'run').exists())

  def test_the_core_is_that_of_the_recipe(self):
    (self.folder / 'items.csv').write_text(
      'item,title\n' + ''.join(f'{n},tool {n}\n' for n in range(4))
    )
    rows = [f'u{u},{u % 4},{10 * u}' for u in range(6)]
    rows += [f'u{u},{(u + 1) % 4},{10 * u + 1}' for u in range(6)]
    rows += [f'v{u},{i},{i}' for u in range(3) for i in range(4)]
    (self.folder / 'log.csv').write_text('\n'.join(['user,item,time', *rows]))
    tables = {
      'interactions': str(self.folder / 'log.csv'),
      'items': str(self.folder / 'items.csv'),
      'user': 'user',
      'item': 'item',
      'time': 'time',
      'title': 'title',
    }
    seen = {}
    for core in (1, 3):
      recipe = circle.recipe(
        self.folder,
        data={
          'source': 'global_split',
          'log': {'source': 'tables', 'tables': tables},
          'core': core,
        },
      )
      found = generator_data.read(recipe.data)
      self.assertIsNone(found.official_train)
      parts = (found.train, found.valid, found.test)
      seen[core] = {user[0] for part in parts for user in part.user}
    self.assertEqual(seen, {1: {'u', 'v'}, 3: {'v'}})


class FolderTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    self.file = self.folder / 'file'
    self.file.write_text('x')

  def test_a_file_is_no_folder(self):
    for path in (self.file, self.file / 'below' / 'it'):
      with self.assertRaisesRegex(
        UserError, f'--out is {path}, but {self.file} is a file; give a folder'
      ):
        entry.folder(str(path), '--out')
    new = self.folder / 'new' / 'one'
    self.assertEqual(entry.folder(str(new), '--out'), new)
    self.assertFalse(new.exists())
    self.assertIsNone(entry.folder(None, '--out'))

  def test_results_are_refused_before_rows_are_read(self):
    run = types.SimpleNamespace(workdir=self.folder)
    with (
      flagsaver.flagsaver(results=str(self.file)),
      self.assertRaisesRegex(UserError, '--results is .* is a file'),
    ):
      next_items.make(run, None, {}, ())

  def test_a_home_of_nobody(self):
    with self.assertRaisesRegex(UserError, "'~nobody-here/x' .*in full"):
      files.expanded('~nobody-here/x')
    recipe = generator_recipe.NextItemsConfig(path='~nobody-here/x')
    with self.assertRaisesRegex(UserError, 'a home directory that is unknown'):
      generator_data.read(recipe)
    self.assertEqual(files.expanded('~/x'), pathlib.Path.home() / 'x')

  def test_commands(self):
    """The two commands themselves, once each."""
    circle.write_log(self.folder)
    fields = '\n'.join(
      f'  {line}'
      for line in (
        'from ml_collections import ConfigDict',
        "fit = {'opt': {'lr': 0.02, 'steps': 1}, 'batch': 32}",
        "log = {'source': 'item_sequences', 'path': '.'}",
        'return ConfigDict({',
        "  'name': 'test', 'compilation_cache': 'off',",
        "  'data': {'source': 'leave_one_out', 'log': log},",
        "  'generator': {'fit': fit}, 'sequence': {'fit': fit}})",
      )
    )
    recipe = self.folder / 'recipe.py'
    recipe.write_text(f'def get_config():\n{fields}\n')
    for name, flag in (('generator', 'results'), ('semantic_ids', 'out')):
      done = subprocess.run(
        (
          *(*forks.python(), '-m', f'experiments.{name}'),
          *(f'--config={recipe}', f'--{flag}={self.file}'),
        ),
        cwd=self.folder,
        env=os.environ | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'},
        text=True,
        capture_output=True,
      )
      self.assertEqual(done.returncode, 1, done.stderr)
      self.assertNotIn('Traceback', done.stderr)
      self.assertRegex(
        done.stderr.splitlines()[-1],
        f'^error: --{flag} is .*file, but .*file is a file; give a folder',
      )
    self.assertFalse((self.folder / 'runs/test/products').exists())


if __name__ == '__main__':
  absltest.main()
