"""Finished runs against today's code: what the pages then say."""

import dataclasses
import functools
import json
import pathlib
import shutil
import tempfile
import unittest

from absl.testing import absltest
import taiji_cells

from experiments.documents import sources, taiji
from experiments.documents.sources import Sources
from taiji_jax.errors import UserError
from taiji_jax.pipeline.revisions import REVISIONS

RESULTS = pathlib.Path(__file__).resolve().parents[3] / sources.RESULTS
NAME, OTHER = taiji_cells.NAME, 'popo/ml100k_cpu'


@functools.cache
def whole():
  """Returns a folder of results that no test changes."""
  temporary = tempfile.TemporaryDirectory()
  unittest.addModuleCleanup(temporary.cleanup)
  taiji_cells.write(pathlib.Path(temporary.name))
  return pathlib.Path(temporary.name)


class StaleTest(absltest.TestCase):
  def sources(self, recipe=taiji_cells.recipe):
    return Sources(whole(), recipe)

  def test_todays_revisions_say_nothing(self):
    self.assertEqual(self.sources().run(NAME).note, '')

  def test_a_raised_revision_stands_on_the_page(self):
    before = taiji.arms(self.sources())
    raised = {'rl': REVISIONS['rl'] + 1}
    with absltest.mock.patch.dict(REVISIONS, raised):
      after = taiji.arms(self.sources())
    reinforced = (*taiji_cells.REINFORCED, *taiji_cells.OF_REINFORCED)
    arms = ', '.join(f'`{arm}`' for arm in reinforced)
    record = json.loads((whole() / NAME / 'run.json').read_text())
    self.assertEqual(
      after,
      f"**Made with an earlier revision of `rl` than today's** ({arms}); not"
      f' remade since {record["date"]}.\n\n{before}',
    )

  def test_another_recipe_stands_on_the_page(self):
    def recipe(name):
      own = taiji_cells.recipe(name)
      rl = dataclasses.replace(own.rl, clip=0.3)
      return dataclasses.replace(own, rl=rl)

    note = self.sources(recipe).run(NAME).note
    self.assertRegex(note, r"^\*\*Made with another recipe than today's\*\*")
    self.assertIn('`mbr`', note)


class DamagedTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.root = pathlib.Path(temporary.name) / 'results'
    shutil.copytree(whole(), self.root)
    shutil.copytree(RESULTS / OTHER, self.root / OTHER)

  def run_of(self, name):
    recipe = taiji_cells.recipe if name == NAME else None
    return Sources(self.root, recipe).run(name)

  def refused(self, message, name=NAME):
    with self.assertRaisesRegex(UserError, message) as caught:
      self.run_of(name)
    experiment = name.split('/')[0]
    self.assertIn(
      f'run python -m experiments.{experiment}'
      f' --results={sources.RESULTS / name}',
      str(caught.exception),
    )

  def test_whole(self):
    self.assertEqual(self.run_of(NAME).note, '')

  def test_missing(self):
    (self.root / NAME / 'run.json').unlink()
    self.refused("run.json' can't be read")

  def test_cells_that_the_result_is_not_of(self):
    path = self.root / NAME / 'popo-0.json'
    cell = json.loads(path.read_text()) | {'seconds': {}}
    path.write_text(json.dumps(cell))
    self.refused('holds other cells than those its result.json was made of')

  def test_an_arm_that_is_missing(self):
    for name, arm in ((OTHER, 'popo'), (NAME, 'orft')):
      path = self.root / name / 'result.json'
      result = json.loads(path.read_text())
      del result['arms'][arm]
      path.write_text(json.dumps(result))
    self.refused('has no arm popo', OTHER)
    # A table that may be finished in parts says so on its page.
    self.assertEqual(self.run_of(NAME).note, '**Not made yet**: `orft`.')


if __name__ == '__main__':
  absltest.main()
