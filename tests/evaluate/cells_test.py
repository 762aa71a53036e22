import json
import pathlib

from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.evaluate import cells as cells_lib
from taiji_jax.evaluate import judged_rows
from taiji_jax.evaluate.cells import Cell, Cells, Line, Stamp
from taiji_jax.evaluate.judged_rows import JudgedRows

STAMP = Stamp('k', 'd')
VALUES = {
  'accuracy': np.array([1, 0, np.nan], np.float32),
  'reward': np.array([1 / 3, 0.5, 2.0], np.float32),
  'nothing': np.full(3, np.nan, np.float32),
}


def cell(arm='a', seed=0):
  return Cell(arm, seed, {'train': 1.26}, VALUES, 0.5)


class CellsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir()) / 'cells'

  def cells(self, stamp=STAMP, **options):
    options = {'metrics': ('accuracy',), 'shown': ('accuracy',)} | options
    return Cells(self.folder, {'a': stamp}, **options)

  def test_made_once_and_read_as_it_stands(self):
    made = self.cells().make('a', 0, cell)
    again = self.cells().make('a', 0, lambda: self.fail('made twice'))
    for found in (made, again):
      np.testing.assert_allclose(found.values['reward'], [0.333333, 0.5, 2])
      np.testing.assert_array_equal(found.values['accuracy'], [1, 0, np.nan])
      self.assertEqual(found.seconds, {'train': 1.3})
    record = json.loads((self.folder / 'a-0.json').read_text())
    self.assertEqual((record['key'], record['data']), ('k', 'd'))
    # 1 / 2 rows with a value; a metric without any has no mean.
    self.assertEqual(record['mean'], {'accuracy': 0.5, 'reward': 0.944444})

  def test_another_recipe_or_other_data(self):
    self.cells().make('a', 0, cell)
    for stamp, what in (
      (Stamp('other', 'd'), 'another recipe'),
      (Stamp('k', 'other'), 'other data'),
    ):
      with self.assertRaisesRegex(UserError, f'made with {what}; delete it or'):
        self.cells(stamp).find('a', 0)
      self.assertIsNone(self.cells(stamp, remake=True).find('a', 0))

  def test_damaged(self):
    self.cells().make('a', 0, cell)
    (self.folder / 'a-0.json').write_text('{"arm": "a"')
    with self.assertRaisesRegex(
      UserError, "a-0.json' can't be read .* delete it"
    ):
      self.cells().find('a', 0)

  def test_the_data_of_what_stands(self):
    def data():
      return cells_lib.data_of(self.folder, [('a', 0), ('a', 1), ('b', 0)])

    self.assertEqual(data(), '')
    self.cells().make('a', 0, cell)
    (self.folder / 'not-mine.json').write_text('{')
    self.assertEqual(data(), 'd')
    self.cells(Stamp('k', 'e')).make('a', 1, lambda: cell(seed=1))
    with self.assertRaisesRegex(UserError, 'made of different data'):
      data()
    (self.folder / 'a-1.json').write_text('{}')
    with self.assertRaisesRegex(UserError, r'a-1.json was written by .* 0\.1'):
      data()
    (self.folder / 'a-1.json').write_text('{"ar')
    with self.assertRaisesRegex(UserError, "a-1.json' can't be read .*anew"):
      data()

  def test_a_cell_from_before_there_was_a_metric(self):
    self.cells().make('a', 0, cell)
    more = {'metrics': ('accuracy', 'novel')}
    with self.assertRaisesRegex(UserError, 'a-0.json has no novel: .*delete'):
      self.cells(**more).find('a', 0)
    self.assertIsNone(self.cells(**more, remake=True).find('a', 0))

  def test_text_is_json_with_a_line_a_list(self):
    record = {'a': 1, 'b': Line([1, None]), 'c': {'d': Line([])}, 'e': {}}
    found = cells_lib.text(record)
    self.assertEqual(
      json.loads(found), {'a': 1, 'b': [1, None], 'c': {'d': []}, 'e': {}}
    )
    self.assertIn(' "b": [1,null],\n', found)

  def test_rows_come_back(self):
    rows = JudgedRows(
      np.array([4, 4, 7]),
      np.array([True, False, True]),
      {'popular': {'accuracy': VALUES['accuracy']}},
      {'tower': 2.26},
    )
    judged_rows.write(self.folder, rows, STAMP)
    found = judged_rows.read(self.folder, Stamp('k'))
    np.testing.assert_array_equal(found.user_r, rows.user_r)
    np.testing.assert_array_equal(found.seen_r, rows.seen_r)
    np.testing.assert_array_equal(
      found.floors['popular']['accuracy'], VALUES['accuracy']
    )
    self.assertEqual(found.seconds, {'tower': 2.3})
    with self.assertRaisesRegex(UserError, 'rows.json was made with other d'):
      judged_rows.read(self.folder, Stamp('k', 'e'))
    (self.folder / 'rows.json').unlink()
    with self.assertRaisesRegex(UserError, 'rows.json is not there'):
      judged_rows.read(self.folder, STAMP)


if __name__ == '__main__':
  absltest.main()
