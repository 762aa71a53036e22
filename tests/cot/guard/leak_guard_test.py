"""What counts as stating the answer, and what does not."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard import leak_guard
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

_TITLES = (
  'Godfather, The (1972)',
  'Godfather: Part II, The (1974)',
  'Star Trek: First Contact (1996)',
  'Seven (Se7en) (1995)',
  'Big (1988)',
  "Schindler's List (1993)",
  'Double vie de Véronique, La (1991)',
)
_CATALOG = Catalog(
  item_ids=('127', '187', '222', '11', 'B00X', 'sku-9', '1005'),
  titles=_TITLES,
  categories=((),) * len(_TITLES),
)


class LeakGuardTest(parameterized.TestCase):
  @parameterized.parameters(
    ('Because of Godfather, The (1972).', 0),
    ('The  GODFATHER it is', 0),
    # A history title that holds the target's title.
    ('Fans of Godfather: Part II, The (1974) pick Crime.', 0),
    ('After The Godfather: Part II more Crime.', 1),
    # 3 of 4 words in a row: 3/4 >= 0.75.
    ('so Star Trek First something', 2),
    ('maybe Se7en', 3),
    ('maybe seven?', 3),
    ('a big one', 4),
    ('Schindlers list', 5),
    ('schindler\N{RIGHT SINGLE QUOTATION MARK}s list', 5),
    ('double vie de veronique', 6),
    ('item 127 fits', 0),
    ('item B00X.', 4),
    ('(sku-9)', 5),
  )
  def test_leaks(self, think, target):
    self.assertIsNotNone(leak_guard.leaks(think, _CATALOG, target))

  @parameterized.parameters(
    ('', 0),
    # 1 word of 3.
    ('Fans of Godfather, The (1972) pick Crime 1970s.', 1),
    # 2 words of 4.
    ('Fans of Star Trek: Generations (1994) pick Sci-Fi 1990s.', 2),
    ('seventh heaven of 1995', 3),
    ('bigger than Bigfoot (1988)', 4),
    ('the list of Schindler', 5),
    ('in 1270 and 21278', 0),
    ('1972', 0),
  )
  def test_does_not_leak(self, think, target):
    self.assertIsNone(leak_guard.leaks(think, _CATALOG, target))

  def test_an_empty_text_or_a_title_without_words_is_no_leak(self):
    catalog = Catalog(('!', '?'), ('?', '!'), ((), ()))
    for think in ('', ' ', '?', 'so !'):
      self.assertIsNone(leak_guard.leaks(think, catalog, 0))


_SHOP = (
  (
    'Stanley TRA708T Sharpshooter 1/2-Inch Leg Length Staples, Steel (1000'
    ' Count).',
    ('Fasteners', 'Collated Fasteners', 'Staples'),
  ),
  (
    'Stanley TRA708SST 1/2-Inch HD Stainless Steel Narrow Crown Staple.',
    ('Fasteners', 'Collated Fasteners', 'Staples'),
  ),
  ('Kreg Pocket Hole Screws, 500-Pack', ('Fasteners', 'Screws', 'Wood Screws')),
  ('Gorilla Duct Tape, Black, 12-Yard', ('Tapes', 'Tape', 'Duct Tape')),
  ('Gorilla Super Glue Gel, 20 Gram', ('Tapes', 'Glue', 'Glue Gel')),
  ('Scotch Blue Painters Tape, 60-Yard', ('Tapes', 'Tape', 'Masking Tape')),
  ('Dewalt 7/16-Inch Steel Staples, 35-Yard', ('Fasteners', 'Staples')),
  ('Acme Blue Soft Wool Sock Pair', ()),
  ('Acme Blue Soft Wool Sock Pair X', ()),
  # What is rare in a catalogue is so among many.
  *(
    (f'Nut {n} of Steel, 1/2-Inch ({n % 3 + 1}000 Count)', ('Nuts',))
    for n in range(200)
  ),
)
_GUARD = leak_guard.LeakGuard(
  Catalog(
    tuple(f'B{n}' for n in range(len(_SHOP))),
    tuple(title for title, _ in _SHOP),
    tuple(path for _, path in _SHOP),
  )
)


class ProductsTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      'stanley  tra708t sharpshooter 1 2 inch LEG length staples steel',
      'title',
    ),
    # Five words in another order.
    ('They want length, leg, Sharpshooter, Stanley, count.', 'near title'),
    # The same, spelt in other forms.
    ('Stanleys Sharpshooters with a lengthy leg, counted', 'near title'),
    # Four words in a row.
    ('the Sharpshooter 1/2-Inch leg is due', 'near title'),
    ('the TRA708T would do', 'model number'),
    ('the tra-708-t would do', 'model number'),
    ('perhaps TRA 708T.', 'model number'),
    ('B0 fits', 'item id'),
  )
  def test_states_a_product(self, think, kind):
    for evidence in (None, _GUARD.evidence((1, 2, 6))):
      leak = _GUARD.find(think, 0, evidence)
      self.assertIsNotNone(leak)
      self.assertEqual(leak.kind, kind)

  @parameterized.parameters(
    # A brand, a unit, a quantity in brackets, the words of the category path.
    'Fans of Stanley pick Staples.',
    'After a 1000 count many pick Collated Fasteners.',
    'More fasteners: 1/2-Inch staples.',
    # A title of the history, though it shares words and half a model number.
    'Fans of Stanley TRA708SST 1/2-Inch HD Stainless Steel Narrow Crown Staple.'
    ' pick Staples.',
  )
  def test_states_none(self, think):
    self.assertIsNone(_GUARD.find(think, 0))
    self.assertIsNone(_GUARD.find(think, 0, _GUARD.evidence((1,))))

  def test_a_quote_of_the_evidence_is_no_leak_what_else_is_said_is(self):
    told = 'After blue soft sock acme pair wool'
    self.assertEqual(_GUARD.find(told, 8, ()).kind, 'near title')
    # All of the title, said anew, although the history has the words.
    evidence = _GUARD.evidence((7,))
    self.assertEqual(_GUARD.find(told, 8, evidence).kind, 'near title')

  def test_a_category_needs_evidence(self):
    think = 'Now into Tapes. Next: Wood Screws.'
    self.assertIsNone(_GUARD.find(think, 2))
    leak = _GUARD.find(think, 2, _GUARD.evidence((3, 5)))
    self.assertEqual(
      (leak.kind, str(leak)), ('category', "category: 'Wood Screws'")
    )
    self.assertIsNone(_GUARD.find(think, 2, _GUARD.evidence((3,), (2,))))
    self.assertIsNone(_GUARD.find(think, 2, ('wood-screws, 12 pieces',)))
    self.assertEqual(_GUARD.find(think, 2, ()).kind, 'category')

  def test_candidates_support_their_path_only(self):
    self.assertEqual(
      _GUARD.evidence((3,), (2,)),
      (_SHOP[3][0], 'Tapes', 'Tape', 'Duct Tape')
      + ('Fasteners', 'Screws', 'Wood Screws'),
    )

  @parameterized.parameters(
    (
      'Now into Tape. The Stanley TRA708T fits. Next: Staples.',
      'Now into Tape. Next: Staples.',
    ),
    ('The TRA708T fits.', ''),
    ('', ''),
    ('Nothing to hide. At all.', 'Nothing to hide. At all.'),
    # Each alone is harmless; without the last they are so together.
    (
      'A Stanley leg. Sharpshooter is right. Steel of length, too.',
      'A Stanley leg. Sharpshooter is right.',
    ),
  )
  def test_redact(self, think, left):
    self.assertEqual(_GUARD.redact(think, 0), left)
    self.assertIsNone(_GUARD.find(left, 0))

  def test_thresholds(self):
    catalog = _GUARD._catalog
    think = 'the Sharpshooter 1/2-Inch leg is due'
    loose = leak_guard.GuardConfig(run=9, overlap=0.95, surprise=99.0)
    self.assertIsNone(leak_guard.LeakGuard(catalog, loose).find(think, 0))
    strict = leak_guard.GuardConfig(run=2)
    self.assertIsNotNone(
      leak_guard.LeakGuard(catalog, strict).find('a Sharpshooter 1', 0)
    )

  @parameterized.parameters(
    ({'near': 0.0}, 'near is 0.0'),
    ({'overlap': 1.5}, 'overlap is 1.5'),
    ({'run': 0}, 'run is 0'),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(UserError, message):
      leak_guard.GuardConfig(**fields)


if __name__ == '__main__':
  absltest.main()
