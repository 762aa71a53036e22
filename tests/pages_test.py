"""The pages: README is short, and what a page links to is there."""

import pathlib
import re

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).resolve().parent.parent
README_LINES = 180
PAGES = sorted(
  str(file.relative_to(ROOT))
  for pattern in ('*.md', 'docs/**/*.md', 'taiji_jax/**/*.md')
  for file in ROOT.glob(pattern)
)


def prose(markdown: str) -> str:
  """Returns a Markdown text without its fenced blocks and code spans."""
  text = re.sub(r'^(`{3,})[^\n]*\n.*?^\1`*$', '', markdown, flags=re.S | re.M)
  return re.sub(r'`[^`\n]*`', '', text)


def links(markdown: str) -> list[str]:
  """Returns what a page links to or shows, but for addresses on the web."""
  text = prose(markdown)
  found = re.findall(r'\]\(([^()\s]+)(?:\s[^()]*)?\)', text)
  found += re.findall(r'^\[[^\]]+\]:\s*(\S+)', text, re.MULTILINE)
  found += re.findall(r'<(?:img|source|a)\b[^>]*\s(?:src|href)="([^"]+)"', text)
  return [link for link in found if not re.match(r'\w+:', link)]


def anchors(markdown: str) -> set[str]:
  """Returns the anchors of a page's headings, as GitHub and MkDocs make them.

  Markdown text may hold code spans in its headings; their marks are dropped.
  """
  text = re.sub(r'^```.*?^```', '', markdown, flags=re.S | re.M)
  found = set()
  for heading in re.findall(r'^#+ (.+)$', text, re.MULTILINE):
    words = re.sub(r'[^\w\s-]', '', heading.lower()).strip()
    found.add(re.sub(r'\s', '-', words))
  return found


class PagesTest(parameterized.TestCase):
  def test_readme_is_short(self):
    lines = (ROOT / 'README.md').read_text('utf-8').splitlines()
    self.assertLessEqual(len(lines), README_LINES)

  @parameterized.parameters(PAGES)
  def test_links(self, page):
    path = ROOT / page
    text = path.read_text('utf-8')
    for link in links(text):
      with self.subTest(link):
        name, _, anchor = link.partition('#')
        target = (path.parent / name).resolve() if name else path
        self.assertTrue(target.exists(), f'{page} links to {link}')
        if page.startswith('docs/'):
          # The site knows nothing of what lies outside.
          self.assertTrue(target.is_relative_to(ROOT / 'docs'), link)
        if anchor:
          self.assertIn(anchor, anchors(target.read_text('utf-8')))

  def test_what_counts_as_a_link(self):
    text = (
      '[a](b.md#c) ![d](e.png) `[f](g.md)` [h](https://i.example)\n'
      '```\n[j](k.md)\n```\n[l]: m.md\n<img src="n.svg" alt="o">\n'
    )
    self.assertEqual(links(text), ['b.md#c', 'e.png', 'm.md', 'n.svg'])

  def test_anchors(self):
    text = '# Where a paper is silent\n```\n# no\n```\n## `popo`, exact\n'
    self.assertEqual(anchors(text), {'where-a-paper-is-silent', 'popo-exact'})


if __name__ == '__main__':
  absltest.main()
