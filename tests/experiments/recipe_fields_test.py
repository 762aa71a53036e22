import re

from absl.testing import absltest

from experiments import recipe_fields
from taiji_jax.pipeline import fields


class RecipeFieldsTest(absltest.TestCase):
  def test_rows(self):
    """Nothing in a cell is read as Markdown of another kind."""
    rows = re.findall(r'^\| `.*$', recipe_fields.markdown(), re.MULTILINE)
    self.assertLen(rows, sum(len(s.fields) for s in fields.sections()))
    for row in rows:
      with self.subTest(row):
        self.assertEqual(row.count('|'), 5)
        self.assertEqual(row.count('`') % 2, 0)
        self.assertNotRegex(re.sub(r'`[^`]*`', '', row), r'<|(?<!\\)[*\[]')

  def test_text_is_as_wide_as_asked(self):
    for width in (60, 100):
      text = recipe_fields.text(width)
      self.assertLessEqual(max(map(len, text.splitlines())), width)
      for section in fields.sections():
        for field in section.fields:
          self.assertIn(f'\n  {field.path}: ', text)
    self.assertIn('\n  rl.group: G, rollouts a prompt. (default: 4)\n', text)


if __name__ == '__main__':
  absltest.main()
