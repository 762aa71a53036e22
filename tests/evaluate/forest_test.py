"""The forest plot of made-up results: what is drawn, and where."""

import io
import itertools
import json

from absl.testing import absltest
from matplotlib.backends.backend_agg import FigureCanvasAgg
import matplotlib.text
import numpy as np

from taiji_jax.evaluate import forest

METRICS = ('l1', 'l3', 't50')
CLAIMS = {
  ('b', 'a'): {'l1': 0.2, 'l3': 0.3},
  ('rl', 'b'): {'ctcvr': 0.01},
  ('gone', 'a'): {'l1': 0.5},
}
NONE = {'mean': None, 'low': None, 'high': None}


def interval(mean, reach=0.01):
  return {'mean': mean, 'low': mean - reach, 'high': mean + reach}


def result(arms=('a', 'b', 'rl')):
  each = dict.fromkeys((*METRICS, 'ctcvr'), interval(0.4))
  found = {
    'rows': 9,
    'users': 7,
    'arms': dict.fromkeys(arms, each),
    'judged': {arm: {'rows': 9, 'users': 7} for arm in arms},
    'paired': {
      'b-a': {'l1': interval(0.04, 0.02), 'l3': interval(-0.1)},
      'rl-b': {'ctcvr': {'mean': 0.01, 'low': None, 'high': None}},
    },
    'against_best': {
      arm: {m: interval(0.1 * i) for m in METRICS} for i, arm in enumerate(arms)
    },
    'against_retriever': {
      arm: {'l1': interval(-0.1 * i), 'l3': NONE} for i, arm in enumerate(arms)
    },
  }
  if 'rl' in arms:
    found['judged']['rl'] = {'rows': 4, 'users': 4}
  return found


def empty():
  parts = ('arms', 'paired', 'against_best', 'against_retriever')
  return {'rows': 0, **dict.fromkeys(parts, {})}


def many(count=30):
  arms = [f'unreasoned_held_{i}' for i in range(count)]
  claims = {
    pair: dict.fromkeys(METRICS, 0.2) for pair in itertools.pairwise(arms[:8])
  }
  pairs = {f'{a}-{b}': dict.fromkeys(METRICS, interval(0.1)) for a, b in claims}
  return forest.points(result(arms) | {'paired': pairs}, METRICS, claims)


class PointsTest(absltest.TestCase):
  def test_is_json(self):
    found = forest.points(result(), METRICS, CLAIMS)
    self.assertEqual(json.loads(json.dumps(found)), found)

  def test_relative_is_the_share_of_the_bases_mean(self):
    found = forest.relative(result(), 'b', 'a', 'l1')
    # .04 [.02, .06] of .4.
    for key, value in {'mean': 0.1, 'low': 0.05, 'high': 0.15}.items():
      self.assertAlmostEqual(found[key], value)

  def test_relative_of_what_is_not_there(self):
    value = result()
    for pair, metric in (
      (('b', 'gone'), 'l1'),
      (('b', 'a'), 't50'),
      (('rl', 'b'), 'ctcvr'),  # It has no interval.
    ):
      self.assertIsNone(forest.relative(value, *pair, metric))
    value['arms'] = value['arms'] | {'a': {'l1': interval(0.0)}}
    self.assertIsNone(forest.relative(value, 'b', 'a', 'l1'))

  def test_what_is_missing_is_left_out(self):
    found = forest.points(result(), METRICS, CLAIMS)
    names = [row['name'] for row in found['arms']['rows']]
    self.assertEqual(names, ['a', 'b', 'rl*'])
    self.assertEqual([*found['arms']['rows'][1]['retriever']], ['l1'])
    # No arm 'gone', and no interval of 'rl-b'.
    (row,) = found['pairs']['rows']
    self.assertEqual(row['name'], 'b -\na')
    self.assertEqual([*row['here']], ['l1', 'l3'])
    self.assertEqual(row['paper']['l3']['mean'], 0.3)
    older = result()
    del older['judged'], older['against_best'], older['against_retriever']
    self.assertEmpty(forest.points(older, METRICS, {})['arms']['rows'])


class FigureTest(absltest.TestCase):
  def panels(self, found):
    return {
      (part, ax.get_title()): ax
      for part, sub in enumerate(forest.figure(found).subfigs)
      for ax in sub.axes
    }

  def test_points_and_bars_are_where_they_should_be(self):
    panels = self.panels(forest.points(result(), METRICS, CLAIMS))
    self.assertEqual(
      list(panels), [(0, m) for m in METRICS] + [(1, m) for m in ('l1', 'l3')]
    )
    ax = panels[1, 'l1']
    here, paper = ax.containers[0], ax.get_lines()[-1]
    np.testing.assert_allclose(here.lines[0].get_xdata(orig=False), [0.1])
    (bar,) = here.lines[2][0].get_segments()
    np.testing.assert_allclose(bar[:, 0], [0.05, 0.15])
    np.testing.assert_allclose(paper.get_xdata(), [0.2])
    self.assertEqual(paper.get_markerfacecolor(), 'white')
    means = [
      bars.lines[0].get_xdata(orig=False)[0]
      for bars in panels[0, 'l1'].containers
    ]
    # Of each arm the look-up's first.
    np.testing.assert_allclose(means, [0, 0, 0.1, -0.1, 0.2, -0.2])
    self.assertLen(panels[0, 't50'].containers, 3)
    for ax in panels.values():
      np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), [0, 0])
    # The first arm is on top.
    self.assertGreater(*panels[0, 'l1'].get_ylim())

  def test_arms_or_pairs_alone(self):
    of = forest.points
    self.assertLen(self.panels(of(result(), METRICS, {})), 3)
    pairs = empty() | {key: result()[key] for key in ('arms', 'paired')}
    self.assertLen(self.panels(of(pairs, METRICS, CLAIMS)), 2)

  def test_legend_says_what_the_marks_are(self):
    figure = forest.figure(forest.points(result(), METRICS, CLAIMS))
    said = [sub.legends[0] for sub in figure.subfigs]
    self.assertIn('* judged on a sample', said[0].get_title().get_text())
    self.assertNotIn('sample', said[1].get_title().get_text())
    words = [[t.get_text() for t in legend.get_texts()] for legend in said]
    self.assertEqual([len(each) for each in words], [2, 2])
    self.assertIn('what the paper claims', words[1])

  def test_nothing_to_show_is_said(self):
    figure = forest.figure(forest.points(empty(), METRICS, CLAIMS))
    self.assertEmpty(figure.axes)
    self.assertEqual([t.get_text() for t in figure.texts], [forest.NOTHING])

  def test_labels_of_thirty_arms_are_readable(self):
    figure = forest.figure(many())
    canvas = FigureCanvasAgg(figure)
    canvas.print_png(io.BytesIO())
    for sub in figure.subfigs:
      boxes = [
        label.get_window_extent() for label in sub.axes[0].get_yticklabels()
      ]
      for above, below in itertools.pairwise(boxes):
        self.assertGreaterEqual(above.y0, below.y1 - 1)
      self.assertGreaterEqual(min(box.x0 for box in boxes), 0)
    sizes = [t.get_fontsize() for t in figure.findobj(matplotlib.text.Text)]
    self.assertGreaterEqual(min(sizes), 8)


if __name__ == '__main__':
  absltest.main()
