from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import title_index
from taiji_jax.types import Catalog

TITLES = (
  'Heat (1995)',
  'Emma (1996)',
  'Emma (1932)',
  "Schindler's List (1993)",
  'Chasing Amy (1997)',
  'Chasing Amy (1997)',
  'M*A*S*H (1970)',
  '???',
)
POPULARITY = np.array([5, 3, 3, 9, 2, 7, 1, 0])


def index(titles=TITLES, popularity=POPULARITY):
  ids = tuple(str(i) for i in range(len(titles)))
  return title_index.TitleIndex(
    Catalog(ids, titles, ((),) * len(ids)), popularity
  )


class TitleIndexTest(parameterized.TestCase):
  @parameterized.parameters(
    ('Heat (1995)', 0),
    ('  heat   (1995) ', 0),
    ('HEAT, 1995', 0),
    ('Heat', 0),
    ('Heat (1994)', 0),  # Only one Heat: the year was misremembered.
    ('Emma (1996)', 1),
    ('Emma (1932)', 2),
    ('Emma', -1),  # Two films.
    ('Emma (2020)', -1),
    ('Schindlers List', 3),
    ('Schindler’s List (1993)', 3),
    ('Chasing Amy (1997)', 5),  # A duplicate: the one with more events.
    ('Chasing Amy', 5),  # One whole title, so not ambiguous.
    ('m.a.s.h', 6),
    ('???', 7),
    ('', -1),
    ('!', -1),
    ('(1995)', -1),
    ('Heat and Dust (1983)', -1),
    (None, -1),
  )
  def test_find(self, title, item):
    self.assertEqual(index().find(title), item)

  def test_equally_popular_duplicates_go_by_index(self):
    titles = 'A (2000)', 'B (2000)', 'a (2000)'
    self.assertEqual(index(titles, np.array([4, 4, 4])).find('A'), 0)

  def test_title_without_year_is_exact(self):
    titles = 'Heat (1995)', 'Heat'
    self.assertEqual(index(titles, np.array([9, 1])).find('Heat'), 1)

  def test_plain_text_is_normalised_as_any_other(self):
    rng = np.random.default_rng(0)
    for codes in rng.integers(0, 128, (300, 6)):
      plain = ''.join(map(chr, codes))
      # With a letter beyond ASCII behind it, the text goes the general way.
      found = title_index.normalise(f'a{plain} b')
      self.assertEqual(f'{found} é', title_index.normalise(f'a{plain} b é'))

  @parameterized.parameters(' ?! ', '_', "'", '', ' ', '\N{HEAVY CHECK MARK}!')
  def test_punctuation_only_stays(self, title):
    self.assertEqual(title_index.normalise(title), title.strip())

  def test_find_all(self):
    found = index().find_all(['Heat', None, 'Emma', 'Heat'])
    self.assertEqual(found.dtype, np.int32)
    np.testing.assert_array_equal(found, [0, -1, -1, 0])
    self.assertEqual(index().find_all([]).shape, (0,))

  def test_every_title_finds_an_item_of_that_title(self):
    found = index().find_all(TITLES)
    self.assertEqual([TITLES[i] for i in found], list(TITLES))

  def test_popularity_of_other_length(self):
    with self.assertRaisesRegex(ValueError, '2 counts for 8 items'):
      index(popularity=np.ones(2))


if __name__ == '__main__':
  absltest.main()
