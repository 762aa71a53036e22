import copy
import dataclasses
import pathlib
import re
import tempfile

from absl.testing import absltest
from matplotlib import image
import numpy as np

from taiji_jax.evaluate import answers, plots, report
from taiji_jax.evaluate.table import Table

METRICS = ('reward_semantic', 'reward_id', *answers.METRICS)
TABLE = Table(
  'popo',
  'Before and after',
  METRICS,
  METRICS,
  (('popo', 'sft'),),
  ('reward_semantic', 'reward_id'),
  ('popo', 'sft'),
  distinct='distinct_items',
  repeats='repeat_last',
)

NONE = {'mean': None, 'low': None, 'high': None}


def interval(mean: float, reach: float = 0.02) -> dict[str, float]:
  return {'mean': mean, 'low': mean - reach, 'high': mean + reach}


def result() -> dict:
  floor = dict.fromkeys(METRICS, interval(0.2))
  return {
    'arms': {
      'sft': dict.fromkeys(METRICS, interval(0.2))
      | {'reward_semantic': interval(0.52), 'reward_id': interval(0.31)}
      | {'distinct_items': interval(50)},
      'popo': dict.fromkeys(METRICS, interval(0.25))
      | {'reward_semantic': interval(0.55), 'reward_id': interval(0.36)}
      | {'distinct_items': interval(40), 'format_rate': interval(0.9)},
    },
    'paired': {
      'popo-sft': dict.fromkeys(METRICS, interval(0.05))
      | {'reward_semantic': interval(0.03), 'reward_id': interval(0.05)}
      | {'repeat_last': interval(0.01)},
    },
    'against_floors': {
      'popo-popular': dict.fromkeys(METRICS, interval(0.07))
      | {'reward_id': interval(-0.04)},
    },
    'floors': {
      'popular': floor
      | {'reward_semantic': interval(0.49), 'reward_id': interval(0.4)}
      | {'list_hit_rate_50': interval(0.33)},
      'repeat_category': dict.fromkeys(METRICS, NONE),
    },
    'seconds': {'sft': 100.0, 'rl': 50.0},
    'peak_rss_gib': 2.25,
    'seeds': [0],
    'cells': {'sft': [0], 'popo': [0, 1]},
    'best_floor': {'reward_id': 'popular'},
    'retriever': 'logit',
    'against_best': {'popo': {'reward_id': interval(-0.04)}},
    'against_retriever': {'popo': {'reward_id': interval(-0.06)}},
    'tests': {
      'primary': None,
      'count': 1,
      'survive': 1,
      'others': {'all': {'popo-best': {'reward_id': [0.01, 0.02]}}},
    },
    'groups': {
      'history_short': {
        'rows': 400,
        'users': 60,
        'arms': {'sft': dict.fromkeys(METRICS, interval(0.77))},
        'paired': {},
      },
      'history_long': {'rows': 0, 'users': 0, 'arms': {}, 'paired': {}},
    },
  }


def rows(steps: int = 40) -> list[dict]:
  rng = np.random.default_rng(0)
  rl = [
    {
      'stage': 'rl',
      'step': i + 1,
      'reward_semantic': 0.5 + 0.001 * i + 0.02 * rng.normal(),
      'reward_id': 0.3 + 0.003 * i + 0.03 * rng.normal(),
      'weight_semantic': 0.5 - 0.004 * i,
      'weight_id': 0.5 + 0.004 * i,
      'kl': 0.01 * i,
    }
    for i in range(steps)
  ]
  taught = [{'stage': 'sft', 'step': i, 'loss': 3 / i} for i in range(1, 9)]
  return [*taught, *rl]


def ranker() -> dict:
  rate = [0.02, 0.1, 0.2, 0.4]
  head = {
    'auc': 0.9,
    'gauc': 0.88,
    'log_loss': 0.3,
    'ece': 0.0123,
    'examples': 5000,
    'calibration': {
      'predicted': rate,
      'observed': [0.03, 0.09, 0.24, 0.37],
      'count': [10, 10, 10, 10],
    },
  }
  nothing = head | {'auc': float('nan'), 'gauc': float('nan')}
  return {
    'all': {'click': head, 'conversion': head, 'ctcvr': head},
    'seen': {'click': nothing},
  }


