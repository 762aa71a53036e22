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

  @parameterized.parameters(
    # An id of digits is one where it is called so.
    ('item 127', True),
    ('Item id: 127.', True),
    ('items 127 and 5', True),
    ('#127 fits', True),
    ('packs of 127', False),
    ('127 fits', False),
    ('item 1270', False),
    ('item 127.5', False),
    ('item no. 9127', False),
    ('number 127', True),
    ('item_id 127', True),
    ('items 5 and 127.', True),
    ('items 5, 7, and 127', True),
    ('item "127"', True),
    ('item \N{NUMERO SIGN}127', True),
    ('product no. 127', True),
    ('ID=127', True),
    ('the item with number 127.', True),
    ('No. 127 fits', True),
    ('The number 127 bus', False),
    ('the number 127 of them', False),
    ('no 127 packs', False),
    ('nr. 1 of 127', False),
    ('the last 3 items 127 hours apart', False),
    ('sells 127 products 127 months', False),
    ('sells 12 products 127 more', False),
    ('number of items: 127 percent', False),
    ('number of items: 127', False),
    ('items 127 and 5 hours', True),
    ('item 127 years old', False),
    ('an item. 127 people', False),
    ('item 127-pack', False),
    ('valid 127', False),
    ('items 5127', False),
  )
  def test_ids_that_are_numbers(self, think, leaks):
    leak = leak_guard.leaks(think, _CATALOG, 0)
    self.assertEqual(leak, "item id: '127'" if leaks else None)

  @parameterized.parameters(
    ('SchindlersList', 5),
    ('so theStarTrekFirstContact', 2),
    ('S c h i n d l e r s  L i s t', 5),
    ('G-o-d-f-a-t-h-e-r', 0),
    ('s e v e n', 3),
    # Cyrillic o and e, Greek omicron, a letter nobody sees, full width.
    ('G\u043edfath\u0435r', 0),
    ('G\u03bfdfather', 0),
    ('God\u200bfather', 0),
    ('\uff27odfather', 0),
    ('Star_Trek First_Contact', 2),
  )
  def test_however_it_is_written(self, think, target):
    self.assertIsNotNone(leak_guard.leaks(think, _CATALOG, target))

  @parameterized.parameters(
    ('SchindlersOtherList', 5),
    ('godfatherly', 0),
    ('s e v e r a l', 3),
    ('f i', 4),
    ('bigger', 4),
  )
  def test_other_words_are_no_hidden_ones(self, think, target):
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
  ('Crimper Wicker Scissors Tongs', ()),
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


