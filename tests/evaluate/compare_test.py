import dataclasses
import json

from absl.testing import absltest
import numpy as np

from taiji_jax import intervals
from taiji_jax.evaluate import compare, judged_rows, report, table
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.cells import Cell
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table

TABLE = Table('t', 'Title', ('m', 'n'), ('m',), (('rl', 'sft'), ('x', 'sft')))
ROWS = JudgedRows(
  np.array([0, 0, 1, 2]),
  {
    'seen': np.array([True, True, False, True]),
    'unseen': np.array([False, False, True, False]),
    'nobody': np.zeros(4, bool),
  },
  {
    'floor': {'m': np.array([1.0, 1, 0, 0])},
    'logit': {'m': np.array([1.0, 0, 1, 1])},
  },
  'logit',
  {'m': 'floor', 'n': 'floor'},
  {'tower': 3.0},
)
NONE = {'mean': None, 'low': None, 'high': None}


def cell(arm, seed, *m):
  values = {'m': np.array(m, float), 'n': np.full(4, np.nan)}
  return Cell(arm, seed, {'train': 10.0}, values, 0.25)


CELLS = {
  'sft': [cell('sft', 0, 0, 0, 0, 0), cell('sft', 1, 1, 1, 1, 1)],
  # Seeds 0, 1, 2 start from the base's seeds 0, 1, 0.
  'rl': [
    cell('rl', 0, 1, 1, 1, 1),
    cell('rl', 1, 1, 1, 1, 0),
    cell('rl', 2, 0, 0, 1, 0),
  ],
}
# Many users, so that there is something to find.
RNG = np.random.default_rng(0)
USERS = 200
MANY = JudgedRows(
  np.arange(USERS),
  {'odd': np.arange(USERS) % 2 > 0},
  {'floor': {'m': RNG.random(USERS), 'n': RNG.random(USERS)}},
  'floor',
  {'m': 'floor'},
)
MANY_CELLS = {
  arm: [
    Cell(
      arm,
      0,
      {},
      {'m': shift + RNG.random(USERS), 'n': RNG.random(USERS)},
    )
  ]
  for arm, shift in {'rl': 0.5, 'sft': 0.0}.items()
}


def made(shown=TABLE, cells=None, rows=ROWS):
  starts = {} if cells else {'rl': [0, 1, 0]}
  return compare.result(shown, cells or CELLS, rows, starts)


class CompareTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.result = made()

  def test_is_a_result(self):
    result_lib.check(self.result, TABLE)
    self.assertEqual(self.result['rows'], 4)
    self.assertEqual(self.result['users'], 3)
    self.assertEqual(self.result['cells'], {'sft': [0, 1], 'rl': [0, 1, 2]})
    self.assertEqual(
      self.result['seconds'], {'tower': 3.0, 'sft_train': 20, 'rl_train': 30}
    )

  def test_pairs_take_the_seed_that_an_arm_started_from(self):
    # rl 1, .75, .25 against sft 0, 1, 0: (1 - .25 + .25) / 3.
    self.assertEqual(set(self.result['paired']), {'rl-sft'})
    mean = self.result['paired']['rl-sft']['m']['mean']
    self.assertAlmostEqual(mean, 1 / 3, places=6)
    self.assertGreater(self.result['detectable']['rl-sft']['m'], 0)

  def test_pairs_are_of_the_seeds_that_both_have(self):
    shown = Table('t', 'T', ('m', 'n'), ('m',), (('x', 'sft'), ('y', 'x')))
    cells = {
      'sft': [cell('sft', s, *[v] * 4) for s, v in ((0, 0), (1, 1), (2, 5))],
      'x': [cell('x', 2, 7, 7, 7, 7), cell('x', 0, 3, 3, 3, 3)],
      # One seed goes with all.
      'y': [cell('y', 9, 1, 1, 1, 1)],
    }
    found = compare.result(shown, cells, ROWS, {})
    self.assertEqual(found['paired']['x-sft']['m']['mean'], (2 + 3) / 2)
    self.assertEqual(found['paired']['y-x']['m'], NONE)
    shown = Table('t', 'T', ('m', 'n'), ('m',), (('x', 'y'),))
    found = compare.result(shown, cells, ROWS, {})
    self.assertEqual(found['paired']['x-y']['m']['mean'], (6 + 2) / 2)

  def test_what_goes_back_to_a_seed_that_the_base_lacks_is_left_out(self):
    cells = {
      'sft': [cell('sft', s, *[s] * 4) for s in (0, 1)],
      'rl': [cell('rl', s, *[10 + s] * 4) for s in range(3)],
    }
    found = compare.result(TABLE, cells, ROWS, {'rl': [1, 4, 0]})
    self.assertEqual(found['paired']['rl-sft']['m']['mean'], (9 + 12) / 2)

  def test_counts_of_other_rows_are_not_compared(self):
    def one(arm, *m):
      values = {'m': np.array(m), 'distinct_items': np.array(m) + 2}
      return [Cell(arm, 0, {}, values)]

    shown = Table('t', 'T', ('m', 'distinct_items'), (), (('a', 'b'),))
    for a, told in (((1.0, 1, np.nan, 1), None), ((1.0, 1, 1, 1), 1)):
      cells = {'a': one('a', *a), 'b': one('b', 0.0, 0, 0, 0)}
      found = compare.result(shown, cells, ROWS, {})['paired']['a-b']
      self.assertEqual(found['m']['mean'], 1)
      self.assertEqual(found['distinct_items']['mean'], told)

  def test_what_shares_a_start_is_no_seed_of_its_own(self):
    def widths(starts):
      cells = {
        'sft': [cell('sft', s, *[0.0] * 4) for s in (0, 1)],
        'rl': [cell('rl', s, *[float(s % 2)] * 4) for s in range(6)],
        'x': [cell('x', s, *[0.25] * 4) for s in range(6)],
      }
      shown = dataclasses.replace(TABLE, pairs=(('rl', 'sft'), ('rl', 'x')))
      found = compare.result(
        shown, cells, ROWS, {'rl': starts, 'x': starts} if starts else {}
      )
      told = (
        found['arms']['rl'],
        found['against_best']['rl'],
        found['paired']['rl-sft'],
        found['paired']['rl-x'],
      )
      return [one['m']['high'] - one['m']['low'] for one in told]

    own, shared = widths([0, 1, 2, 3, 4, 5]), widths([0, 1, 0, 1, 0, 1])
    for i in (0, 1):
      self.assertGreater(shared[i], 2 * own[i])
    # Of two that began alike the start cancels: their seeds count.
    self.assertAlmostEqual(shared[3], own[3])

  def test_rows_that_an_arm_does_not_answer_count_in_no_difference(self):
    nan = np.nan
    cells = {
      'sft': [cell('sft', 0, 0, 1, 1, 1)],
      'rl': [cell('rl', 0, 1, nan, nan, 1)],
    }
    found = compare.result(TABLE, cells, ROWS, {'rl': [0]})
    self.assertEqual(found['arms']['rl']['m']['mean'], 1)
    self.assertEqual(found['paired']['rl-sft']['m']['mean'], 0.5)
    # The floor has 1, 1, 0, 0.
    self.assertEqual(found['against_best']['rl']['m']['mean'], 0.5)

  def test_an_arm_tells_how_many_rows_it_was_judged_on(self):
    nan = np.nan
    cells = {
      'sft': [cell('sft', 0, 0, 1, 1, 1)],
      # Rows 0 and 1 are of one user.
      'rl': [cell('rl', s, 1, nan, nan, s) for s in range(2)],
    }
    found = compare.result(TABLE, cells, ROWS, {'rl': [0, 0]})
    judged = {'rl': {'rows': 2, 'users': 2}}
    self.assertEqual(judged_rows.sampled(found), judged)
    self.assertEqual(found['judged']['sft'], {'rows': 4, 'users': 3})
    text = table.text(found, TABLE)
    self.assertIn('| arm | seeds | rows | m |', text)
    self.assertIn('| rl | 2 | 2 | ', text)
    # One number does where all have the same.
    self.assertNotIn('| seeds | rows |', table.text(made(), TABLE))
    self.assertEqual(judged_rows.sampled({'rows': 4}), {})

  def test_how_often_an_arm_names_what_its_retriever_does(self):
    def named(seed, values, *item_r):
      found = cell('rl', seed, *values)
      return dataclasses.replace(found, item_r=np.array(item_r))

    nan = np.nan
    cells = {
      'sft': [cell('sft', 0, 0, 0, 0, 0)],
      # 1 of 3, as what names nothing agrees with nothing; 2 of the 2 answered.
      'rl': [
        named(0, (1, 1, 1, nan), 7, 1, -1, 4),
        named(1, (nan, 1, 1, nan), -1, 2, 3, -1),
      ],
    }
    rows = dataclasses.replace(ROWS, answer_r=np.array([7, 2, 3, 4]))
    found = compare.result(TABLE, cells, rows, {'rl': [0, 0]})
    self.assertAlmostEqual(found['as_retriever']['rl'], (1 / 3 + 1) / 2, 6)
    self.assertNotIn('sft', found['as_retriever'])
    self.assertIn("as the retriever's", table.text(found, TABLE))
    self.assertEqual(self.result['as_retriever'], {})

  def test_groups(self):
    # Row 2 alone is of a user without training: rl 1, 1, 1; sft 0, 1.
    unseen = self.result['groups']['unseen']
    self.assertEqual((unseen['rows'], unseen['users']), (1, 1))
    # Of one user there is no interval.
    alone = {'low': None, 'high': None}
    self.assertEqual(unseen['arms']['rl']['m'], {'mean': 1, **alone})
    self.assertEqual(unseen['arms']['sft']['m'], {'mean': 0.5, **alone})
    # The floor has 0 there, the retriever 1.
    self.assertEqual(unseen['against_best']['sft']['m']['mean'], 0.5)
    self.assertEqual(unseen['against_retriever']['sft']['m']['mean'], -0.5)
    self.assertEqual(
      self.result['groups']['nobody'],
      {'rows': 0, 'users': 0}
      | dict.fromkeys(
        ('arms', 'paired', 'against_best', 'against_retriever'), {}
      ),
    )

  def test_a_count_over_all_rows_has_no_value_on_a_part_of_them(self):
    def one(arm):
      values = {'m': np.ones(4), 'distinct_items': np.full(4, 3.0)}
      return [Cell(arm, 0, {}, values)]

    rows = dataclasses.replace(
      ROWS,
      floors={'floor': {'m': np.zeros(4), 'distinct_items': np.ones(4)}},
      retriever='floor',
      best={'m': 'floor', 'distinct_items': 'floor'},
    )
    shown = Table(
      't', 'T', ('m', 'distinct_items'), (), (('a', 'b'),), repeats='m'
    )
    cells = {arm: one(arm) for arm in ('a', 'b')}
    found = made(shown, cells, rows)
    self.assertEqual(found['arms']['a']['distinct_items']['mean'], 3)
    part = found['groups']['seen']
    self.assertEqual(part['arms']['a']['m']['mean'], 1)
    self.assertEqual(part['arms']['a']['distinct_items'], NONE)
    self.assertEqual(part['paired']['a-b']['distinct_items'], NONE)
    # Neither counts nor repeats are better where there are more.
    self.assertEqual(found['against_best'], {})
    self.assertEqual(found['against_retriever'], {})

  def test_a_floor_has_empty_intervals_for_what_it_lacks(self):
    floor = self.result['floors']['floor']
    self.assertEqual(floor['m']['mean'], 0.5)
    self.assertEqual(floor['n'], NONE)

  def test_every_arm_is_compared_with_every_floor(self):
    # The floor has 1, 1, 0, 0: sft 0, 1 and rl 1, .75, .25 less .5.
    found = self.result['against_floors']
    self.assertEqual(
      set(found), {f'{a}-{f}' for a in CELLS for f in ('floor', 'logit')}
    )
    self.assertAlmostEqual(found['sft-floor']['m']['mean'], 0)
    self.assertAlmostEqual(
      found['rl-floor']['m']['mean'], 2 / 3 - 1 / 2, places=6
    )
    self.assertEqual(found['rl-floor']['n'], NONE)

  def test_best_look_up_and_retriever(self):
    self.assertEqual(self.result['best_floor'], {'m': 'floor', 'n': 'floor'})
    for part, floor in (
      ('against_best', 'floor'),
      ('against_retriever', 'logit'),
    ):
      for arm in CELLS:
        expected = self.result['against_floors'][f'{arm}-{floor}']['m']
        self.assertEqual(self.result[part][arm], {'m': expected})

  def test_without_floors_groups_and_values(self):
    cells = {
      'rl': [cell('rl', 0, *[np.nan] * 4)],
      'sft': [cell('sft', 0, 0, 1, 0, 1)],
    }
    found = made(cells=cells, rows=JudgedRows(ROWS.user_r))
    result_lib.check(found, TABLE)
    self.assertEqual(found['arms']['rl']['m'], NONE)
    self.assertEqual(found['paired']['rl-sft']['m'], NONE)
    self.assertIsNone(found['detectable']['rl-sft']['m'])
    self.assertEqual(found['tests']['count'], 0)
    text = table.text(found, TABLE)
    self.assertIn(r'| rl-sft\* | - |', text)
    self.assertNotIn('retriever', text)
    self.assertNotIn('were tested', text)


