"""Cut titles: short, and told apart where the whole ones are."""

import collections
import os
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import item_sequences, movielens, prompts, title_cut
from taiji_jax.data.title_index import TitleIndex, normalise
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

NASTY = (
  'Steel Bolts',  # The beginning of the next two.
  'Steel Bolts M4',
  'Steel Bolts M4, Zinc (100',
  'Steel-Bolts',  # Equal to the first, whole.
  'Emma (1996)',
  'Emma (1932)',
  'Nut - - - M5',  # Words without a letter.
  'Nut . . . M6',
  'a-b c d e f',  # Words split at other places.
  'a b c d e f',
  'a b c d e g',
  '? !',
  '? -',
  '?',
  '???',
  '-- --',
  '-- -- --',
  '\N{FULLWIDTH LATIN CAPITAL LETTER A} B C',
  'a b \N{LATIN SMALL LETTER E WITH ACUTE}',
  'a b e\N{COMBINING ACUTE ACCENT} f',
  'Item title: x',
  'Item title: y; L2: z',
  'Hat; L2: red',
  'Hat; L2: blue &',
)


def catalog_of(titles):
  names = tuple(map(str, range(len(titles))))
  return Catalog(names, tuple(titles), (('Shop', 'Shelf'),) * len(titles))


def unique(catalog):
  """Returns which titles no other item has, bool `[N]`."""
  whole = [normalise(title) for title in catalog.titles]
  count = collections.Counter(whole)
  return np.array([count[title] == 1 for title in whole])


def meant(catalog, popularity_n=None):
  """Returns the item that each item's perfect answer names."""
  if popularity_n is None:
    popularity_n = np.zeros(len(catalog), int)
  index = TitleIndex(catalog, popularity_n)
  answers = (prompts.item_text(catalog, n) for n in range(len(catalog)))
  return index.find_all(
    prompts.parse(prompts.completion('so', answer)).title for answer in answers
  )


class TitleCutTest(parameterized.TestCase):
  def test_cut_titles_end_in_a_word(self):
    catalog = catalog_of(('A b, (c d', 'One', '-- x', 'Two ('))
    self.assertEqual(
      title_cut.cut_titles(catalog, 2).titles, ('A b', 'One', '-- x', 'Two')
    )
    self.assertEqual(
      title_cut.cut_titles(catalog, 1).titles, ('A', 'One', '--', 'Two')
    )

  def test_only_as_many_words_more_as_it_takes(self):
    # The first two part at the third word, the next two at the fourth; the
    # last is alone.
    titles = 'a b c d', 'a b x d', 'f g h i j', 'f g h k j', 'l m n'
    self.assertEqual(
      title_cut.cut_titles(catalog_of(titles), 2).titles,
      ('a b c', 'a b x', 'f g h i', 'f g h k', 'l m'),
    )

  def test_a_title_that_others_begin_with_is_left_to_it(self):
    titles = 'Emma', 'Emma (1996)', 'Emma: a life', 'emma.'
    self.assertEqual(
      title_cut.cut_titles(catalog_of(titles), 1).titles,
      ('Emma', 'Emma (1996)', 'Emma: a', 'emma'),
    )

  def test_one_that_was_alone_makes_way_for_one_that_grew(self):
    # 'x-y z w' is kept at two words until 'x y z w' grows to 'x y z'.
    titles = 'x y z w', 'x y q', 'x-y z v'
    self.assertEqual(
      title_cut.cut_titles(catalog_of(titles), 2).titles,
      ('x y z w', 'x y q', 'x-y z v'),
    )

  def test_equal_titles_stay_equal(self):
    titles = ('a b c',) * 3
    cut = title_cut.cut_titles(catalog_of(titles), 2)
    self.assertEqual(cut.titles, ('a b',) * 3)

  @parameterized.parameters(1, 2, 3, 4, 5, 9)
  def test_unique_titles_are_found_nasty_ones_too(self, words):
    catalog = catalog_of(NASTY)
    cut = title_cut.cut_titles(catalog, words)
    alone = unique(catalog)
    # 'Steel Bolts' and 'Steel-Bolts' are equal, whole, and 'a-b c d e f'.
    self.assertEqual(np.flatnonzero(~alone).tolist(), [0, 3, 8, 9])
    found = meant(cut)
    np.testing.assert_array_equal(found[alone], np.flatnonzero(alone))
    index = TitleIndex(cut, np.zeros(len(cut), int))
    for n in np.flatnonzero(alone).tolist():
      self.assertEqual(index.find(cut.titles[n]), n)

  @parameterized.product(words=(1, 2, 3), seed=(0, 1))
  def test_unique_titles_are_found_and_the_order_is_no_matter(
    self, words, seed
  ):
    rng = np.random.default_rng(seed)
    signs = np.array(['a', 'b', 'B', '-', 'a-b', 'a,', '(1990)', '('])
    titles = [
      ' '.join(rng.choice(signs, size)) for size in rng.integers(1, 9, 300)
    ]
    cut = title_cut.cut_titles(catalog_of(titles), words)
    alone = unique(catalog_of(titles))
    self.assertBetween(alone.mean(), 0.2, 0.99)
    np.testing.assert_array_equal(meant(cut)[alone], np.flatnonzero(alone))
    order = rng.permutation(300)
    again = title_cut.cut_titles(
      catalog_of([titles[n] for n in order.tolist()]), words
    )
    self.assertEqual(again.titles, tuple(cut.titles[n] for n in order.tolist()))

  def test_none_one_and_empty_titles(self):
    for titles in ((), ('a b c',), ('', 'a b')):
      cut = title_cut.cut_titles(catalog_of(titles), 2)
      self.assertEqual(
        cut.titles, tuple(' '.join(t.split()[:2]) for t in titles)
      )

  def test_no_words_are_refused(self):
    with self.assertRaisesRegex(ValueError, 'words is 0'):
      title_cut.cut_titles(catalog_of(('a',)), 0)

  @parameterized.parameters(1, 5)
  def test_amazon(self, words):
    folder = pathlib.Path(os.environ.get('TAIJI_DATA', ''), 'amazon_scientific')
    if not folder.is_dir():
      self.skipTest('TAIJI_DATA has no amazon_scientific')
    log, catalog = item_sequences.read(str(folder))
    self._unique_ones_are_found(log, catalog, words)

  @parameterized.parameters(0, 1)
  def test_movielens(self, words):
    try:
      log, catalog = movielens.read()
    except UserError:
      self.skipTest('MovieLens-100K is not there')
    self._unique_ones_are_found(log, catalog, words)

  def _unique_ones_are_found(self, log, catalog, words):
    count_n = np.bincount(log.item_e, minlength=len(catalog))
    cut = title_cut.cut_titles(catalog, words) if words else catalog
    alone = unique(catalog)
    self.assertGreater(alone.mean(), 0.9)
    found = meant(cut, count_n)
    np.testing.assert_array_equal(found[alone], np.flatnonzero(alone))
    # Of the others it is one of the same whole title.
    for n in np.flatnonzero(~alone).tolist():
      self.assertEqual(
        normalise(catalog.titles[found[n]]), normalise(catalog.titles[n])
      )


if __name__ == '__main__':
  absltest.main()
