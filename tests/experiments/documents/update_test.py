"""The machinery on made-up pages, tables and figures."""

import dataclasses
import json
import pathlib
import tempfile

from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.documents import blocks, update
from experiments.documents.figures import Drawing, digest_in
from experiments.documents.registry import Registry
from experiments.documents.sources import Sources, framed
from taiji_jax.errors import UserError

PAGE = """# Page
<!-- made: speed -->
<!-- /made -->
Prose.
"""
PNG = 'docs/curve.png'


def speed(sources):
  made = sources.benchmark('speed')
  return framed(f'{made.result["seconds"]} s', made)


def draw(seconds):
  figure = Figure()
  figure.subplots().plot(seconds)
  return figure


class UpdateTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.root = pathlib.Path(temporary.name)
    (self.root / 'docs').mkdir()
    (self.root / 'benchmarks').mkdir()
    self.page = self.root / 'docs/page.md'
    self.page.write_text(PAGE)
    self.registry = Registry(
      tables={'speed': speed},
      figures={
        PNG: Drawing(
          lambda sources: [sources.benchmark('speed').result['seconds'], 1],
          draw,
        )
      },
    )
    self.measured(2)

  def measured(self, seconds):
    record = {
      'command': 'python -m speed',
      'date': '2026-11-22',
      'machine': {'cores': 2, 'python': '3.11', 'jax': '0.10.2'},
      'result': {'seconds': seconds},
    }
    path = self.root / 'benchmarks/speed.json'
    path.write_text(json.dumps(record))

  def update(self, write=False):
    return update.update(self.root, self.registry, Sources(self.root), write)

  def told(self, write=False):
    return [str(fault) for fault in self.update(write)]

  def test_makes_and_is_content(self):
    stale = [(f.where, f.what) for f in self.update()]
    self.assertEqual(stale, [('docs/page.md', 'speed'), (PNG, '')])
    self.assertEqual(self.page.read_text(), PAGE)
    self.assertFalse((self.root / PNG).exists())
    self.assertTrue(all(f.made for f in self.update(write=True)))
    self.assertEqual(
      self.page.read_text(),
      '# Page\n<!-- made: speed -->\n\n2 s\n\n`python -m speed`, 2026-11-22,'
      ' two CPU cores, Python 3.11, jax 0.10.2.\n\n<!-- /made -->\nProse.\n',
    )
    self.assertEmpty(self.update())

  def test_other_numbers_are_stale(self):
    self.update(write=True)
    before = digest_in(self.root / PNG)
    self.measured(3)
    self.assertEqual(
      self.told(),
      [
        'docs/page.md, block speed: is stale; python -m experiments.docs makes'
        ' it',
        'docs/curve.png: is stale; python -m experiments.docs makes it',
      ],
    )
    self.update(write=True)
    self.assertIn('3 s', self.page.read_text())
    self.assertNotEqual(digest_in(self.root / PNG), before)
    self.assertEmpty(self.update())

  def test_an_edit_by_hand_is_stale(self):
    self.update(write=True)
    made = self.page.read_text()
    self.page.write_text(made.replace('2 s', '1 s'))
    self.assertLen(self.update(), 1)
    self.update(write=True)
    self.assertEqual(self.page.read_text(), made)

  def test_another_version_of_the_drawing_is_stale(self):
    self.update(write=True)
    drawing = dataclasses.replace(self.registry.figures[PNG], version=2)
    self.registry = dataclasses.replace(self.registry, figures={PNG: drawing})
    self.assertLen(self.update(), 1)

  def test_a_file_that_is_no_figure_is_drawn(self):
    self.update(write=True)
    (self.root / PNG).write_text('<<<<<<< conflict')
    self.assertLen(self.update(), 1)
    self.update(write=True)
    self.assertEmpty(self.update())

  def test_rows_and_blocks_that_have_no_partner(self):
    self.page.write_text(PAGE.replace('speed', 'sped'))
    told = '\n'.join(self.told(write=True))
    self.assertIn('docs/page.md, block sped: has no row in', told)
    self.assertIn('it has speed.', told)
    self.assertIn('block speed: stands in no page', told)
    self.assertEqual(self.page.read_text(), PAGE.replace('speed', 'sped'))
    self.page.write_text(PAGE)
    (self.root / 'docs/other.png').write_bytes(b'')
    self.assertIn('docs/other.png: has no row in', '\n'.join(self.told()))

  def test_results_that_are_not_there(self):
    self.update(write=True)
    made = self.page.read_text()
    (self.root / 'benchmarks/speed.json').unlink()
    told = self.told(write=True)
    self.assertLen(told, 2)
    for line in told:
      self.assertIn('speed.json', line)
      self.assertIn(
        'run python -m experiments.benchmarks.speed --save=speed', line
      )
    self.assertEqual(self.page.read_text(), made)

  def test_results_that_lack_a_number(self):
    path = self.root / 'benchmarks/speed.json'
    record = json.loads(path.read_text()) | {'result': {}}
    path.write_text(json.dumps(record))
    self.assertIn("its results have no 'seconds'", self.told(write=True)[0])


class BlocksTest(absltest.TestCase):
  def test_marks(self):
    (block,) = blocks.find('p', PAGE)
    self.assertEqual((block.name, block.text), ('speed', ''))
    text = blocks.replaced(PAGE, {block: 'one\ntwo'})
    (block,) = blocks.find('p', text)
    self.assertEqual(block.text, 'one\ntwo')
    self.assertEqual(blocks.replaced(text, {block: 'one\ntwo'}), text)
    # Not a mark: it does not begin its line.
    self.assertEmpty(blocks.find('p', 'Put `<!-- made: x -->` there.'))

  def test_marks_that_do_not_match(self):
    for text, message in (
      ('\n<!-- made: a -->\n', 'p:2: the block a is not closed; put'),
      (
        '<!-- made: a -->\n<!-- made: b -->\n<!-- /made -->\n',
        'p:1: the block a is not closed; put',
      ),
      ('<!-- /made -->\n', 'p:1: the mark .* closes no block; delete it'),
    ):
      with self.subTest(text), self.assertRaisesRegex(UserError, message):
        blocks.find('p', text)


if __name__ == '__main__':
  absltest.main()
