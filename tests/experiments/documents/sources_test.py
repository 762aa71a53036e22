"""Finished runs against today's code: what the pages then say."""

import dataclasses
import json
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from experiments.documents import popo, sources
from experiments.documents.sources import Sources
from taiji_jax.errors import UserError
from taiji_jax.pipeline.revisions import REVISIONS

RESULTS = pathlib.Path(__file__).resolve().parents[3] / sources.RESULTS
NAME, STALE = 'taiji/amazon_scientific_cpu', 'popo/ml100k_cpu'


class StaleTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    # As on the day when the run was made.
    record = json.loads((RESULTS / STALE / 'run.json').read_text())
    self.enter_context(absltest.mock.patch.dict(REVISIONS, record['revisions']))
    self.date = record['date']

  def test_todays_revisions_say_nothing(self):
    self.assertEqual(Sources(RESULTS).run(STALE).note, '')

  def test_a_raised_revision_stands_on_the_page(self):
    before = popo.results(Sources(RESULTS))
    raised = {'rl': REVISIONS['rl'] + 1}
    with absltest.mock.patch.dict(REVISIONS, raised):
      after = popo.results(Sources(RESULTS))
    self.assertEqual(
      after,
      "**Made with an earlier revision of `rl` than today's** (`popo`); not"
      f' remade since {self.date}.\n\n{before}',
    )

  def test_another_recipe_stands_on_the_page(self):
    def recipe(name):
      own = sources.recipe_of(name)
      rl = dataclasses.replace(own.rl, clip=0.3)
      return dataclasses.replace(own, rl=rl)

    note = Sources(RESULTS, recipe).run(STALE).note
    self.assertRegex(note, r"^\*\*Made with another recipe than today's\*\*")
    self.assertIn('`sft`', note)


class DamagedTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.root = pathlib.Path(temporary.name)
    self.folder = self.root / NAME
    shutil.copytree(RESULTS / NAME, self.folder)

  def refused(self, message):
    with self.assertRaisesRegex(UserError, message) as caught:
      Sources(self.root).run(NAME)
    self.assertIn(
      f'run python -m experiments.taiji --results={sources.RESULTS / NAME}',
      str(caught.exception),
    )

  def test_missing(self):
    (self.folder / 'run.json').unlink()
    self.refused("run.json' can't be read")

  def test_cells_that_the_result_is_not_of(self):
    path = self.folder / 'popo-0.json'
    cell = json.loads(path.read_text()) | {'seconds': {}}
    path.write_text(json.dumps(cell))
    self.refused('holds other cells than those its result.json was made of')

  def test_an_arm_that_is_missing(self):
    path = self.folder / 'result.json'
    result = json.loads(path.read_text())
    del result['arms']['orft']
    path.write_text(json.dumps(result))
    self.refused('has no arm orft')


if __name__ == '__main__':
  absltest.main()
