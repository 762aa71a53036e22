"""The CoT data's report: what it says, and that its figures can be read."""

import dataclasses
import json
import pathlib

from absl.testing import absltest, parameterized
from matplotlib.figure import Figure
import numpy as np

from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.report import counts, plots, report
from taiji_jax.cot.report.statistics import DataStatistics, collect
from taiji_jax.errors import UserError

_ROWS = 60
_BOUND = 5.0


def _records(ppl=None, think='Now into *tapes*.\n```') -> list[CotRecord]:
  """Returns 180 texts; of every tenth row the first states the answer."""
  rng = np.random.default_rng(0)
  records = []
  for row in range(_ROWS):
    for sample in range(3):
      leak = row % 10 == 0 and sample == 0
      value = ppl or float(np.exp(rng.uniform(0.1, 3)))
      kept = not leak and value < _BOUND
      reason = '' if kept else 'leak: item id: x' if leak else 'PPL: not < R'
      records.append(
        CotRecord(
          row,
          sample,
          f'u|{row}',
          str(row % 30),
          'History\n' * 200,
          think,
          'Item title: A',
          'a teacher',
          'rupr_v1',
          3,
          None if leak else value,
          None if leak else 0.1,
          kept,
          reason,
        )
      )
  return records


def _statistics(records=None) -> DataStatistics:
  return collect(
    _records() if records is None else records,
    {str(i): i for i in range(30)},
    np.arange(_ROWS),
  )


def _bars(figure: Figure, axis: int = 0) -> list[float]:
  return [bar.get_height() for bar in figure.axes[axis].patches]


class DataReportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self._folder = pathlib.Path(self.create_tempdir().full_path)

  def test_report(self):
    records = _records()
    planted = {'title': Detection(10, 9, 1), 'model': Detection(0, 0, 0)}
    report.write(self._folder, _statistics(records), _BOUND, planted)
    text = (self._folder / 'data_report.md').read_text('utf-8')
    kept = sum(r.kept for r in records)
    self.assertStartsWith(
      text,
      '# CoT data: 80 of 180 texts kept (44.4%); in 6 the teacher stated the'
      ' answer (3.33%), 0 of them were cut\n',
    )
    for part in (
      '| leak: item id | 6 | 3.33% |',
      f'| PPL | {174 - kept} |',
      '| title | 10 | 0.9 | 0.9 |',
      '| model | 0 | – | – |',
      '| decile 10 | 18 |',
      '| 50+ items | 30 |',
      'a teacher, rupr\\_v1, seed 3 | 180 |',
      'R = 5.',
      'deviation of ln(PPL): among the texts of one prompt',
      'of the gain, in nats a token: among the texts of one prompt',
      '## Kept: 20 texts',
      '## Rejected: 20 texts',
    ):
      self.assertIn(part, text)
    self.assertEqual(text.count('### Row '), 40)
    # Text of others stays inside its block, and long prompts are cut.
    self.assertEqual(text.count('\n````text\n'), 40)
    self.assertIn('user u\\|', text)
    self.assertNotIn('History\n' * 80, text)

  def test_pngs_are_whole_and_nothing_else_is_left(self):
    report.write(self._folder, _statistics(), _BOUND)
    names = sorted(path.name for path in self._folder.iterdir())
    pngs = ['data_kept.png', 'data_ppl.png']
    self.assertEqual(names, ['data_counts.json', *pngs, 'data_report.md'])
    text = (self._folder / 'data_report.md').read_text('utf-8')
    for name in pngs:
      content = (self._folder / name).read_bytes()
      self.assertStartsWith(content, b'\x89PNG')
      self.assertIn(b'IEND', content[-12:])
      self.assertIn(f']({name})', text)

  @parameterized.parameters(None, 1.0, 5.0, 1e9)
  def test_histogram_has_every_scored_text_and_the_line(self, bound):
    figure = plots.perplexities(_statistics(), bound)
    self.assertEqual(sum(_bars(figure)), 174)
    lines = [line.get_xdata()[0] for line in figure.axes[0].lines]
    self.assertEqual(lines, [] if bound is None else [bound])

  def test_histogram_of_equal_perplexities(self):
    figure = plots.perplexities(_statistics(_records(ppl=2.0)), 2.0)
    self.assertEqual(max(_bars(figure)), 174)

  def test_shares(self):
    statistics = _statistics()
    figure = plots.kept_shares(statistics)
    np.testing.assert_allclose(
      _bars(figure), [group.kept_share for group in statistics.deciles]
    )
    labels = [t.get_text() for t in figure.axes[1].get_xticklabels()]
    self.assertEqual(
      labels,
      ['0\n3', '1–2\n6', '3–4\n6', '5–9\n15', '10–19\n30', '20–49\n90']
      + ['50+\n30'],
    )

  def test_without_a_score_there_is_no_histogram(self):
    records = [r for r in _records() if r.ppl is None]
    report.write(self._folder, _statistics(records), _BOUND)
    self.assertFalse((self._folder / 'data_ppl.png').exists())
    text = (self._folder / 'data_report.md').read_text('utf-8')
    self.assertNotIn('data_ppl.png', text)
    self.assertIn('## Kept: 0 texts', text)

  def test_refuses_no_texts_and_names_what_cannot_be_written(self):
    with self.assertRaisesRegex(UserError, 'holds no texts'):
      report.write(self._folder, _statistics([]))
    with self.assertRaisesRegex(UserError, "data_kept.png' cannot be written"):
      report.write(self._folder / 'nowhere', _statistics())


class CountsTest(absltest.TestCase):
  def test_figures_of_the_counts_are_those_of_the_texts(self):
    path = pathlib.Path(self.create_tempdir().full_path) / counts.NAME
    whole = _statistics()
    planted = {'title': Detection(10, 9, 1)}
    counts.write(path, whole, _BOUND, planted)
    record = json.loads(path.read_text())
    again = counts.statistics_of(record)
    self.assertEqual(
      _bars(plots.perplexities(again, record['threshold'])),
      _bars(plots.perplexities(whole, _BOUND)),
    )
    for axis in range(2):
      self.assertEqual(
        _bars(plots.kept_shares(again), axis),
        _bars(plots.kept_shares(whole), axis),
      )
    self.assertEqual(again.reasons, whole.reasons)
    self.assertEqual(
      record['planted'], {'title': dataclasses.asdict(planted['title'])}
    )
    self.assertAlmostEqual(record['spread']['within'], whole.spread.within)
    between = record['gain_spread']['between']
    self.assertAlmostEqual(between, whole.gain_spread.between)
    self.assertLess(path.stat().st_size, 20_000)

  def test_a_spread_that_is_not_known(self):
    path = pathlib.Path(self.create_tempdir().full_path) / counts.NAME
    counts.write(path, _statistics([]))
    record = json.loads(path.read_text())
    for name in ('spread', 'gain_spread'):
      self.assertEqual(record[name], {'within': None, 'between': None})
    self.assertEqual(record['planted'], {})


if __name__ == '__main__':
  absltest.main()
