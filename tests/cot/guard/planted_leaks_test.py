"""Planted leaks: what is planted, how it is counted, and the guard on it."""

import dataclasses
import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.guard import leak_guard, planted_leaks, plants
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.types import Catalog

_BRANDS = ('Acme', 'Bolt', 'Crestline', 'Deltamar', 'Egretta')
_NOUNS = ('Pump', 'Relay', 'Valve', 'Gauge', 'Clamp', 'Hinge', 'Lathe', 'Motor')
_LOOKS = ('Amber', 'Brisk', 'Coarse', 'Dusky', 'Eager', 'Frosty', 'Gentle')
_ITEMS = 140


def _catalog() -> Catalog:
  """Returns products with titles of eight words and a model number each."""
  rng = np.random.default_rng(0)
  titles, paths = [], []
  for n in range(_ITEMS):
    look, other = rng.permutation(_LOOKS)[:2]
    noun, second, third = rng.permutation(_NOUNS)[:3]
    titles.append(
      f'{_BRANDS[n % 5]} KX{n + 100}B {look} {noun} for {other} {second},'
      f' {third} ({n % 9 + 2} Pack)'
    )
    paths.append(('Parts', f'Kind {n % 7}', f'Sort {n % 21}'))
  ids = tuple(f'A{n:03d}' for n in range(_ITEMS))
  brands = tuple(_BRANDS[n % 5] for n in range(_ITEMS))
  return Catalog(ids, tuple(titles), tuple(paths), brands)


_CATALOG = _catalog()
_GUARD = leak_guard.LeakGuard(_CATALOG)


def _texts() -> list[planted_leaks.CleanText]:
  """Returns texts that quote the history and name what it supports."""
  texts = []
  for target in range(_ITEMS):
    # Every seventh item shares the second level.
    history = ((target + 7) % _ITEMS, (target + 1) % _ITEMS)
    quote = _CATALOG.titles[history[1]]
    texts.append(
      planted_leaks.CleanText(
        f'Now into {_CATALOG.categories[history[0]][1]}. Fans of {quote} pick'
        f' {_CATALOG.categories[target][1]}. It goes on.',
        target,
        _GUARD.evidence(history),
        (history[0], target, history[1]),
      )
    )
  return texts


