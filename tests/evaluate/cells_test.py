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


ITEMS = np.array([4, -1, 3], np.int32)
ROWS = 8317


def cell(arm='a', seed=0):
  return Cell(arm, seed, {'train': 1.26}, VALUES, 0.5, ITEMS)


def answers(rng, rows=ROWS):
  """Returns metrics as arms of that many rows have them."""
  right = {
    f'right_{share}': (rng.random(rows) < share).astype(np.float32)
    for share in (0.38, 0.22, 0.2, 0.13, 0.18, 0.97, 0.05)
  }
  real = {name: rng.random(rows) for name in ('r_s', 'r_id', 'ctcvr')}
  alone_r = rng.random(rows) < 0.05
  return right | real | {'distinct_items': 900 + rows * alone_r - alone_r.sum()}


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
      np.testing.assert_array_equal(found.values['reward'], VALUES['reward'])
      np.testing.assert_array_equal(found.item_r, ITEMS)
      self.assertEqual(found.item_r.dtype, np.int32)
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

  def test_a_cell_without_items_or_any_value(self):
    values = {'accuracy': np.full(2, np.nan, np.float32)}
    made = self.cells().make('a', 0, lambda: Cell('a', 0, {}, values))
    self.assertIsNone(made.item_r)
    np.testing.assert_array_equal(made.values['accuracy'], [np.nan] * 2)

  def test_values_in_the_form_of_before(self):
    self.cells().make('a', 0, cell)
    path = self.folder / 'a-0.json'
    record = json.loads(path.read_text())
    record['values'] = {'accuracy': [1, 0, None]}
    path.write_text(json.dumps(record))
    # Whose it is comes first: it is of another recipe, not damaged.
    with self.assertRaisesRegex(UserError, 'made with another recipe'):
      self.cells(Stamp('new', 'd')).find('a', 0)
    self.assertIsNone(self.cells(Stamp('new', 'd'), remake=True).find('a', 0))
    with self.assertRaisesRegex(UserError, 'a-0.json is damaged .*delete it'):
      self.cells().find('a', 0)

  def test_columns_of_other_lengths(self):
    odd = Cell('a', 0, {}, VALUES, 0.0, np.arange(2))
    with self.assertRaisesRegex(UserError, 'columns differ in length'):
      self.cells().make('a', 0, lambda: odd)

  def test_files_of_many_rows_stay_small(self):
    rng = np.random.default_rng(0)
    values = answers(rng)
    item_r = rng.integers(-1, 4300, ROWS)
    made = Cell('a', 0, {}, values, 0.0, item_r)
    self.cells(metrics=(), shown=()).make('a', 0, lambda: made)
    self.assertLess((self.folder / 'a-0.json').stat().st_size, 100_000)
    named = ('popular', 'markov', 'copy_last', 'logit')
    stated = {'right_0.38', 'right_0.22', 'right_0.2'}
    floors = {name: answers(rng) for name in named} | {
      name: {m: v for m, v in answers(rng).items() if m in stated}
      for name in ('repeat_category', 'decayed_majority')
    }
    group_r = rng.random(ROWS) < 0.5
    groups = {
      f'{name}_{side}': group_r == side
      for name in ('history', 'confident', 'seen')
      for side in (False, True)
    }
    user_r = np.sort(rng.permutation(12_000)[:ROWS])
    rows = JudgedRows(user_r, groups, floors, 'logit')
    judged_rows.write(self.folder, rows, STAMP)
    self.assertLess((self.folder / 'rows.json').stat().st_size, 300_000)


class JudgedRowsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir()) / 'cells'

  def test_rows_come_back(self):
    rows = JudgedRows(
      np.array([4, 4, 7]),
      {'seen': np.array([True, False, True])},
      {'popular': {'accuracy': VALUES['accuracy'], 'reward': None}},
      'popular',
      {'accuracy': 'popular'},
      {'tower': 2.26},
      np.array([-1, 3, 4]),
    )
    judged_rows.write(self.folder, rows, STAMP)
    found = judged_rows.read(self.folder, Stamp('k'))
    np.testing.assert_array_equal(found.answer_r, [-1, 3, 4])
    np.testing.assert_array_equal(found.user_r, rows.user_r)
    self.assertEqual(found.groups['seen'].dtype, bool)
    np.testing.assert_array_equal(found.groups['seen'], rows.groups['seen'])
    self.assertEqual(set(found.floors['popular']), {'accuracy'})
    np.testing.assert_array_equal(
      found.floors['popular']['accuracy'], VALUES['accuracy']
    )
    self.assertEqual(found.retriever, 'popular')
    self.assertEqual(found.best, {'accuracy': 'popular'})
    self.assertEqual(found.seconds, {'tower': 2.3})
    with self.assertRaisesRegex(UserError, 'rows.json was made with other d'):
      judged_rows.read(self.folder, Stamp('k', 'e'))

  def test_users_alone(self):
    judged_rows.write(self.folder, JudgedRows(np.arange(3)), STAMP)
    found = judged_rows.read(self.folder, STAMP)
    np.testing.assert_array_equal(found.user_r, [0, 1, 2])
    self.assertEqual((found.groups, found.floors), ({}, {}))
    self.assertIsNone(found.answer_r)

  def test_missing_or_damaged(self):
    with self.assertRaisesRegex(UserError, 'rows.json is not there'):
      judged_rows.read(self.folder, STAMP)
    judged_rows.write(self.folder, JudgedRows(np.arange(3)), STAMP)
    path = self.folder / 'rows.json'
    record = json.loads(path.read_text())
    older = {'user_r': [0, 1], 'seen_r': [1, 0]}
    path.write_text(json.dumps(record | older))
    with self.assertRaisesRegex(UserError, 'rows.json is damaged .*anew'):
      judged_rows.read(self.folder, STAMP)
    with self.assertRaisesRegex(UserError, 'made with another recipe'):
      judged_rows.read(self.folder, Stamp('new', 'd'))
    path.write_text('{}')
    with self.assertRaisesRegex(UserError, 'rows.json is damaged'):
      judged_rows.read(self.folder, STAMP)

  def test_what_does_not_fit(self):
    user_r = np.arange(3)
    with self.assertRaisesRegex(ValueError, 'group g has 2 values for 3 rows'):
      JudgedRows(user_r, {'g': np.ones(2, bool)})
    with self.assertRaisesRegex(ValueError, 'm of the floor f has 1 values'):
      JudgedRows(user_r, {}, {'f': {'m': np.ones(1)}})
    with self.assertRaisesRegex(ValueError, "'x' is none of the floors"):
      JudgedRows(user_r, retriever='x')
    with self.assertRaisesRegex(ValueError, "'y' is none of the floors"):
      JudgedRows(user_r, best={'m': 'y'})
    with self.assertRaisesRegex(ValueError, "'all' is the name of all rows"):
      JudgedRows(user_r, {'all': np.ones(3, bool)})


if __name__ == '__main__':
  absltest.main()
