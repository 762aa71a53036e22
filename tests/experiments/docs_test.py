"""The committed pages show what the committed results say, and no older."""

import os
import pathlib
import subprocess
import tempfile

from absl.testing import absltest

from experiments.documents import figures, sources, update
from experiments.documents.registry import REGISTRY
from tests import forks

ROOT = pathlib.Path(__file__).resolve().parents[2]


def docs(folder, *flags):
  """Returns the exit code and what the command says in a folder."""
  ended = subprocess.run(
    (*forks.python(), '-m', 'experiments.docs', *flags),
    cwd=folder,
    env=os.environ | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'},
    text=True,
    capture_output=True,
  )
  return ended.returncode, ended.stdout, ended.stderr


class CommittedTest(absltest.TestCase):
  def test_every_table_and_figure_is_of_its_results(self):
    found = update.update(
      ROOT, REGISTRY, sources.Sources(ROOT / sources.RESULTS), write=False
    )
    if told := '\n'.join(map(str, found)):
      self.fail(f'Run {update.COMMAND}.\n{told}')

  def test_every_figure_is_a_png_that_knows_its_inputs(self):
    for name in REGISTRY.figures:
      self.assertLen(figures.digest_in(ROOT / name), 64, name)


class CommandTest(absltest.TestCase):
  def test_without_results(self):
    with tempfile.TemporaryDirectory() as folder:
      page = pathlib.Path(folder) / 'README.md'
      page.write_text('<!-- made: scale -->\n<!-- /made -->\n')
      code, _, errors = docs(folder, '--check')
      self.assertEqual(code, 1)
      self.assertNotIn('Traceback', errors)
      self.assertIn('README.md, block scale:', errors)
      self.assertIn(
        'run python -m experiments.benchmarks.scale --save=scale', errors
      )
      self.assertIn('block popo_step: stands in no page', errors)
      self.assertEqual(
        page.read_text(), '<!-- made: scale -->\n<!-- /made -->\n'
      )


if __name__ == '__main__':
  absltest.main()