class TestedTest(absltest.TestCase):
  def test_the_primary_stands_alone_and_others_are_raised(self):
    shown = dataclasses.replace(TABLE, primary=('rl-sft', 'm', 'odd'))
    found = made(shown, MANY_CELLS, MANY)
    tests = found['tests']
    odd = MANY.groups['odd']
    apart = intervals.difference(
      MANY_CELLS['rl'][0].values['m'][odd],
      MANY_CELLS['sft'][0].values['m'][odd],
      MANY.user_r[odd],
    )
    p = apart.p_value()
    self.assertEqual(
      tests['primary'] | {'p': None},
      {'comparison': 'rl-sft', 'metric': 'm', 'group': 'odd', 'p': None},
    )
    self.assertAlmostEqual(tests['primary']['p'] / p, 1, places=2)
    # In m alone, which is shown, of all and odd rows: rl-sft, both arms against
    # the best and the retriever; less the primary.
    self.assertEqual(tests['count'], 2 * (1 + 2 + 2) - 1)
    self.assertNotIn('rl-sft', tests['others']['odd'])
    flat = {
      (group, name, metric): pair
      for group, comparisons in tests['others'].items()
      for name, metrics in comparisons.items()
      for metric, pair in metrics.items()
    }
    raised = intervals.holm({key: pair[0] for key, pair in flat.items()})
    for key, (_, p_holm) in flat.items():
      self.assertAlmostEqual(p_holm, raised[key], delta=0.01 * raised[key])
    survivors = {key for key, pair in flat.items() if pair[1] < 0.05}
    self.assertEqual(
      survivors,
      {
        (group, name, 'm')
        for group in ('all', 'odd')
        for name in ('rl-sft', 'rl-best', 'rl-retriever')
      }
      - {('odd', 'rl-sft', 'm')},
    )
    self.assertEqual(tests['survive'], len(survivors))
    result_lib.check(found, shown)
    text = table.text(found, shown)
    self.assertRegex(
      text,
      r'anything was trained: rl-sft in m, group odd, p = [^,]*, \+0.[45]\d\d',
    )
    self.assertIn('9 other differences were tested; † marks the 5 whose', text)
    self.assertRegex(text, r'\| rl-sft\\\* \| \+0.[45]\d\d \\\[[^|]*\\\] † \|')
    self.assertRegex(text, r'\| rl-best \| \+0.4[^|]* † \|\n')
    self.assertRegex(text, r'\| sft\\\* \| [+-]0.0\d\d \\\[[^|]*\\\] \|')
    told = report.differences.results(found)
    self.assertIn('9 other differences', told)
    self.assertRegex(told, r'\| m \| floor \| \+0.4[^|]* † \| -0.0[^†|]*\|')
    self.assertIn('over users alone: one seed', told)
    self.assertIn('### Group odd', told)

  def test_a_primary_that_is_not_in_this_run(self):
    shown = dataclasses.replace(TABLE, primary=('x-sft', 'm', 'all'))
    found = made(shown)
    self.assertIsNone(found['tests']['primary']['p'])
    self.assertIn('p = -.', table.text(found, shown))

  def test_without_a_primary(self):
    self.assertIsNone(made()['tests']['primary'])

  def test_what_no_primary_can_be(self):
    with self.assertRaisesRegex(ValueError, "'rl-x' is none of .*'ARM-best'"):
      dataclasses.replace(TABLE, primary=('rl-x', 'm', 'all'))
    with self.assertRaisesRegex(ValueError, "metric 'x' is none"):
      dataclasses.replace(TABLE, primary=('rl-best', 'x', 'all'))
    with self.assertRaisesRegex(ValueError, "'best' names no arm"):
      dataclasses.replace(TABLE, pairs=(('best', 'sft'),))


