"""MiniOneRec's files: what is read, and each way to be refused."""

import csv
import json
import os
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import minionerec
from taiji_jax.errors import UserError

DATA = os.environ.get('TAIJI_DATA')
HEADER = [
  *('user_id', 'history_item_title', 'item_title', 'history_item_id'),
  *('item_id', 'history_item_sid', 'item_sid'),
]
SIDS = {'0': '<a_1><b_2>', '2': '<a_1><b_0>', '10': '<a_1><b_2>'}
TITLES = {'0': 'Nut, 1/4"', '2': "O'Ring", '10': 'Bolt'}


def sample(user, history, item):
  return [
    user,
    str([TITLES[str(i)] for i in history]),
    TITLES[str(item)],
    str(history),
    str(item),
    str([SIDS[str(i)] for i in history]),
    SIDS[str(item)],
  ]


VALID = [sample('A1', [0], 2), sample('A2', [0, 10, 10], 10)]
TEST = [sample('A1', [0, 2], 10)]


class MiniOneRecTest(parameterized.TestCase):
  def folder(self, name='Nuts', folder=None, **parts):
    """Returns a folder with the files; `parts` replace what is in them."""
    path = pathlib.Path(folder or self.create_tempdir().full_path)
    items = {
      '10': {'title': ' Bolt ', 'description': '', 'brand': None},
      '0': {
        'title': TITLES['0'],
        'description': str(['Steel &amp; zinc.', "It's\nhex."]),
        'brand': 'Acme',
      },
      '2': {'title': TITLES['2'], 'description': '[sealed] ring'},
    }
    sequences = {'S1': [0, 2, 10], 'A1': [0], 'A2': [0, 10]}
    index = {
      i: [f'{token}>' for token in sid.split('>') if token]
      for i, sid in SIDS.items()
    }
    info = ''.join(f'{SIDS[i]}\t{TITLES[i]}\t{i}\n' for i in SIDS)
    texts = {
      f'index/{name}.item.json': json.dumps(parts.get('items', items)),
      f'index/{name}.index.json': json.dumps(parts.get('index', index)),
      f'info/{name}_5.txt': parts.get('info', info),
      'train/train_sequences.json': json.dumps(
        parts.get('sequences', sequences)
      ),
    }
    for file, text in texts.items():
      (path / file).parent.mkdir(exist_ok=True)
      (path / file).write_text(text)
    for part, rows in (('valid', VALID), ('test', TEST), ('train', None)):
      rows = parts.get(part, rows)
      (path / part).mkdir(exist_ok=True)
      if rows is not None:
        with (path / part / f'{name}_5.csv').open('w', newline='') as stream:
          writer = csv.writer(stream)
          writer.writerow(parts.get('header', HEADER))
          writer.writerows(rows)
    return str(path)

  def test_items(self):
    catalog = minionerec.read(self.folder()).catalog
    self.assertEqual(catalog.ids, ('0', '2', '10'))
    self.assertEqual(catalog.titles, ('Nut, 1/4"', "O'Ring", 'Bolt'))
    self.assertEqual(
      catalog.texts,
      ('Nut, 1/4" Steel & zinc. It\'s hex.', "O'Ring [sealed] ring", 'Bolt'),
    )
    self.assertEqual(catalog.brands, ('Acme', '', ''))
    np.testing.assert_array_equal(catalog.codes_nl, [[1, 2], [1, 0], [1, 2]])

  def test_rows_of_csv_and_of_sequences(self):
    data = minionerec.read(self.folder())
    self.assertEqual(data.valid.user, ('A1', 'A2'))
    self.assertEqual(data.valid.history(1).tolist(), [0, 2, 2])
    self.assertEqual(data.valid.target_b.tolist(), [1, 2])
    self.assertEqual(data.test.history(0).tolist(), [0, 1])
    # Every prefix: S1 twice, A1 never, A2 once.
    self.assertEqual(data.train.user, ('S1', 'S1', 'A2'))
    self.assertEqual(data.train.history(1).tolist(), [0, 1])
    self.assertEqual(data.train.target_b.tolist(), [1, 2, 2])
    self.assertIsNone(data.share)

  def test_a_training_csv_goes_before_sequences(self):
    data = minionerec.read(self.folder(train=[sample('T', [2], 0)]))
    self.assertEqual(data.train.user, ('T',))
    self.assertEqual(data.share, 1.0)

  def test_the_share_of_a_known_set(self):
    data = minionerec.read(self.folder(name='Industrial_and_Scientific'))
    self.assertEqual(data.official_train, 36_259)
    self.assertAlmostEqual(data.share, 3 / 36_259)

  def test_histories_are_cut_to_the_last_items(self):
    path = self.folder(train=[sample('T', [2, 0, 10], 0)])
    data = minionerec.read(path, history=2)
    self.assertEqual(data.train.history(0).tolist(), [0, 2])
    self.assertEqual(data.valid.history(1).tolist(), [2, 2])
    self.assertEqual(data.test.history(0).tolist(), [0, 1])
    long = self.folder(valid=[sample('V', [0] * 11 + [2], 0)])
    self.assertEqual(
      minionerec.read(long, history=12).valid.length_b.tolist(), [12]
    )
    with self.assertRaisesRegex(UserError, '12 items; give 1 to 10'):
      minionerec.read(long, history=3)
    with self.assertRaisesRegex(UserError, 'history is 0; give at least 1'):
      minionerec.read(path, history=0)

  def test_a_category_is_a_name_and_no_pattern(self):
    path = self.folder('[a-z]*')
    self.assertLen(minionerec.read(path, '[a-z]*').test, 1)
    with self.assertRaisesRegex(UserError, r'0 files \*\[a-z\]\*\.item.json'):
      minionerec.read(path, '*[a-z]')
    with self.assertRaisesRegex(UserError, r'0 files \[\*\.item.json'):
      minionerec.read(self.folder(), '[')
    for category in ('../Nuts', '/Nuts', 'index/'):
      with self.assertRaisesRegex(UserError, 'without a folder'):
        minionerec.read(path, category)

  def test_a_home_of_nobody(self):
    with self.assertRaisesRegex(UserError, "'~nobody-here/x' begins with"):
      minionerec.read('~nobody-here/x')

  def test_one_folder_of_several_categories(self):
    path = self.folder()
    self.folder('Bolts', path, valid=VALID[:1])
    with self.assertRaisesRegex(UserError, 'holds 2 files .*name the category'):
      minionerec.read(path)
    self.assertLen(minionerec.read(path, 'Bolts').valid, 1)
    self.assertLen(minionerec.read(path, 'Nuts').valid, 2)

  @parameterized.parameters(
    ({0: ''}, r'5.csv:2: column user_id is empty'),
    ({1: "['a', 'b']"}, 'column history_item_title: 2 elements where .* has 1'),
    ({1: "['a]"}, 'csv:2: column history_item_title, character 2'),
    ({3: '[0, 7]'}, "column history_item_id: item '7' is not in the catalogue"),
    ({3: '0'}, "column history_item_id, character 1: '0' stands where"),
    ({3: "['0']"}, 'column history_item_id, character 2'),
    (
      {1: '[]', 3: '[]', 5: '[]'},
      'column history_item_id: a history of 0 items; give 1 to 10',
    ),
    (
      {1: str(['a'] * 11), 3: str([0] * 11), 5: str([SIDS['0']] * 11)},
      'a history of 11 items',
    ),
    ({4: '7'}, "column item_id: item '7' is not in the catalogue"),
    ({5: '[\'<a_1><b_2>\'] + [exit()]'}, 'history_item_sid, character 16'),
    ({5: "['<a_9><b_2>']"}, "history_item_sid: ID '<a_9><b_2>' of item '0'"),
    ({6: '<a_1><b_2>'}, "column item_sid: ID .* index calls '<a_1><b_0>'"),
  )  # fmt: skip
  def test_refuses_a_row(self, change, message):
    row = sample('A1', [0], 2)
    for column, text in change.items():
      row[column] = text
    with self.assertRaisesRegex(UserError, message):
      minionerec.read(self.folder(valid=[row]))

  @parameterized.parameters(
    (
      {'header': [*HEADER[:-1], 'sid']},
      r"csv:1: column 'item_sid' occurs 0 times",
    ),
    ({'valid': []}, 'holds no rows'),
    ({'valid': [VALID[0][:-1]]}, 'csv:2: 6 fields where the header has 7'),
    ({'items': {}}, 'holds no items'),
    ({'items': {'0': {'title': ' '}}}, 'item 0 has no title'),
    ({'items': {'0': 'Nut'}}, "item 0 is 'Nut'"),
    ({'items': {'0': {'title': ['a', 1]}}}, 'item 0: title is'),
    ({'index': {'0': ['<a_1>', '<b_2>']}}, 'no ID for items 2, 10'),
    ({'info': '<a_1><b_2>\tNut\n'}, '5.txt:1: 2 fields between tabs'),
    ({'info': '<a_1><b_2>\tNut\t0\n' * 2}, "5.txt:2: item '0' was told"),
    ({'info': '<a_1><b_2>\tNut\t0\n'}, r"lacks item '2' .* \(2 in all\)"),
    ({'info': '<a_1><b_3>\tNut\t0\n'}, "5.txt:1: ID '<a_1><b_3>' of item"),
    ({'sequences': {'S1': [0, 'S5']}}, "user S1, place 1: item 'S5' is not"),
    ({'sequences': {'S1': 3}}, "user S1 has '3'; give a list"),
    ({'sequences': {'S1': [0]}}, 'no user with two items'),
  )
  def test_refuses_a_file(self, parts, message):
    with self.assertRaisesRegex(UserError, message):
      minionerec.read(self.folder(**parts))

  def test_refuses_a_folder_without_files(self):
    with self.assertRaisesRegex(UserError, r'index holds 0 files \*.item.json'):
      minionerec.read(self.create_tempdir().full_path)
    path = self.folder()
    (pathlib.Path(path) / 'train/train_sequences.json').unlink()
    with self.assertRaisesRegex(UserError, r'train holds 0 files \*.csv'):
      minionerec.read(path)

  def test_codes_of_another_space(self):
    with self.assertRaisesRegex(UserError, 'code 2 of level 2 is out of range'):
      minionerec.read(self.folder(), codes=2)

  @absltest.skipUnless(DATA, 'needs TAIJI_DATA')
  def test_industrial_has_its_known_counts(self):
    data = minionerec.read(f'{DATA}/minionerec_industrial')
    self.assertLen(data.catalog, 3686)
    self.assertEqual((len(data.valid), len(data.test)), (4532, 4533))
    self.assertEqual((len(data.train), data.official_train), (28_460, 36_259))
    self.assertAlmostEqual(data.share, 0.7849, places=4)
    self.assertLen({*data.valid.user, *data.test.user}, 3285)
    self.assertLen(np.unique(data.catalog.codes_nl, axis=0), 3670)
    self.assertEqual(data.test.length_b.max(), 10)


if __name__ == '__main__':
  absltest.main()