class PlantedLeaksTest(parameterized.TestCase):
  @parameterized.parameters(*planted_leaks.KINDS)
  def test_the_text_stays_around_what_is_planted(self, kind):
    text = _texts()[3]
    leaking = planted_leaks.plant(
      kind, text, _CATALOG, np.random.default_rng(1)
    )
    self.assertNotEqual(leaking, text.think)
    for sentence in text.think.split('. '):
      self.assertIn(sentence, leaking)

  def test_what_cannot_be_planted_is_not(self):
    catalog = Catalog(('1',), ('Big',), ((),))
    text = planted_leaks.CleanText('x.', 0, ())
    rng = np.random.default_rng(0)
    planted = {
      kind
      for kind in planted_leaks.KINDS
      if planted_leaks.plant(kind, text, catalog, rng) is not None
    }
    self.assertEqual(
      planted,
      {
        'title verbatim',
        'case and punctuation changed',
        'item id',
        'item id, otherwise called',
        'look-alike letters',
      },
    )

  def test_what_the_new_kinds_look_like(self):
    catalog = Catalog(
      ('48',), ('Hatchbox PLA 3D Printer Filament',), ((),), ('Hatchbox',)
    )
    text = planted_leaks.CleanText('', 0, ())
    found = {
      kind: plants.KINDS[kind](text, catalog, np.random.default_rng(4))
      for kind in plants.KINDS
    }
    self.assertEqual(found['brand alone'], 'Hatchbox')
    self.assertEqual(found['words glued'], 'HatchboxPLA3DPrinterFilament')
    self.assertRegex(
      found['letters apart'], '^H.a.t.c.h.b.o.x P.L.A 3.D P.r.i.n.t.e.r F.i'
    )
    self.assertEqual(
      found['look-alike letters'].translate(
        str.maketrans('аеорсхРА', 'aeopcxPA')
      ),
      catalog.titles[0].replace('H', '\N{CYRILLIC CAPITAL LETTER EN}'),
    )
    self.assertRegex(found['paraphrased'], r'^Hatchbox \w+ made of \w+$')
    self.assertRegex(
      found['brand, possessive or plural'],
      '^Hatchbox(.s|s|es)( things)?$',
    )
    self.assertRegex(
      found['brand, hyphen or digit inside'],
      '^(Hat-?c-?h-?b-?ox|H4tchbox|Hatchb0x)$',
    )
    self.assertRegex(
      found['item id, otherwise called'],
      '^(item_id |#|Item id: |items 48 and |product no. )48$',
    )
    self.assertEqual(plants.DECOYS['item id'](text, catalog), 'packs of 48')
    other = dataclasses.replace(text, target=1)
    numbers = Catalog(('7', '8'), ('Cup', 'Neiko 10194A Bit'), ((), ()))
    self.assertEqual(
      plants.DECOYS['item id'](other, numbers), 'the number 8 bus'
    )
    self.assertRegex(
      plants.KINDS['model number apart'](
        other, numbers, np.random.default_rng(4)
      ),
      '^10194[ -]A$',
    )
    known = planted_leaks.CleanText('', 0, ('a HATCHBOX rack',))
    rng = np.random.default_rng(0)
    self.assertIsNone(plants.KINDS['brand alone'](known, catalog, rng))
    self.assertIsNone(plants.KINDS['paraphrased'](known, catalog, rng))

  def test_places(self):
    catalog = Catalog(tuple('abc'), ('Cup', 'Saw', 'Jar'), ((),) * 3)
    place = plants.KINDS['place among the candidates']
    decoy = plants.DECOYS['place among the candidates']
    rng = np.random.default_rng(0)
    for target, listed in ((0, (0, 2)), (2, (2, 1))):
      text = planted_leaks.CleanText('', target, (), listed)
      guard = leak_guard.LeakGuard(catalog)
      for _ in range(20):
        found = guard.find(place(text, catalog, rng), target, (), listed)
        self.assertEqual(found.kind, 'place')
      said = decoy(text, catalog)
      self.assertIsNone(guard.find(said, target, (), listed))
      at = next(n for n in listed if n != target)
      self.assertEqual(guard.find(said, at, (), listed).kind, 'place')
    # Not among them, none, and no other.
    for listed in ((1, 2), (), (0,)):
      text = planted_leaks.CleanText('', 0, (), listed)
      self.assertEqual(place(text, catalog, rng) is None, 0 not in listed)
      self.assertEqual(decoy(text, catalog) is None, listed in ((), (0,)))

  def test_a_place_by_others(self):
    by_others = plants.KINDS['place by other places']
    rng = np.random.default_rng(0)
    text = planted_leaks.CleanText('', 1, (), (0, 1, 2))
    for _ in range(9):
      self.assertRegex(
        by_others(text, _CATALOG, rng),
        'after the first|below number 1|above candidate 3|before the third'
        '|between candidates 1 and 3|not candidates 1 or 3'
        '|neither the first nor the third',
      )
    for listed in ((), (0, 2), (1,)):
      text = planted_leaks.CleanText('', 1, (), listed)
      self.assertIsNone(by_others(text, _CATALOG, rng))

  def test_one_word_of_a_candidate(self):
    titles = ('Tall Navy Rug', 'Tall White Rug With Tassels', 'Jar 200')
    catalog = Catalog(tuple('abc'), titles, (('Rugs',), ('Rugs',), ()))
    one, other = (
      kinds['one word of a candidate']
      for kinds in (plants.KINDS, plants.DECOYS)
    )
    rng = np.random.default_rng(0)
    text = planted_leaks.CleanText('', 0, titles[1:], (0, 1))
    for _ in range(5):
      self.assertIn('navy', one(text, catalog, rng))
    self.assertRegex(other(text, catalog), 'white|tassels')
    # All of its words are said or too short, or it is no candidate.
    jar = planted_leaks.CleanText('', 2, (), (1, 2))
    self.assertIsNone(one(jar, catalog, rng))
    absent = planted_leaks.CleanText('', 0, (), (1, 2))
    self.assertIsNone(one(absent, catalog, rng))
    self.assertIsNone(other(absent, catalog))

  def test_half_of_a_title_that_the_evidence_has_states_nothing(self):
    catalog = Catalog(('1',), ('Red Pla Spool Mm Red Pla Spool',), ((),))
    half = plants.KINDS['half of the title']
    rng = np.random.default_rng(0)
    for evidence, planted in (
      ((), True),
      (('Red Spool',), True),
      (('A red pla spool mm red pla spool',), False),
    ):
      text = planted_leaks.CleanText('', 0, evidence)
      self.assertEqual(half(text, catalog, rng) is not None, planted)

  def test_a_decoy_takes_the_place_of_the_clean_text(self):
    class Numbers:
      def find(self, think, target, evidence=None, candidates=()):
        number = str(1000 + target)
        found = number in think
        return leak_guard.Leak('item id', number) if found else None

    ids = tuple(map(str, range(1000, 1000 + _ITEMS)))
    catalog = Catalog(ids, _CATALOG.titles, _CATALOG.categories)
    texts = [planted_leaks.CleanText('So it goes.', n, ()) for n in range(9)]
    found = planted_leaks.measure(Numbers(), catalog, texts)['item id']
    self.assertEqual((found.planted, found.caught, found.flagged), (9, 9, 9))
    self.assertEqual((found.recall, found.false_alarms), (1, 1))

  def test_precision_and_recall(self):
    found = planted_leaks.Detection(planted=10, caught=9, flagged=3)
    self.assertEqual((found.recall, found.precision), (0.9, 0.75))
    none = planted_leaks.Detection(0, 0, 0)
    self.assertTrue(math.isnan(none.recall) and math.isnan(none.precision))

  def test_a_deaf_guard_finds_nothing_a_nervous_one_is_imprecise(self):
    class Deaf:
      def find(self, think, target, evidence=None, candidates=()):
        return None

    class Nervous:
      def find(self, think, target, evidence=None, candidates=()):
        return leak_guard.Leak('title', 'x')

    texts = _texts()[:9]
    deaf = planted_leaks.measure(Deaf(), _CATALOG, texts)['all']
    nervous = planted_leaks.measure(Nervous(), _CATALOG, texts)['all']
    self.assertEqual((deaf.recall, deaf.caught), (0, 0))
    self.assertEqual((nervous.recall, nervous.precision), (1, 0.5))

  def test_the_guard(self):
    measured = planted_leaks.measure(_GUARD, _CATALOG, _texts())
    self.assertCountEqual(measured, [*planted_leaks.KINDS, 'all'])
    for kind in (
      'title verbatim',
      'case and punctuation changed',
      'words reordered',
      'model number',
      'model number apart',
      'item id',
      'item id, otherwise called',
      'unsupported category',
      'brand alone',
      'brand, possessive or plural',
      'brand, hyphen or digit inside',
      'words glued',
      'letters apart',
      'look-alike letters',
      'paraphrased',
      'place among the candidates',
      'place by other places',
    ):
      self.assertGreaterEqual(measured[kind].recall, 0.99, kind)
    # Some quotes of a title fit others as well: not every one is a leak.
    self.assertGreaterEqual(measured['all'].recall, 0.9)
    self.assertGreaterEqual(measured['all'].precision, 0.97)
    self.assertLessEqual(measured['all'].false_alarms, 0.02)

  def test_clean_texts_come_of_a_teacher_that_sees_no_target(self):
    asked = []

    def teacher(requests, k):
      asked.extend(requests)
      return [[CotSample(f'row {r.row}')] * k for r in requests]

    requests = [CotRequest(n, {}, (n + 1,), n) for n in range(3)]
    texts = planted_leaks.clean_texts(
      teacher, requests, lambda request: _GUARD.evidence(request.history)
    )
    self.assertEqual([r.target for r in asked], [None] * 3)
    self.assertEqual([(t.think, t.target) for t in texts][2], ('row 2', 2))
    self.assertIn(_CATALOG.titles[3], texts[2].evidence)
    with self.assertRaisesRegex(ValueError, 'no target'):
      planted_leaks.clean_texts(teacher, asked, lambda request: ())

  def test_equal_seeds_measure_equally(self):
    texts = _texts()[:20]
    one, two = (
      planted_leaks.measure(_GUARD, _CATALOG, texts, seed) for seed in (4, 4)
    )
    self.assertEqual(one, two)


if __name__ == '__main__':
  absltest.main()
