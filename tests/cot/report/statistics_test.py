"""Counts of a CoT data set, against sums by hand and by numpy."""

import dataclasses
import math
import random
import tracemalloc

from absl.testing import absltest
import numpy as np

from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.report import statistics

_RECORD = CotRecord(
  row=0,
  sample=0,
  user='u',
  target='a',
  prompt='p',
  think='t',
  answer='y',
  teacher='template',
  prompt_version='',
  seed=0,
  ppl=4.0,
  gain=0.5,
  kept=True,
  reason='',
)


def _record(**fields) -> CotRecord:
  return dataclasses.replace(_RECORD, **fields)


def _many(rows: int):
  for row in range(rows):
    for sample in range(3):
      kept = (row + sample) % 4 > 0
      reason = '' if kept else f'leak: title: {row}' if row % 2 else 'high'
      yield _record(
        row=row,
        sample=sample,
        target=str(row % 20),
        ppl=1.5 + row % 7 + sample,
        kept=kept,
        reason=reason,
      )


_POPULARITY = {str(i): 100 - i for i in range(20)}


class DataStatisticsTest(absltest.TestCase):
  def test_by_hand(self):
    records = [
      _record(ppl=2.0, gain=1.0),
      _record(sample=1, ppl=8.0, gain=None, kept=False, reason='PPL: 8 >= R'),
      _record(
        row=1,
        target='b',
        ppl=None,
        gain=None,
        kept=False,
        reason="leak: near title: 'x: y'",
      ),
      _record(row=1, target='b', kept=False, reason='leak'),
    ]
    found = statistics.collect(
      records, {'a': 9, 'b': 2, 'c': 5}, np.array([0, 50])
    )
    self.assertEqual((found.total.records, found.total.kept), (4, 1))
    self.assertEqual((found.total.scored, found.total.compared), (3, 2))
    # Geometric mean of 2, 8 and 4; mean of 1 and 0.5.
    self.assertAlmostEqual(found.total.mean_ppl, 4.0)
    self.assertAlmostEqual(found.total.mean_gain, 0.75)
    self.assertAlmostEqual(found.rejected.mean_ppl, math.sqrt(32))
    self.assertEqual(found.kept.kept_share, 1.0)
    # In order of popularity b, c, a: places 0, 1, 2 of 3 are deciles 0, 3, 6.
    by_decile = [group.records for group in found.deciles]
    self.assertEqual(by_decile, [2, 0, 0, 0, 0, 0, 2, 0, 0, 0])
    self.assertTrue(math.isnan(found.deciles[1].kept_share))
    self.assertEqual([g.records for g in found.histories], [2, *[0] * 5, 2])
    self.assertEqual(
      dict(found.reasons), {'PPL': 1, 'leak: near title': 1, 'leak': 1}
    )
    self.assertEqual(found.leaks, {'near title': 1, 'any': 1})
    self.assertEqual(dict(found.teachers), {'template, no prompt, seed 0': 4})
    self.assertEqual(found.kept_examples, records[:1])
    self.assertEqual(found.rejected_examples, records[1:])

  def test_spread_within_and_between_prompts(self):
    # ln(PPL) of row 0 is 0 and 2, of row 1 is 3: sd 1 within, means 1 and 3.
    places = [(0, 0, 0.0), (0, 1, 2.0), (1, 0, 3.0), (1, 1, None)]
    records = [
      _record(row=r, sample=j, ppl=None if x is None else math.exp(x))
      for r, j, x in places
    ]
    spread = statistics.collect(records, {'a': 1}, np.array([1, 1])).spread
    self.assertAlmostEqual(spread.within, 1.0)
    self.assertAlmostEqual(spread.between, 1.0)

  def test_spread_of_the_gain(self):
    # Within row 0 a standard deviation of .1, within row 1 of .3; means 0, 2.
    places = [(0, -0.1), (0, 0.1), (1, 1.7), (1, 2.3), (1, None), (2, None)]
    records = [
      _record(row=r, sample=j, gain=x) for j, (r, x) in enumerate(places)
    ]
    found = statistics.collect(records, {'a': 1}, np.array([1, 1, 1]))
    self.assertAlmostEqual(found.gain_spread.within, 0.2)
    self.assertAlmostEqual(found.gain_spread.between, 1.0)
    # Of ln(PPL), the same for all.
    self.assertAlmostEqual(found.spread.within, 0.0)

  def test_what_was_cut_counts_as_a_leak_of_the_teacher(self):
    records = [
      _record(leak="category: 'Nails'"),
      _record(sample=1, kept=False, reason='leak: title', leak="title: 'x'"),
      _record(sample=2),
    ]
    found = statistics.collect(records, {'a': 1}, np.array([1]))
    self.assertEqual(dict(found.leaks), {'category': 1, 'title': 1})
    self.assertEqual(found.rewritten, 1)

  def test_history_bins(self):
    lengths = [0, 1, 2, 3, 4, 5, 9, 10, 19, 20, 49, 50, 999]
    found = statistics.collect(
      [_record(row=row) for row in range(len(lengths))],
      {'a': 1},
      np.array(lengths),
    )
    self.assertEqual(
      [group.records for group in found.histories], [1, 2, 2, 2, 2, 2, 2]
    )

  def test_quantiles(self):
    rng = np.random.default_rng(0)
    ppl = np.exp(rng.normal(2, 1, 5000)).clip(1)
    found = statistics.collect(
      (_record(row=i, ppl=float(p)) for i, p in enumerate(ppl)),
      {'a': 1},
      np.zeros(5000, int),
    )
    for share in (0.1, 0.5, 0.9):
      exact = np.quantile(ppl, share)
      self.assertAlmostEqual(found.ppl_quantile(share) / exact, 1, delta=0.03)
    self.assertEqual(found.ppl_kept_q.sum(), 5000)

  def test_perplexities_at_and_beyond_the_ends_are_counted(self):
    ppl = [1.0, 1.0 - 1e-12, 1e6, 1e300]
    found = statistics.collect(
      [_record(sample=i, ppl=p) for i, p in enumerate(ppl)],
      {'a': 1},
      np.zeros(1, int),
    )
    self.assertEqual(found.ppl_kept_q[[0, -1]].tolist(), [2, 2])

  def test_does_not_depend_on_the_order(self):
    records = list(_many(100))
    length = np.arange(100)
    one = statistics.collect(records, _POPULARITY, length)
    random.Random(0).shuffle(records)
    two = statistics.collect(records, _POPULARITY, length)
    self.assertEqual(one.kept_examples, two.kept_examples)
    self.assertEqual(one.rejected_examples, two.rejected_examples)
    self.assertLen(one.kept_examples, 20)
    self.assertEqual(one.reasons, two.reasons)
    np.testing.assert_array_equal(one.ppl_kept_q, two.ppl_kept_q)

  def test_examples_are_spread_and_follow_the_seed(self):
    picks = [
      [
        r.row
        for r in statistics.collect(
          _many(2000), _POPULARITY, np.zeros(2000, int), seed=seed
        ).kept_examples
      ]
      for seed in (0, 1)
    ]
    self.assertNotEqual(*picks)
    for rows in picks:
      self.assertBetween(np.mean(rows), 500, 1500)
      self.assertEqual(rows, sorted(rows))

  def test_memory_does_not_grow_with_the_records(self):
    peaks = []
    for rows in (500, 5000):
      length = np.zeros(rows, np.int8)
      tracemalloc.start()
      statistics.collect(_many(rows), _POPULARITY, length)
      peaks.append(tracemalloc.get_traced_memory()[1])
      tracemalloc.stop()
    self.assertLess(peaks[1], 1.5 * peaks[0])

  def test_many_reasons_become_one(self):
    records = [
      _record(row=0, sample=i, kept=False, reason=f'reason {i}')
      for i in range(200)
    ]
    found = statistics.collect(records, {'a': 1}, np.zeros(1, int))
    self.assertLen(found.reasons, 65)
    self.assertEqual(found.reasons['other'], 136)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "'b' has no popularity"):
      statistics.collect([_record(target='b')], {'a': 1}, np.zeros(1))
    with self.assertRaisesRegex(ValueError, 'Row 7 has no history length'):
      statistics.collect([_record(row=7)], {'a': 1}, np.zeros(7))


if __name__ == '__main__':
  absltest.main()
