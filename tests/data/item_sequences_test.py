"""Sequences of items: the layout, what is refused, titles and profiles."""

import json
import os
import pathlib

from absl.testing import absltest, parameterized

from taiji_jax.data import history_profile, item_sequences
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

DATA = os.environ.get('TAIJI_DATA')

ITEMS = {
  '0': {
    'title': ' Tape,  blue ',
    'brand': '3M',
    'categories': 'Root,Tapes, Adhesives & Sealants,Tapes,Blue,Deep',
  },
  '1': {'title': 'Bolt', 'brand': None, 'categories': ''},
  '10': {'title': 'Nut', 'brand': 'Acme', 'categories': 'Root,Fasteners'},
}


class ItemSequencesTest(parameterized.TestCase):
  def write(self, sequences, items=None):
    folder = pathlib.Path(self.create_tempdir())
    (folder / 'X.inter.json').write_text(json.dumps(sequences))
    (folder / 'X.item.json').write_text(json.dumps(items or ITEMS))
    return str(folder)

  def test_reads_order_levels_and_brands(self):
    log, catalog = item_sequences.read(
      self.write({'b': [10, 0], 'a': [1, 0, 10]})
    )
    self.assertEqual(catalog.item_ids, ('0', '1', '10'))
    self.assertEqual(catalog.titles, ('Tape, blue', 'Bolt', 'Nut'))
    self.assertEqual(
      catalog.categories,
      (
        ('Tapes, Adhesives & Sealants', 'Tapes', 'Blue'),
        (),
        ('Fasteners',),
      ),
    )
    self.assertEqual(catalog.brands, ('3M', '', 'Acme'))
    of_a = log.item_e[log.user_e == log.user_ids.index('a')]
    self.assertEqual(of_a.tolist(), [1, 0, 2])
    self.assertTrue(log.click_e.all() and log.conversion_e.all())

  @parameterized.parameters(
    ({'a': [1, 7]}, None, "user a, place 1: item '7'"),
    ({'a': 3}, None, 'user a has 3; give a list'),
    ({'a': [1]}, {'1': {'title': ''}}, "item '1' has no title"),
    ({'a': [1]}, {'1': 'x'}, 'item 1 is .x.; give its title'),
    ([], None, 'holds no JSON object'),
    ({'a': [1]}, {'1': {'title': 'x', 'categories': 3}}, 'categories is 3; gi'),
    (
      {'a': [1]},
      {'1': {'title': 'x', 'categories': [[1]]}},
      'give a text or a',
    ),
  )
  def test_refuses(self, sequences, items, message):
    with self.assertRaisesRegex(UserError, message):
      item_sequences.read(self.write(sequences, items))

  @parameterized.parameters(
    ('Root, Paper & Ink, Cards', ', ', ('Paper & Ink', 'Cards')),
    ('Root > Paper, plain > Cards', '>', ('Paper, plain', 'Cards')),
    (['Root', 'Paper, plain', 'Cards'], '', ('Paper, plain', 'Cards')),
    (['Root', ' Paper ', '', 'Cards'], ', ', ('Paper',)),
    # The releases before 2018 have a list of paths.
    ([['Root', 'Paper'], ['Root', 'Ink']], '', ('Paper',)),
    ([], '', ()),
    ('Root,A &amp; B', '', ('A & B',)),
  )
  def test_paths_as_lists_and_by_a_declared_separator(
    self, categories, separator, expected
  ):
    items = {'1': {'title': 'x', 'categories': categories}}
    folder = self.write({'a': [1]}, items)
    _, catalog = item_sequences.read(folder, separator)
    self.assertEqual(catalog.categories, (expected,))

  def test_a_title_that_is_markup_leaves_with_its_events_and_is_told(self):
    items = {
      '1': {'title': 'Root />.', 'categories': 'Root,Nuts'},
      '2': {'title': '<span class="x">', 'categories': 'Root,Nuts'},
      '3': {'title': 'Nut, M4 />.', 'categories': 'Root,Nuts'},
      '4': {'title': 'Root', 'categories': 'Root,Nuts'},
    }
    folder = self.write({'a': [1, 3, 2, 1, 4]}, items)
    with self.assertLogs('taiji_jax') as logged:
      log, catalog = item_sequences.read(folder)
    self.assertEqual(catalog.titles, ('Nut, M4', 'Root'))
    self.assertEqual(log.item_e.tolist(), [0, 1])
    self.assertEqual(
      [record.getMessage() for record in logged.records],
      [
        '2 left out: items with markup for a title.',
        '3 left out: events of the items left out.',
      ],
    )

  def test_unusable_rows_are_told_at_once_or_dropped(self):
    items = {'1': {'title': 'x'}, '2': {'title': ''}, '3': {'title': None}}
    folder = self.write({'a': [1, 2, 9], 'b': [8, 1]}, items)
    with self.assertRaisesRegex(
      UserError,
      r"item '2' has no title \(and 1 more such row\); .*user a, place 2: item"
      r" '9' is not in the item table \(and 1 more .* Or set data.drop=True",
    ):
      item_sequences.read(folder)
    with self.assertLogs('taiji_jax') as logged:
      log, catalog = item_sequences.read(folder, drop=True)
    self.assertEqual((len(log), catalog.item_ids), (2, ('1',)))
    self.assertEqual(
      [record.getMessage() for record in logged.records],
      [
        '2 left out: items without a title.',
        '2 left out: events whose item is not in the item table.',
        '1 left out: events of the items left out.',
      ],
    )

  def test_a_folder_without_the_files_is_refused(self):
    with self.assertRaisesRegex(UserError, r'holds 0 files \*.item.json'):
      item_sequences.read(str(self.create_tempdir()))

  @absltest.skipUnless(DATA, 'needs TAIJI_DATA')
  def test_amazon_scientific_has_its_known_counts(self):
    log, catalog = item_sequences.read(f'{DATA}/amazon_scientific')
    self.assertEqual(
      # Of 4,344 items and 58,492 events; 24 items are called by markup.
      (len(log.user_ids), len(log), len(catalog)),
      (8317, 57_999, 4320),
    )
    self.assertEqual(sum(bool(c) for c in catalog.categories), 4189)
    self.assertEmpty([title for title in catalog.titles if '/>' in title])
    self.assertEqual(max(map(len, catalog.categories)), 3)


class HistoryProfileTest(absltest.TestCase):
  CATALOG = Catalog(
    ('1', '2', '3', '4'),
    ('a', 'b', 'c', 'd'),
    (('Tape', 'x'), ('Bolt',), ('Tape',), ()),
    ('3M', '', '3M', 'Acme'),
  )

  def test_counts_what_was_bought(self):
    self.assertEqual(
      history_profile.profile([1, 0, 2, 3, -1, 0], self.CATALOG),
      {'favours': 'Tape and Bolt', 'brands': '3M', 'bought': '4 items'},
    )

  def test_ties_go_to_the_latest_and_one_item_is_no_brand(self):
    self.assertEqual(
      history_profile.profile([1, 0, -1], self.CATALOG),
      {'favours': 'Bolt and Tape', 'bought': '2 items'},
    )

  def test_no_history_is_no_profile(self):
    self.assertEqual(history_profile.profile([-1], self.CATALOG), {})


if __name__ == '__main__':
  absltest.main()
