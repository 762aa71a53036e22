"""Every example in a docstring and every Python block of the README runs."""

import doctest
import importlib
import pathlib
import re

from absl.testing import absltest

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / 'README.md'


def modules_with_examples() -> list[str]:
  """Returns the dotted names of the modules that hold a `>>>`."""
  files = sorted(ROOT.glob('taiji_jax/**/*.py'))
  return [
    '.'.join(file.relative_to(ROOT).with_suffix('').parts).removesuffix(
      '.__init__'
    )
    for file in files
    if re.search(r'^\s*>>> ', file.read_text('utf-8'), re.MULTILINE)
  ]


def python_blocks(markdown: str) -> list[str]:
  """Returns the fenced Python blocks of a Markdown text."""
  fence = re.compile(r'^```python\n(.*?)^```', re.DOTALL | re.MULTILINE)
  return fence.findall(markdown)


class DoctestsTest(absltest.TestCase):
  def test_modules(self):
    for name in modules_with_examples():
      with self.subTest(name):
        failed, attempted = doctest.testmod(importlib.import_module(name))
        self.assertGreater(attempted, 0)
        self.assertEqual(failed, 0)

  def test_readme(self):
    # The blocks share one namespace, top to bottom, as a reader has it.
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner()
    for number, block in enumerate(python_blocks(README.read_text('utf-8'))):
      if '>>> ' in block:
        test = doctest.DocTestParser().get_doctest(
          block, names, f'README block {number}', str(README), 0
        )
        runner.run(test, clear_globs=False)
        names.update(test.globs)
      else:
        exec(compile(block, f'README block {number}', 'exec'), names)
    self.assertEqual(runner.failures, 0)


if __name__ == '__main__':
  absltest.main()