class TextTest(absltest.TestCase):
  def test_markdown(self):
    result = made()
    found = table.text(result, TABLE, ('## More',))
    self.assertStartsWith(found, '# Title\n\n4 rows of 3 users.')
    self.assertNotIn('resampled', found)
    self.assertRegex(found, r'\| rl \| 3 \| 0.667 \\\[')
    self.assertNotIn('one seed', found)
    self.assertRegex(found, r'\| rl-sft \| \+0.333 \\\[')
    self.assertRegex(found, r'\| floor \| 0.500 \\\[')
    self.assertRegex(found, r'\| rl-floor \| \+0.167 \\\[')
    self.assertEndsWith(found, '## More\n')

  def test_minus_the_best_look_up_and_the_retriever(self):
    found = table.text(made(), TABLE)
    best = found[found.index('## Minus the best look-up') :]
    self.assertIn('| arm | m |\n| :-- | --: |\n| look-up | floor |\n', best)
    self.assertRegex(best, r'\| rl \| \+0.167 \\\[')
    own = found[found.index('## Minus its own retriever') :]
    self.assertIn('to the answer of logit.', own)
    # rl 2/3, the retriever 3/4.
    self.assertRegex(own, r'\| rl \| -0.083 \\\[')
    groups = found[found.index('## Groups') :]
    self.assertIn('|  | seen | unseen |\n', groups)
    self.assertIn('| rows | 3 | 1 |\n| users | 2 | 1 |\n', groups)
    self.assertRegex(groups, r'\| rl-best \| [^|]* \| \+1.000 \|\n')
    self.assertNotIn('nobody', groups)

  def test_arms_of_one_seed_are_marked(self):
    cells = {'sft': CELLS['sft'], 'x': [cell('x', 0, 0, 1, 0, 1)]}
    found = table.text(made(cells=cells), TABLE)
    self.assertIn(r'| x\* | 1 | 0.500', found)
    self.assertIn('| sft | 2 |', found)
    self.assertIn('\n\n\\* one seed: users alone;', found)
    told = report.differences.results(made(cells=cells))
    self.assertIn('over users alone for `x`, of one seed', told)

  def test_a_result_of_before(self):
    result = made()
    for name in (
      'tests',
      'best_floor',
      'retriever',
      'groups',
      'against_best',
      'against_retriever',
    ):
      del result[name]
    result['by_user'] = {'seen': {}}
    result_lib.check(result, TABLE)
    self.assertNotIn('look-up is', table.text(result, TABLE))
    self.assertIn('| m | ', report.differences.results(result))

  def test_a_table_shows_its_metrics_only(self):
    with self.assertRaisesRegex(ValueError, "'x' is shown and no metric"):
      Table('t', 'T', ('m',), ('x',), ())

  def test_it_is_json(self):
    result = made()
    text = result_lib.text(result)
    self.assertEqual(json.loads(text), result)
    self.assertIn('\n   "m": {"mean": 0.5, "low": ', text)


if __name__ == '__main__':
  absltest.main()