_BRANDED = Catalog(
  tuple('abcdef'),
  (
    'HATCHBOX PLA 3D Printer Filament',
    'HATCHBOX Wall Mount',
    'Osborn File Card Brush Area',
    'Acme Tools Long Reach Lamp Kit',
    'Lens of the Acme Kind for Cameras',
    'Staples Wide Paper Pad Set',
  ),
  (('3D Printing Filament',), (), (), (), (), ('Staples',)),
  (
    'Hatchbox',
    'Hatchbox',
    'Osborn International',
    'Acme Tools',
    'Zeta',
    'Staples',
  ),
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
    ('perhaps TRA-708-T.', 'model number'),
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

  @parameterized.parameters(
    ('Hatchbox fits.', (), 'brand'),
    ('HATCHBOX filament made of PLA.', (), 'brand'),
    ('hatch\N{CYRILLIC SMALL LETTER VE}ox it is', (), 'brand'),
    ('More of Hatchbox.', (1,), None),
    ("Hatchbox's spools", (), 'brand'),
    ('Hatchbox\N{RIGHT SINGLE QUOTATION MARK}s spools', (), 'brand'),
    ('the Hatchboxs', (), 'brand'),
    ('two Hatchboxes', (), 'brand'),
    ('a Hatch-box spool', (), 'brand'),
    ('a hatch box', (), 'brand'),
    ('HATCHB0X', (), 'brand'),
    # What the evidence says in any form is no leak in another.
    ("Hatchbox's spools", (1,), None),
    ('Hatch-box spools, HATCHB0X', (1,), None),
    ('the hat boxes', (), None),
    # All of the brand, or its first word where it is theirs alone.
    ('An Acme Tools thing.', (0,), None),
    ('Perhaps Osborn.', (), None),
  )
  def test_a_brand_needs_evidence(self, think, history, kind):
    guard = leak_guard.LeakGuard(_BRANDED)
    leak = guard.find(think, 0, guard.evidence(history))
    self.assertEqual(leak and leak.kind, kind)
    # Without evidence nobody says what is supported.
    self.assertIsNone(guard.find('Hatchbox fits.', 0))

  @parameterized.parameters(
    ('Osborn fits', 'brand'),
    ('Osborn International', 'brand'),
    # Another brand's title has the word.
    ('Acme fits', None),
    ('Acme Tools fit', 'brand'),
  )
  def test_a_brand_by_its_first_word(self, think, kind):
    guard = leak_guard.LeakGuard(_BRANDED)
    target = 2 if think.startswith('Osborn') else 3
    leak = guard.find(think, target, ())
    self.assertEqual(leak and leak.kind, kind)

  @parameterized.parameters(
    ('the 10194-A', True),
    ('the 10194 A is', True),
    ('the 10194a', True),
    ('some 20194 a day', False),
    ('10194-B', False),
  )
  def test_a_model_number_that_ends_in_an_article(self, think, leaks):
    titles = ('Neiko 10194A Step Drill Bit Set', 'Neiko 20194A Caliper')
    titles += ('Neiko 30194A Kit', 'Cup')
    guard = leak_guard.LeakGuard(Catalog(tuple('wxyz'), titles, ((),) * 4))
    for evidence in (None, ()):
      leak = guard.find(think, 0, evidence)
      self.assertEqual(leak and leak.kind, 'model number' if leaks else None)
    # A history title with the same number says it.
    self.assertIsNone(guard.find(think, 0, ('Old 10194-A', '10194')))

  def test_a_brand_that_the_category_says_is_none(self):
    guard = leak_guard.LeakGuard(_BRANDED)
    self.assertIsNone(guard.find('Time for staples', 5, ('Staples',)))

  def test_three_of_four_rare_words_are_near_with_evidence(self):
    # 3 >= ceil(.75 * 4), though fewer than `least_words`.
    told = 'scissors and a crimper for wicker'
    self.assertEqual(_GUARD.find(told, 9, ()).kind, 'near title')
    self.assertIsNone(_GUARD.find('scissors, wicker', 9, ()))
    self.assertIsNone(_GUARD.find(told, 9))

  def test_two_words_are_never_near_by_overlap(self):
    catalog = Catalog(('x', 'y'), ('Crimper Wicker', 'Tongs'), ((), ()))
    guard = leak_guard.LeakGuard(catalog)
    self.assertIsNone(guard.find('a crimper or wicker', 0, ()))

  def test_half_of_what_the_evidence_lacks_is_near(self):
    title = 'Amber Brisk Coarse Dusky Eager Frosty Gentle Humble'
    others = tuple(f'Thing {n}' for n in range(40))
    guard = leak_guard.LeakGuard(
      Catalog(tuple(map(str, range(41))), (title, *others), ((),) * 41)
    )
    known = ('amber', 'brisk', 'coarse', 'dusky')
    # Four words there, two of the four that are not known.
    told = 'gentle and brisk, humble but dusky'
    self.assertEqual(guard.find(told, 0, known).kind, 'near title')
    self.assertIsNone(guard.find('gentle, brisk, coarse, dusky', 0, known))

  def test_a_run_of_two_titles_is_a_leak_only_with_evidence(self):
    titles = ('Big Red Tin Box One', 'Old Big Red Tin Box', 'Cup', 'Pot')
    guard = leak_guard.LeakGuard(
      Catalog(tuple('abcd'), titles, ((),) * 4),
      leak_guard.GuardConfig(near=1.0, overlap=1.0, surprise=99.0),
    )
    think = 'some big red tin box'
    self.assertIsNone(guard.find(think, 0))
    self.assertEqual(guard.find(think, 0, ()).kind, 'near title')

  def test_a_category_stays_one_where_the_title_has_its_singular(self):
    guard = leak_guard.LeakGuard(
      Catalog(('x',), ('Blue Tape Roller Set',), (('Tapes',),))
    )
    self.assertEqual(guard.find('So tapes.', 0, ()).kind, 'category')

  @parameterized.parameters(
    ('the navy one', 'navy'),
    ('Perhaps a navy-coloured one', 'navy'),
    ('something n a v y', 'navy'),
    ('one with tassels', 'tassels'),
    ('one with a tassel', 'tassel'),
    # Another candidate's, of many titles, of prose, of the category, a number.
    ('the white one', None),
    ('a steel one', None),
    ('like the one before', None),
    ('more rugs', None),
    ('12 of them', None),
    ('a hundred', None),
  )
  def test_one_word_tells_a_candidate(self, think, word):
    titles = (
      'Navy Rug Like 12 Tassels of Steel',
      'White Rug of Grass',
      *(f'Steel Nut {n}' for n in range(200)),
    )
    paths = (('Rugs',),) * 2 + (('Nuts',),) * 200
    catalog = Catalog(tuple(map(str, range(202))), titles, paths)
    guard = leak_guard.LeakGuard(catalog)
    known = (titles[1], 'Rugs')
    leak = guard.find(think, 0, known, (0, 1))
    self.assertEqual(
      str(leak) if leak else None, word and f"near title: '{word}'"
    )
    self.assertIsNone(guard.find(think, 0, known, ()))
    self.assertIsNone(guard.find(think, 0, (*known, titles[0]), (0, 1)))
    deaf = leak_guard.LeakGuard(catalog, leak_guard.GuardConfig(telling=100.0))
    self.assertIsNone(deaf.find(think, 0, known, (0, 1)))
    self.assertEqual(
      guard.redact(f'So it is. And {think}.', 0, known, (0, 1)),
      'So it is.' if word else f'So it is. And {think}.',
    )

  def test_a_brand_is_named_before_the_word(self):
    titles = ('Corvo Rug', 'Rug', *(f'Nut {n}' for n in range(200)))
    catalog = Catalog(
      tuple(map(str, range(202))),
      titles,
      ((),) * 202,
      ('Corvo', '', *('',) * 200),
    )
    guard = leak_guard.LeakGuard(catalog)
    leak = guard.find('So Corvo.', 0, ('Rug',), (0, 1))
    self.assertEqual(str(leak), "brand: 'Corvo'")

  def test_a_place_by_the_titles_of_others(self):
    told = 'Neither the Gorilla Super Glue Gel, 20 Gram nor option 1 fits.'
    listed = (3, 4, 5)
    known = _GUARD.evidence((3, 4))
    self.assertEqual(_GUARD.find(told, 5, known, listed).kind, 'place')
    self.assertIsNone(_GUARD.find(told, 5, known, (*listed, 9)))

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
    ({'telling': 0.0}, 'telling is 0.0'),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(UserError, message):
      leak_guard.GuardConfig(**fields)


if __name__ == '__main__':
  absltest.main()
