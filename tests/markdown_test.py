"""Markdown that shows any text as it is."""

import re

from absl.testing import absltest

from taiji_jax import markdown


class MarkdownTest(absltest.TestCase):
  def test_table(self):
    self.assertEqual(
      markdown.table(['a', 'b|'], [['*x*', '1\n2']]),
      '| a | b\\| |\n| :-- | --: |\n| \\*x\\* | 1 2 |',
    )

  def test_table_cells_stay_cells(self):
    text = markdown.table(['a', 'b'], [['x|y', 'line\nbreak'], ['`c`', '1']])
    for line in text.splitlines():
      self.assertLen(re.findall(r'(?<!\\)\|', line), 3, line)

  def test_fence_is_longer_than_any_inside(self):
    self.assertEqual(markdown.fence('a````b'), '`````text\na````b\n`````')

  def test_printable(self):
    self.assertEqual(markdown.printable('é\n\x00\u2028x'), 'é\n\ufffd\ufffdx')


if __name__ == '__main__':
  absltest.main()
