"""Planted leaks: what is planted, how it is counted, and the guard on it."""

import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.guard import leak_guard, planted_leaks
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.types import Catalog

_BRANDS = ('Acme', 'Bolt', 'Crest', 'Delta', 'Egret')
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
  return Catalog(ids, tuple(titles), tuple(paths))


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
      planted, {'title verbatim', 'case and punctuation changed', 'item id'}
    )

  def test_precision_and_recall(self):
    found = planted_leaks.Detection(planted=10, caught=9, flagged=3)
    self.assertEqual((found.recall, found.precision), (0.9, 0.75))
    none = planted_leaks.Detection(0, 0, 0)
    self.assertTrue(math.isnan(none.recall) and math.isnan(none.precision))

  def test_a_deaf_guard_finds_nothing_a_nervous_one_is_imprecise(self):
    class Deaf:
      def find(self, think, target, evidence=None):
        return None

    class Nervous:
      def find(self, think, target, evidence=None):
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
      'item id',
      'unsupported category',
    ):
      self.assertGreaterEqual(measured[kind].recall, 0.99, kind)
    # Some quotes of a title fit others as well: not every one is a leak.
    self.assertGreaterEqual(measured['all'].recall, 0.9)
    self.assertGreaterEqual(measured['all'].precision, 0.97)

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