EXAMPLES = [
  {
    'user': '7|x',
    'prompt': 'age: 20\n```\n<b>bold</b> | *a*',
    'truth': 'Item title: Heat (1995)',
    'arms': {
      'sft': {'reasoning': 'Recent: Crime.', 'answer': 'Casino (1995)'},
      'popo': {'reasoning': None, 'answer': '<think>broken\x07'},
    },
  }
]


def write(folder: pathlib.Path, **changes) -> str:
  given = {
    'result': result(),
    'table': dataclasses.replace(TABLE, rewards=TABLE.rewards[:1]),
    'metrics_rows': [],
    'examples': EXAMPLES,
    'ranker': ranker(),
  } | changes
  report.write(folder, **given)
  return (folder / 'report.md').read_text('utf-8')


class WriteTest(absltest.TestCase):
  def test_what_comes_before_the_figures(self):
    self.assertNotIn('hardly better than chance', self.text)
    weak = result()
    weak['arms']['popo'] |= {'format_rate': interval(0.01)}
    weak['arms']['sft'] |= {'format_rate': interval(0.99)}
    at_chance = ranker()
    at_chance['all']['click']['auc'] = 0.51
    text = self.write(result=weak, ranker=at_chance)
    head = text[: text.index('## Results')]
    self.assertIn('`popo` keeps the format in 1% of its answers', head)
    self.assertNotIn('`sft` keeps', head)
    self.assertIn('hardly better than chance** (AUC of a click 0.510)', head)

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.whole = pathlib.Path(folder.name)
    # The figures take their time: they are drawn here alone.
    cls.text = write(cls.whole, table=TABLE, metrics_rows=rows())

  def write(self, **changes) -> str:
    return write(pathlib.Path(self.create_tempdir()), **changes)

  def test_says_first_what_is_added_to_a_look_up_and_then_the_aim(self):
    text = self.text
    first, then = text.split('\n\n')[:2]
    self.assertEqual(
      first, '# popo has no best look-up beside it in reward_semantic.'
    )
    self.assertStartsWith(then, '**Aim met: reward_semantic and reward_id rose')
    head = text[: text.index('## Results')]
    self.assertIn('`reward_id` -0.0400 (`popular`)', head)
    value = copy.deepcopy(result())
    value['paired']['popo-sft']['reward_id'] = interval(-0.05)
    text = self.write(result=value, table=TABLE)
    self.assertIn('\n\n**Aim not met: reward_id', text)

  def test_says_what_was_run(self):
    text = self.write(about=[('recipe', 'shop|v2'), ('day', '2026-11-27')])
    head = text[: text.index('## Results')]
    self.assertIn('- recipe: shop\\|v2\n- day: 2026-11-27\n', head)

  def test_differences_to_the_floors_are_shown(self):
    text = self.text
    part = text[text.index('### Against the floors') :]
    self.assertIn(r'| reward\_id | -0.0400 (-0.0600 to -0.0200) |', part)

  def test_differences_to_the_best_look_up_and_the_retriever(self):
    text = self.text
    part = text[text.index('### Minus the best look-up') :]
    self.assertIn(
      r'| reward\_id | popular | -0.0400 (-0.0600 to -0.0200) † |', part
    )
    part = text[text.index('### Minus its own retriever, `logit`') :]
    self.assertIn(r'| reward\_id | -0.0600 (-0.0800 to -0.0400) |', part)
    self.assertIn('1 difference was tested; † marks the 1 whose', text)
    self.assertIn('over users alone for `sft`, of one seed', text)

  def test_a_result_without_what_is_newer(self):
    older = result()
    for name in (
      'cells',
      'best_floor',
      'retriever',
      'against_best',
      'against_retriever',
      'tests',
      'groups',
    ):
      del older[name]
    text = self.write(result=older)
    self.assertIn('### Against the floors', text)
    self.assertNotIn('look-up\n', text)
    self.assertNotIn('retriever', text)

  def test_a_mean_without_an_interval(self):
    value = result()
    alone = {'mean': 0.25, 'low': None, 'high': None}
    value['arms']['popo'] |= {'reward_semantic': alone}
    self.assertIn('| 0.2500 | +0.0300', self.write(result=value))
    figure = plots.front(value, 'reward_semantic', 'reward_id')
    self.assertLen(figure.axes[0].get_legend().texts, 3)

  def test_numbers_are_in_the_tables(self):
    text = self.text
    row = next(x for x in text.splitlines() if x.startswith(r'| reward\_id'))
    cells = [cell.strip() for cell in row.split('|')[2:-1]]
    self.assertEqual(
      cells,
      [
        '0.3100 (0.2900 to 0.3300)',
        '0.3600 (0.3400 to 0.3800)',
        '+0.0500 (+0.0300 to +0.0700)',
        '0.4000 (0.3800 to 0.4200)',
        '–',
      ],
    )
    self.assertIn(r'| list\_hit\_rate\_50 | – | – | – | 0.3300', text)
    self.assertIn('400 events of 60 users', text)
    self.assertIn('### Group history\\_short', text)
    self.assertNotIn('history\\_long', text)
    self.assertIn('| seen | click | 5000 | – | – | 0.3000 | 0.0123 |', text)
    self.assertIn('| total | 150.0 |', text)

  def test_every_image_is_there_and_shows_something(self):
    text = self.text
    files = re.findall(r'!\[[^\]]+\]\(([^)]+)\)', text)
    self.assertCountEqual(
      files,
      [
        f'{name}.png'
        for name in (
          'front',
          'rewards',
          'weights',
          'loss',
          'kl',
          'calibration',
        )
      ],
    )
    for file in files:
      pixels = image.imread(self.whole / file)[..., :3]
      self.assertGreater((pixels < 0.9).any(-1).mean(), 0.005, file)
    self.assertEmpty(list(self.whole.glob('*.part')))

  def test_example_texts_are_shown_as_they_are(self):
    text = self.text
    self.assertIn(r'### User 7\|x', text)
    block = '````text\nage: 20\n```\n<b>bold</b> | *a*\n````'
    self.assertIn(block, text)
    self.assertIn('reasoning: –\nanswer: <think>broken\ufffd\n', text)

  def test_without_rl_rows_ranker_and_examples(self):
    text = self.write(examples=[], ranker={})
    self.assertIn('No RL step was logged.', text)
    self.assertNotIn('weights.png', text)
    self.assertNotIn('ID tower', text)

  def test_malformed_result_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'malformed'):
      self.write(result=result() | {'arms': {}})


