"""The generic reader: column maps, times, CSV against Parquet, bad rows."""

import contextlib
import dataclasses
import importlib.util
import pathlib
import re

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import tables
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe

_ROOT = pathlib.Path(__file__).resolve().parents[2]
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
    with self.assertLogs('taiji_jax') as logged:
      _, catalog = tables.read(spec)
    self.assertEqual(catalog.categories, (('A', 'B', 'C'), ('A',), ()))
    (told,) = logged.output
    self.assertRegex(
      told,
      '1 left out: category names below an empty level of an item'
      r' \(first .*items.csv:3\)',
    )

  @parameterized.parameters(
    ("['A', 'B']", ('A', 'B')),
    ('["A, x", "B\\u00e9"]', ('A, x', 'B\xe9')),
    ("""['A', "B's", 'C', 'D']""", ('A', "B's", 'C')),
    ("['A',]", ('A',)),
    ('[]', ()),
    ('[ ]', ()),
    ("['A', '', 'C']", ('A',)),
    # Names in brackets are names.
    ('[A]', ('[A]',)),
    ("A ['B']", ("A ['B']",)),
  )
  def test_a_list_in_a_text_is_a_list(self, cell, levels):
    items = 'sku\tname\tpath\na1\tN\t"{}"\na2\tM\t\na3\tL\t\n'
    items = items.format(cell.replace('"', '""'))
    for separator in (None, '>'):
      spec = self._spec(
        _LOG.replace(',', '\t'),
        items,
        None,
        profile=(),
        separator='\t',
        category_separator=separator,
      )
      _, catalog = tables.read(spec)
      self.assertEqual(catalog.categories[0], levels)

  @parameterized.parameters(
    # numpy's print of an array, a list of lists, a number, an end cut off.
    (("['A' 'B']",), "path is .*'A' 'B'.* looks like a list"),
    (("[['A', 'B']]",), 'looks like a list'),
    (("['A', 3, 'B']",), 'looks like a list'),
    (("['A\\x', 'B']",), 'looks like a list'),
    (("['A']", 'B'), 'l1 is .*in the only column of data.tables.categories'),
  )
  def test_what_only_looks_like_a_list_is_refused(self, cells, message):
    names = ('path',) if len(cells) == 1 else ('l1', 'l2')
    quoted = ','.join(f'"{cell}"' for cell in cells)
    items = f'sku,name,{",".join(names)}\na1,N,{quoted}\n'
    spec = self._spec(items=items, categories=names, category_separator=None)
    with self.assertRaisesRegex(UserError, message):
      tables.read(spec)

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

  def test_ids_may_be_called_otherwise_in_the_other_tables(self):
    spec = self._spec(
      items=_ITEMS.replace('sku', 'ArtNr'),
      users=_USERS.replace('who', 'Kunde'),
      catalog_item='ArtNr',
      profile_user='Kunde',
    )
    log, catalog = tables.read(spec)
    one, expected = tables.read(self._spec())
    self.assertEqual(catalog, expected)
    self.assertEqual(log.profiles, one.profiles)
    np.testing.assert_array_equal(log.item_e, one.item_e)

  def test_events_at_one_time_stay_in_the_order_of_the_file(self):
    rows = 'y,a3,10,1,0', 'x,a1,10,1,0', 'x,a2,10,1,1', 'y,a1,5,1,0'
    header = _LOG.partition('\n')[0]
    log, _ = tables.read(self._spec('\n'.join((header, *rows)) + '\n'))
    np.testing.assert_array_equal(log.item_e, [0, 2, 0, 1])
    np.testing.assert_array_equal(log.user_e, [1, 1, 0, 0])

  def test_a_column_that_is_not_there_names_its_field(self):
    items = _ITEMS.replace('sku', 'ArtNr')
    with self.assertRaisesRegex(UserError, r'in data\.tables\.catalog_item'):
      tables.read(self._spec(items=items))

  @parameterized.parameters(';', '\t', '|')
  def test_another_separator_is_told_and_read(self, separator):
    texts = (_LOG, _ITEMS.replace('"Nut, hex"', 'Nut'), _USERS)
    texts = [text.replace(',', separator) for text in texts]
    told = re.escape(f'looks separated by {separator!r}')
    with self.assertRaisesRegex(UserError, told + '.*data.tables.separator'):
      tables.read(self._spec(*texts))
    log, _ = tables.read(self._spec(*texts, separator=separator))
    one, _ = tables.read(self._spec())
    self.assertEqual(log.profiles, one.profiles)
    np.testing.assert_array_equal(log.item_e, one.item_e)

  def test_a_quoted_header_with_another_separator_is_told_too(self):
    items = '"sku";"name";"path"\n"a1";"Nut";""\n'
    with self.assertRaisesRegex(UserError, "looks separated by ';'"):
      tables.read(self._spec(items=items))

  def test_other_separators_within_the_columns_are_none(self):
    items = 'sku,name,"path;of;the;item"\na1,N;a;b;c,x\na2,B,\na3,S,\n'
    spec = self._spec(items=items, categories=('path;of;the;item',))
    self.assertEqual(tables.read(spec)[1].titles, ('N;a;b;c', 'B', 'S'))

  @parameterized.named_parameters(
    # 'ü' is the byte 0xfc there; in UTF-16 the first byte is no UTF-8.
    ('cp1252', 1, 'cp1252', r'csv:3: byte 4 of the line \(0xfc\)'),
    ('utf_16', 1, 'utf-16', r'csv:1: byte 1 of the line'),
    # Far behind what the decoder reads at a time.
    ('far', 9999, 'cp1252', r'csv:10001: byte 4'),
  )
  def test_text_that_is_not_utf_8_names_the_line(self, rows, encoding, where):
    spec = self._spec()
    items = ''.join(f'{n},x,\n' for n in range(rows))
    items = f'sku,name,path\n{items}y,Dübel,\n'
    pathlib.Path(spec.items).write_bytes(items.encode(encoding))
    with self.assertRaisesRegex(UserError, where + '.* not UTF-8'):
      tables.read(spec)

  @parameterized.parameters('interactions', 'items', 'users')
  def test_a_missing_file_names_field_and_folder(self, name):
    spec = dataclasses.replace(self._spec(), **{name: 'no/where.csv'})
    told = rf"data.tables.{name} is 'no/where.csv', .* no file in {self._root};"
    with contextlib.chdir(self._root), self.assertRaisesRegex(UserError, told):
      tables.read(spec)

  @parameterized.parameters(
    ('y,a9,10,0,0', "csv:3: item 'a9' is not"),
    (',a3,10,0,0', 'csv:3: the user id is empty'),
    ('y,a3,noon,0,0', "csv:3: time 'noon'"),
    ('y,a3,2020-01-01,0,0', "csv:2: time '30'"),
    (f'y,a3,{9**30},0,0', 'csv:3: time .* 64 bits'),
    ('y,a3,10,maybe,0', "csv:3: clicked is 'maybe'"),
    ('y,a3,10,0,1', 'csv:3: a conversion'),
  )
  def test_the_first_wrong_row_and_how_many_more(self, row, message):
    log = _LOG.replace('y,a3,10,0,0', row) + f'{row}\n'
    with self.assertRaisesRegex(
      UserError, message + r'.*\(and 1 more such row'
    ):
      tables.read(self._spec(log=log))

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

  @absltest.skipUnless(importlib.util.find_spec('pyarrow'), 'needs pyarrow')
  def test_a_path_may_be_a_list_in_parquet(self):
    import pyarrow
    from pyarrow import parquet

    columns = {
      'sku': ['a1', 'a2', 'a3'],
      'name': ['N', 'B', 'S'],
      'path': [['Tools', 'Nuts, hex', 'x', 'y'], [], ['Tools']],
    }
    path = str(self._root / 'items.parquet')
    parquet.write_table(pyarrow.table(columns), path)
    spec = self._spec(category_separator=None)
    _, catalog = tables.read(dataclasses.replace(spec, items=path))
    self.assertEqual(
      catalog.categories, (('Tools', 'Nuts, hex', 'x'), (), ('Tools',))
    )

  @parameterized.named_parameters(
    ('few_fields', {'log': 'who,sku,at,clicked,bought\nx,a1,3\n'}, 'csv:2: 3'),
    ('time', {'log': _LOG.replace('10', 'noon')}, "csv:3: time 'noon'"),
    ('nan_time', {'log': _LOG.replace('10', 'nan')}, "csv:3: time 'nan'"),
    ('mixed', {'log': _LOG.replace('10', '2020-01-01')}, 'csv:2: time'),
    ('huge', {'log': _LOG.replace('10', '9' * 30)}, 'csv:3: time 9+'),
    ('truth', {'log': _LOG.replace('true', 'maybe')}, "csv:4: clicked is 'm"),
    ('orphan', {'log': _LOG.replace('10,0,0', '10,0,1')}, 'csv:3: a conv'),
    ('item', {'log': _LOG.replace('a3', 'a9')}, "csv:3: item 'a9'"),
    (
      'users',
      {'users': _USERS.replace('x,', 'X,').replace('y,', 'Y,')},
      "csv:2: user 'x' is not in the user table, nor is any other",
    ),
    ('no_rows', {'log': 'who,sku,at,clicked,bought\n'}, 'holds no rows'),
    ('empty', {'log': ''}, r'log.csv is empty \(0 bytes\)'),
    ('no_header', {'log': '\n'}, 'log.csv has no header: its first line is'),
    ('blanks', {'items': '\n \n\n'}, 'items.csv has no header'),
    ('mark_alone', {'log': '\ufeff'}, 'log.csv has no header'),
    ('no_user', {'log': _LOG + ',a1,1,1,1\n'}, 'csv:5: the user id is empty'),
    (
      'no_user_nor_table',
      {'log': _LOG + ',a1,1,1,1\n', 'users': None, 'profile': ()},
      'csv:5: the user id is empty',
    ),
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

  def test_users_whom_the_table_lacks_have_no_profile(self):
    with self.assertLogs('taiji_jax', 'WARNING') as logged:
      log, _ = tables.read(self._spec(log=_LOG + 'z,a1,40,1,1\nz,a2,50,1,0\n'))
    self.assertIn(
      '1 of 3 users of the log are not in the user', logged.output[0]
    )
    self.assertEqual(log.user_ids, ('x', 'y', 'z'))
    self.assertEqual(log.profiles[2], {})
    self.assertLen(log, 5)

  @parameterized.parameters(('yes', 'no'), ('Y', 'N'), ('TRUE', 'FALSE'))
  def test_words_for_truth(self, yes, no):
    log, _ = tables.read(self._spec())
    head, *rows = _LOG.splitlines()
    words = {'1': yes, 'true': yes, '0': no}
    cells = [row.split(',') for row in rows]
    other = [','.join(c[:3] + [words[x] for x in c[3:]]) for c in cells]
    found, _ = tables.read(self._spec(log='\n'.join([head, *other])))
    for name in ('click_e', 'conversion_e'):
      np.testing.assert_array_equal(getattr(found, name), getattr(log, name))

  def test_all_kinds_of_unusable_rows_are_told_at_once(self):
    items = _ITEMS + ',x,\na7,,\na8,,\n'
    log = _LOG + 'x,a9,1,1,1\nx,a7,1,1,1\n,a1,1,1,1\nx,a9,2,1,1\n'
    told = (
      r"csv:5: the item id is empty; fill it in\. .*csv:6: item 'a7' has no"
      r" title \(and 1 more such row\); .*csv:5: item 'a9' is not in the item"
      r' table \(and 1 more such row\); .*csv:7: the user id is empty; .*'
      r'set data\.drop=True'
    )
    with self.assertRaisesRegex(UserError, told):
      tables.read(self._spec(log, items))
    with self.assertLogs('taiji_jax') as logged:
      found, catalog = tables.read(self._spec(log, items), drop=True)
    expected, same = tables.read(self._spec())
    self.assertEqual(catalog, same)
    self.assertEqual(found.profiles, expected.profiles)
    for name in ('user_e', 'item_e', 'time_e', 'click_e', 'conversion_e'):
      np.testing.assert_array_equal(
        getattr(found, name), getattr(expected, name)
      )
    self.assertEqual(
      [int(record.getMessage().split()[0]) for record in logged.records],
      [1, 2, 2, 1, 1],
    )

  def test_what_nothing_drops_is_told_with_the_others(self):
    items = _ITEMS + 'a7,,\na1,x,\na1,y,\n'
    users = _USERS + 'x,1,2\n,4,5\n'
    log = _LOG + f'x,a1,noon,1,1\nx,a1,{9**30},maybe,1\nx,a1,5,0,1\n'
    with self.assertRaises(UserError) as raised:
      tables.read(self._spec(log, items, users))
    told = str(raised.exception)
    self.assertRegex(told, "csv:5: item 'a7' has no title.*set data.drop=True")
    for part in (
      r"items.csv:6: item id 'a1' was given before, at \S*items.csv:2 \(and 1"
      r' more such row\); keep one',
      "log.csv:5: time 'noon'",
      r'log.csv:6: time \d+ does not fit 64 bits',
      "log.csv:6: clicked is 'maybe'",
      r'log.csv:6: a conversion without a click \(and 1 more such row\)',
      "users.csv:4: user id 'x' was given before",
      'users.csv:5: the user id is empty',
    ):
      self.assertRegex(told, part)
    with self.assertRaises(UserError) as raised:
      tables.read(self._spec(log, items, users), drop=True)
    self.assertNotIn('a7', str(raised.exception))
    self.assertNotIn('data.drop', str(raised.exception))
    self.assertIn("'noon'", str(raised.exception))

  def test_an_event_without_a_user_is_dropped_without_a_user_table_too(self):
    spec = self._spec(_LOG + ',a1,1,1,1\n', users=None, profile=())
    log, _ = tables.read(spec, drop=True)
    self.assertEqual((log.user_ids, len(log)), (('x', 'y'), 3))

  def test_where_nothing_is_left_that_is_said(self):
    items = 'sku,name,path\na1,,\n'
    with self.assertRaisesRegex(UserError, 'holds no items'):
      tables.read(self._spec(items=items), drop=True)
    items = 'sku,name,path\nb1,x,\n'
    with self.assertRaisesRegex(UserError, 'No event of the log is left'):
      tables.read(self._spec(items=items), drop=True)

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
    {'users': None, 'profile': (), 'profile_user': 'who'},
    {'separator': ';;'},
    {'separator': '"'},
    {'separator': '\n'},
  )
  def test_refuses_the_map(self, **changes):
    with self.assertRaises(UserError):
      tables.read(self._spec(**changes))


