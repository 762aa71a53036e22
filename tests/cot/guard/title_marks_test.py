"""What is taken to identify a title, by hand."""

import math

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard import title_marks
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.support import stands, support
from taiji_jax.types import Catalog

_TITLES = (
  'Seven (Se7en) (1995)',
  'Acme AB-12/AB-13 Blue Wool Socks, 12-Pack (Large)',
  'Acme Blue Wool Socks of Norway, 6-Pack (Large)',
  'Bolt 4517 Large Hex Nuts, 24-Pack (Large)',
  'Bolt 4518 Large Hex Nuts (1000 Count)',
  'Bolt Large Ring (1000 Count)',
  'The 1000 Large Count Box',
  'A Large Count Box (1000 Count)',
)
_CATALOG = Catalog(
  tuple(map(str, range(len(_TITLES)))),
  _TITLES,
  ((), ('Socks', 'Wool Sock'), ('Socks',), ('Nuts',)) + ((),) * 4,
)
_STATISTICS = title_marks.TitleStatistics(_CATALOG, GuardConfig())


class TitleMarksTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, (' seven ', ' se7en ')),
    # 'Large' stands in more than three titles: no name of its own.
    (3, (' bolt 4517 large hex nuts 24 pack ',)),
    (7, (' large count box ',)),
  )
  def test_names(self, item, names):
    self.assertEqual(_STATISTICS.marks(item).names, names)

  def test_three_quarters_of_a_name_nearly_are_it(self):
    # ceil(0.75 * 7) = 6 of 7 words.
    self.assertEqual(
      _STATISTICS.marks(3).near,
      (' bolt 4517 large hex nuts 24 ', ' 4517 large hex nuts 24 pack '),
    )

  @parameterized.parameters(
    # Either part and both; '12-Pack' is a quantity: 12, 6 and 24 packs.
    (1, {'ab12ab13', 'ab12', 'ab13'}),
    (2, set()),
    # Digits alone, in this title only.
    (3, {'4517'}),
    (6, set()),
    (0, {'se7en'}),
  )
  def test_models(self, item, models):
    self.assertEqual(_STATISTICS.marks(item).models, models)

  @parameterized.parameters(
    # Three models end in A, so it looks like a unit; five digits are none.
    (0, {'10194a', '10194'}),
    (1, {'01409a', '01409'}),
    (2, set()),
    (3, set()),
    (4, {'rh9005seta', 'rh9005set'}),
  )
  def test_models_that_look_like_amounts(self, item, models):
    titles = ('Bit 10194-A', 'Kit 01409-A', 'Lamp 75-A', 'Pad 1200-A')
    catalog = Catalog(
      tuple('abcde'), (*titles, 'Castor RH-9005-SET-A'), ((),) * 5
    )
    statistics = title_marks.TitleStatistics(catalog, GuardConfig())
    self.assertEqual(
      {m for m in statistics.marks(item).models if m != '1200'}, models
    )

  def test_words_that_tell(self):
    titles = (
      'Navy Rugs Like XL 5mm 500 Grass Oak Steel',
      'Steel',
      'Oak',
      'Oak',
    )
    paths = ('Rug',), ('Grass A', 'Grass B'), ('Grass',), ()
    catalog = Catalog(tuple('abcd'), titles, paths)
    # log(5 / 1) = 1.61 for one of four titles, log(5 / 3) = 0.51 for three.
    config = GuardConfig(telling=1.0, rare=2)
    marks = title_marks.TitleStatistics(catalog, config).marks(0)
    self.assertEqual(marks.tells, {'navy', '5mm'})
    config = GuardConfig(telling=0.5, rare=3)
    marks = title_marks.TitleStatistics(catalog, config).marks(0)
    self.assertEqual(marks.tells, {'navy', '5mm', 'grass', 'oak', 'steel'})

  def test_runs_and_in_how_many_titles(self):
    self.assertEqual(
      _STATISTICS.marks(2).runs,
      {
        ' acme blue wool socks ': 1,
        ' blue wool socks of ': 1,
        ' wool socks of norway ': 1,
        ' socks of norway 6 ': 1,
        ' of norway 6 pack ': 1,
        ' norway 6 pack large ': 1,
      },
    )
    self.assertEqual(_STATISTICS.marks(1).runs[' blue wool socks 12 '], 1)
    # A run of category words alone is what reasoning is meant to say.
    catalog = Catalog(('1',), ('Red Wool Sock Set',), (('Red wool sock set',),))
    marks = title_marks.TitleStatistics(catalog, GuardConfig()).marks(0)
    self.assertEqual((marks.runs, marks.rarity), ({}, {}))

  @parameterized.parameters((3, {' big red tin box ': 3}), (4, {}))
  def test_a_run_is_rare_in_up_to_three_titles(self, count, runs):
    titles = tuple(f'{n} Big Red Tin Box' for n in range(count))
    catalog = Catalog(tuple(map(str, range(count))), titles, ((),) * count)
    marks = title_marks.TitleStatistics(catalog, GuardConfig()).marks(0)
    found = {run: n for run, n in marks.runs.items() if '0' not in run}
    self.assertEqual(found, runs)

  def test_brands(self):
    catalog = Catalog(
      tuple('abcd'),
      ('Osborn Brush', 'Lens of Acme', 'Acme Tools Lamp', 'Cup'),
      ((), (), (), ('Cup',)),
      ('Osborn Inc', 'Zeta', 'Acme Tools', 'Cup'),
    )
    statistics = title_marks.TitleStatistics(catalog, GuardConfig())
    self.assertEqual(
      [
        tuple(forms[0] for forms in statistics.marks(n).brands)
        for n in range(4)
      ],
      [(' osborn inc ', ' osborn '), (' zeta ',), (' acme tools ',), ()],
    )

  def test_rarity_leaves_out_forms_of_the_category(self):
    rarity = _STATISTICS.marks(1).rarity
    self.assertNoCommonElements(rarity, ('sock', 'socks', 'wool'))
    # (8 + 1) / 2 titles with 'blue'.
    self.assertAlmostEqual(rarity['blue'], math.log(4.5))
    self.assertAlmostEqual(rarity['ab'], math.log(9))

  @parameterized.parameters(
    ("The Schindler's  LIST, a", ['schindlers', 'list']),
    ('Véronique', ['veronique']),
    ('x-1/2', ['x', '1', '2']),
    ('…', []),
  )
  def test_words(self, text, words):
    self.assertEqual(title_marks.words(text), words)

  def test_joined(self):
    self.assertEqual(
      list(title_marks.joined(['tra', '708', 't'])),
      ['tra708', 'tra708t', '708', '708t'],
    )


class SupportTest(absltest.TestCase):
  def test_says_whole_words_in_a_row(self):
    known = support(('Wood Screws, 12 Pieces', 'Tape'))
    self.assertTrue(known.says('wood screws'))
    self.assertTrue(known.says('TAPE'))
    self.assertFalse(known.says('wood pieces'))
    self.assertFalse(known.says('Tap'))
    self.assertFalse(known.says('…'))
    self.assertFalse(support(()).says('tape'))

  def test_quotes_are_cut_out_the_longest_first(self):
    known = support(('a red box set', 'Blue red box set of ten', 'red box'))
    self.assertEqual(
      known.without(' now blue red box set of ten and red box set red box '),
      ' now | and | red box ',
    )

  def test_stands(self):
    self.assertTrue(stands('The Box', ' red box '))
    self.assertFalse(stands('bo', ' red box '))
    self.assertFalse(stands('', '  '))


if __name__ == '__main__':
  absltest.main()
