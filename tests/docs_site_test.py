"""The site is built without a warning and has what a reader looks for."""

import importlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import zlib

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).resolve().parent.parent
MISSING = [
  name
  for name in ('griffe', 'material', 'mkdocs', 'mkdocstrings')
  if importlib.util.find_spec(name) is None
]
# Parts whose page has what they hand on.
FACES = (
  'ask',
  'cot',
  'decode',
  'evaluate',
  'pareto',
  'pipeline',
  'rl',
  'sft',
  'shards',
  'sharding',
)


@unittest.skipIf(
  MISSING, f"without {', '.join(MISSING)}: pip install '.[docs]'"
)
class DocstringsTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      'Args:\n  a_k, b: both,\n    at > 0.\n  c: one.',
      'Args:\n  a_k: both,\n    at &gt; 0.\n  b: both,\n    at &gt; 0.\n'
      '  c: one.',
    ),
    (
      'Text `<a>`.\n\n>>> f(\n...   1 < 2)\n2 * 3\n\nEnd: <x> * y.',
      'Text `<a>`.\n\n```pycon\n>>> f(\n...   1 < 2)\n2 * 3\n```\n\n'
      r'End: &lt;x&gt; \* y.',
    ),
  )
  def test_as_the_site_reads_them(self, text, read):
    from experiments.documents import site_docstrings

    self.assertEqual(site_docstrings.markdown(text), read)


@unittest.skipIf(
  MISSING, f"without {', '.join(MISSING)}: pip install '.[docs]'"
)
@unittest.skipUnless(
  os.environ.get('TAIJI_LONG') == '1', 'long; see tests/run.py'
)
class SiteTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.site = pathlib.Path(temporary.name)
    cls.build = subprocess.run(
      (sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', cls.site),
      cwd=ROOT,
      text=True,
      capture_output=True,
    )
    cls.pages = {
      str(path.relative_to(cls.site)): path.read_text('utf-8')
      for path in cls.site.glob('**/*.html')
    }

  def test_builds_without_a_warning(self):
    self.assertEqual(self.build.returncode, 0, self.build.stderr)
    self.assertIn('recipe_fields/index.html', self.pages)

  def test_has_all_that_a_part_hands_on(self):
    inventory = (self.site / 'objects.inv').read_bytes()
    lines = zlib.decompress(inventory.split(b'\n', 4)[4]).decode()
    known = {line.split()[0] for line in lines.splitlines()}
    for face in FACES:
      module = importlib.import_module(f'taiji_jax.{face}')
      # A constant has no docstring to show.
      for name in (n for n in module.__all__ if callable(getattr(module, n))):
        at = [n for n in known if re.match(rf'taiji_jax\..*\b{name}$', n)]
        self.assertNotEmpty(at, f'docs/api/ has no taiji_jax.{face}.{name}')

  def test_asks_nothing_of_others(self):
    for name, page in self.pages.items():
      found = re.findall(
        r'<(?:script|img|link|iframe)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*',
        page,
      )
      self.assertEmpty(found, name)

  def test_sections_of_docstrings_are_read_as_such(self):
    for name, page in self.pages.items():
      with self.subTest(name):
        self.assertNotRegex(page, r'<p>(?:Args|Attributes|Returns|Raises): ')
        self.assertNotIn('<blockquote>', page)


if __name__ == '__main__':
  absltest.main()
