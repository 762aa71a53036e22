"""A directory in the place of another: whole, whatever was killed before."""

import os
import pathlib
import signal
import subprocess
import sys

from absl.testing import absltest

from taiji_jax.modules.weights import export_target

ROOT = pathlib.Path(__file__).resolve().parents[3]
_EXPORT = """
import pathlib, sys, time
from taiji_jax.modules.weights import export_target
with export_target.replacing(pathlib.Path(sys.argv[1])) as folder:
  (folder / 'a').write_text('half')
  print(folder.name, flush=True)
  time.sleep(600)
"""


class ExportTargetTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.target = self.root / 'model'

  def export(self, text='new'):
    with export_target.replacing(self.target) as folder:
      (folder / 'a').write_text(text)

  def left(self, name, text=None):
    """A folder that a killed export left."""
    (self.root / name).mkdir()
    if text is not None:
      (self.root / name / 'a').write_text(text)

  def names(self):
    return {path.name for path in self.root.iterdir()}

  def text(self):
    return (self.target / 'a').read_text()

  def test_nothing_is_left(self):
    for text in ('one', 'two'):
      self.export(text)
      self.assertEqual(self.names(), {'model'})
      self.assertEqual([p.name for p in self.target.iterdir()], ['a'])
      self.assertEqual(self.text(), text)

  def test_a_failure_changes_nothing(self):
    self.export('one')
    with (
      self.assertRaises(KeyError),
      export_target.replacing(self.target) as folder,
    ):
      (folder / 'a').write_text('two')
      raise KeyError
    self.assertEqual((self.names(), self.text()), ({'model'}, 'one'))

  def test_leftovers_are_removed_and_no_other(self):
    theirs = {
      '.model.1.other',
      '.model2.1.partial',
      '.model.x.partial',
      'model.1.partial',
      '.model.1.2.partial',
    }
    for name in theirs:
      self.left(name, 'theirs')
    self.left('.model.1.partial', 'half')
    self.left('.model.2.old', 'old')
    self.export()
    self.assertEqual(self.names(), theirs | {'model'})
    self.assertEqual(self.text(), 'new')

  def test_what_was_moved_away_is_put_back(self):
    self.left('.model.1.old', 'old')
    self.left('.model.1.partial', 'half')
    with self.assertRaises(KeyError), export_target.replacing(self.target):
      raise KeyError
    self.assertEqual((self.names(), self.text()), ({'model'}, 'old'))

  def test_a_living_export_is_let_alone_and_a_killed_one_is_not(self):
    environ = os.environ | {'PYTHONPATH': str(ROOT)}
    with subprocess.Popen(
      (sys.executable, '-c', _EXPORT, str(self.target)),
      env=environ,
      stdout=subprocess.PIPE,
      text=True,
    ) as process:
      try:
        name = process.stdout.readline().strip()
        self.export()
        self.assertEqual(self.names(), {'model', name})
      finally:
        process.send_signal(signal.SIGKILL)
    self.export()
    self.assertEqual(self.names(), {'model'})


if __name__ == '__main__':
  absltest.main()