class PageTest(absltest.TestCase):
  def test_the_recipe_of_the_page_reads_its_tables(self):
    page = (_ROOT / 'docs/your_data.md').read_text('utf-8')
    tables_of_page = re.findall(r'^```csv\n(.*?)^```', page, re.S | re.M)
    (program,) = re.findall(r'^```python\n(.*?)^```', page, re.S | re.M)
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'shop').mkdir()
    names = ('log.csv', 'items.csv', 'customers.csv')
    for name, text in zip(names, tables_of_page, strict=True):
      (folder / 'shop' / name).write_text(text, 'utf-8')
    found = {}
    exec(program, found)
    with contextlib.chdir(folder):
      log, catalog = tables.read(
        recipe.from_config(found['get_config']()).data.tables
      )
    self.assertEqual(catalog.titles[2], 'Gift card')
    self.assertEqual(catalog.categories[1:], (('Fixings', 'Screws'), ()))
    self.assertEqual(log.user_ids, ('c08', 'c17'))
    self.assertEqual(dict(log.profiles[0]), {'tier': 'silver'})
    np.testing.assert_array_equal(log.click_e, [True, True, False, True])
    np.testing.assert_array_equal(log.conversion_e, [True, False, False, True])


if __name__ == '__main__':
  absltest.main()
