"""Every example in a docstring and every Python block of the pages runs."""

import doctest
import importlib
import pathlib
import re

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = (
  'README.md',
  'taiji_jax/pareto/README.md',
  *(str(f.relative_to(ROOT)) for f in sorted(ROOT.glob('docs/**/*.md'))),
)


def modules_with_examples() -> list[str]:
  """Returns the dotted names of the modules that hold a `>>>`."""
  files = sorted(
    file
    for folder in ('taiji_jax', 'experiments')
    for file in ROOT.glob(f'{folder}/**/*.py')
  )
  return [
    '.'.join(file.relative_to(ROOT).with_suffix('').parts).removesuffix(
      '.__init__'
    )
    for file in files
    if re.search(r'^\s*>>> ', file.read_text('utf-8'), re.MULTILINE)
  ]


def python_blocks(markdown: str) -> list[tuple[int, str]]:
  """Returns the fenced Python blocks of a Markdown text, each with its line."""
  fence = re.compile(r'^```python\n(.*?)^```', re.DOTALL | re.MULTILINE)
  return [
    (markdown.count('\n', 0, found.start(1)), found[1])
    for found in fence.finditer(markdown)
  ]


def with_blocks() -> list[str]:
  """Returns the pages that hold a Python block."""
  return [p for p in PAGES if python_blocks((ROOT / p).read_text('utf-8'))]


class DoctestsTest(parameterized.TestCase):
  def test_modules(self):
    for name in modules_with_examples():
      with self.subTest(name):
        failed, attempted = doctest.testmod(importlib.import_module(name))
        self.assertGreater(attempted, 0)
        self.assertEqual(failed, 0)

  @parameterized.parameters(with_blocks())
  def test_page(self, page):
    # The blocks share one namespace, top to bottom, as a reader has it.
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner()
    for line, block in python_blocks((ROOT / page).read_text('utf-8')):
      if '>>> ' in block:
        test = doctest.DocTestParser().get_doctest(
          block, names, page, page, line
        )
        runner.run(test, clear_globs=False)
        names.update(test.globs)
      else:
        exec(compile('\n' * line + block, page, 'exec'), names)
    self.assertEqual(runner.failures, 0)


class PythonBlocksTest(absltest.TestCase):
  def test_each_with_its_line(self):
    text = (
      'a\n```python\n>>> 1\n1\n```\n```bash\nls\n```\n```python\nx = 1\n```'
    )
    self.assertEqual(python_blocks(text), [(2, '>>> 1\n1\n'), (9, 'x = 1\n')])


if __name__ == '__main__':
  absltest.main()