class PlotsTest(absltest.TestCase):
  def test_lines_hold_the_logged_values(self):
    logged = [r for r in rows() if r['stage'] == 'rl']
    figure = plots.weights(logged)
    lines = {x.get_label(): x for x in figure.axes[0].get_lines()}
    np.testing.assert_allclose(
      lines['id'].get_ydata(), [r['weight_id'] for r in logged]
    )
    panels = {ax.get_title(): ax for ax in plots.rewards(logged).axes}
    raw, smooth = panels['reward_id'].get_lines()
    values = np.array([r['reward_id'] for r in logged])
    np.testing.assert_allclose(raw.get_ydata(), values)
    # 40 steps: windows of 5.
    np.testing.assert_allclose(smooth.get_ydata()[0], values[0])
    np.testing.assert_allclose(smooth.get_ydata()[20], values[16:21].mean())

  def test_losses_and_divergence(self):
    logged = rows()
    (loss,) = plots.losses([r for r in logged if 'loss' in r]).axes[0].lines
    np.testing.assert_allclose(loss.get_ydata()[:3], [3, 1.5, 1])
    (kl,) = (
      plots.divergence([r for r in logged if r['stage'] == 'rl']).axes[0].lines
    )
    np.testing.assert_allclose(kl.get_ydata()[:3], [0, 0.01, 0.02])

  def test_front_leaves_out_floors_without_a_value(self):
    figure = plots.front(result(), 'reward_semantic', 'reward_id')
    # In a legend beside the axes: no bar of an interval runs through a name.
    texts = [text.get_text() for text in figure.axes[0].get_legend().texts]
    self.assertCountEqual(['sft', 'popo', 'popular'], texts)
    self.assertNotIn('repeat_category', texts)


if __name__ == '__main__':
  absltest.main()
