"""The generic reader: column maps, times, CSV against Parquet, bad rows."""

import importlib.util
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import tables
from taiji_jax.errors import UserError

_ITEMS = 'sku,name,path\na1,"Nut, hex",Tools>Nuts\na2,Bolt,\na3, Saw ,Tools\n'
_LOG = 'who,sku,at,clicked,bought\nx,a1,30,1,0\ny,a3,10,0,0\nx,a2,20,true,1\n'
_USERS = 'who,age,city\nx,30,Rome\ny,,Oslo\n'


class TablesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self._root = pathlib.Path(self.create_tempdir().full_path)

  def _write(self, name: str, text: str) -> str:
    (self._root / name).write_text(text, encoding='utf-8')
    return str(self._root / name)

  def _spec(self, log=_LOG, items=_ITEMS, users=_USERS, **changes):
    fields = {
      'interactions': self._write('log.csv', log),
      'items': self._write('items.csv', items),
      'users': users and self._write('users.csv', users),
      'user': 'who',
      'item': 'sku',
      'time': 'at',
      'click': 'clicked',
      'conversion': 'bought',
      'title': 'name',
      'categories': ('path',),
      'category_separator': '>',
      'profile': ('age', 'city'),
    }
    return tables.TableSpec(**(fields | changes))

  def test_reads_a_hand_made_log(self):
    log, catalog = tables.read(self._spec())
    self.assertEqual(catalog.item_ids, ('a1', 'a2', 'a3'))
    self.assertEqual(catalog.titles, ('Nut, hex', 'Bolt', 'Saw'))
    self.assertEqual(catalog.categories, (('Tools', 'Nuts'), (), ('Tools',)))
    self.assertEqual(log.user_ids, ('x', 'y'))
    self.assertEqual(
      [dict(p) for p in log.profiles],
      [{'age': '30', 'city': 'Rome'}, {'city': 'Oslo'}],
    )
    np.testing.assert_array_equal(log.time_e, [10, 20, 30])
    np.testing.assert_array_equal(log.item_e, [2, 1, 0])
    np.testing.assert_array_equal(log.click_e, [False, True, True])
    np.testing.assert_array_equal(log.conversion_e, [False, True, False])

  def test_without_event_columns_every_row_is_a_purchase(self):
    spec = self._spec(click=None, conversion=None, users=None, profile=())
    log, _ = tables.read(spec)
    self.assertTrue(log.click_e.all() and log.conversion_e.all())
    self.assertEqual(log.user_ids, ('x', 'y'))

  def test_columns_of_levels_end_at_the_first_empty_one(self):
    items = 'sku,name,l1,l2,l3\na1,N,A,B,C\na2,B,A,,C\na3,S,,,\n'
    spec = self._spec(
      items=items, categories=('l1', 'l2', 'l3'), category_separator=None
    )
    _, catalog = tables.read(spec)
    self.assertEqual(catalog.categories, (('A', 'B', 'C'), ('A',), ()))

  @parameterized.parameters(
    (('3', '1', '2'), (1, 2, 3)),
    # Decimals: microseconds, 0.5 s = 500,000.
    (('3', '0.5', '2'), (500_000, 2_000_000, 3_000_000)),
    # 1970-01-02 is 86,400 s; one o'clock at +01:00 is midnight UTC.
    (
      ('1970-01-02', '1970-01-01T01:00:00+01:00', '1970-01-01T00:00:01'),
      (0, 1_000_000, 86_400_000_000),
    ),
  )
  def test_times(self, given, expected):
    log = 'who,sku,at\n' + ''.join(f'x,a1,{t}\n' for t in given)
    spec = self._spec(log=log, click=None, conversion=None)
    np.testing.assert_array_equal(tables.read(spec)[0].time_e, expected)

  def test_a_tab_separated_file_reads_the_same(self):
    path = self._write('log.tsv', _LOG.replace(',', '\t'))
    one, _ = tables.read(self._spec())
    two, _ = tables.read(self._spec(interactions=path))
    np.testing.assert_array_equal(one.item_e, two.item_e)

  @absltest.skipUnless(importlib.util.find_spec('pyarrow'), 'needs pyarrow')
  def test_parquet_reads_as_csv_and_names_the_row(self):
    import pyarrow
    from pyarrow import parquet

    columns = {
      'who': ['x', 'y', 'x'],
      'sku': ['a1', 'a3', 'a2'],
      'at': [30, 10, 20],
      'clicked': [True, False, True],
      'bought': [0, 0, 1],
    }
    path = str(self._root / 'log.parquet')
    parquet.write_table(pyarrow.table(columns), path)
    log, _ = tables.read(self._spec(interactions=path))
    csv, _ = tables.read(self._spec())
    for name in ('user_e', 'item_e', 'time_e', 'click_e', 'conversion_e'):
      np.testing.assert_array_equal(getattr(log, name), getattr(csv, name))
    parquet.write_table(
      pyarrow.table(columns | {'sku': ['a1', 'a3', 'zz']}), path
    )
    with self.assertRaisesRegex(UserError, "row 3: item 'zz'"):
      tables.read(self._spec(interactions=path))
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(content[: len(content) // 2])
    with self.assertRaisesRegex(UserError, 'as Parquet'):
      tables.read(self._spec(interactions=path))

  @parameterized.named_parameters(
    ('few_fields', {'log': 'who,sku,at,clicked,bought\nx,a1,3\n'}, 'csv:2: 3'),
    ('time', {'log': _LOG.replace('10', 'noon')}, "csv:3: time 'noon'"),
    ('nan_time', {'log': _LOG.replace('10', 'nan')}, "csv:3: time 'nan'"),
    ('mixed', {'log': _LOG.replace('10', '2020-01-01')}, 'csv:2: time'),
    ('huge', {'log': _LOG.replace('10', '9' * 30)}, 'csv:3: time 9+'),
    ('truth', {'log': _LOG.replace('true', 'maybe')}, "csv:4: clicked is 'm"),
    ('orphan', {'log': _LOG.replace('10,0,0', '10,0,1')}, 'csv:3: a conv'),
    ('item', {'log': _LOG.replace('a3', 'a9')}, "csv:3: item 'a9'"),
    ('user', {'log': _LOG.replace('y,', 'z,')}, "csv:3: user 'z'"),
    ('no_rows', {'log': 'who,sku,at,clicked,bought\n'}, 'holds no rows'),
    ('empty', {'log': ''}, 'occurs 0 times'),
    ('quote', {'items': 'sku,name,path\na1,"open,x\n'}, 'csv:2'),
    ('no_title', {'items': 'sku,name,path\na1,,x\n'}, 'csv:2.*no title'),
    ('no_id', {'items': 'sku,name,path\n,a,x\n'}, 'csv:2.*id is empty'),
    ('item_twice', {'items': _ITEMS + 'a1,x,\n'}, "csv:5.*'a1'.*csv:2"),
    ('user_twice', {'users': _USERS + 'x,1,y\n'}, "csv:4.*'x'.*csv:2"),
    ('column', {'title': 'label'}, "'label' occurs 0 times"),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(UserError, message):
      tables.read(self._spec(**changes))

  def test_a_record_over_two_lines_keeps_the_line_numbers(self):
    items = 'sku,name,path\na1,"Nut,\nhex",\na1,x,\n'
    with self.assertRaisesRegex(UserError, 'csv:4'):
      tables.read(self._spec(items=items))

  @parameterized.parameters(
    {'interactions': 'nowhere.csv'},
    {'interactions': __file__},
    {'categories': ('a', 'b', 'c', 'd'), 'category_separator': None},
    {'categories': ('a', 'b')},
    {'users': None},
  )
  def test_refuses_the_map(self, **changes):
    with self.assertRaises(UserError):
      tables.read(self._spec(**changes))


if __name__ == '__main__':
  absltest.main()
