from absl.testing import absltest
import numpy as np

from taiji_jax.evaluate import compare, table
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.cells import Cell
from taiji_jax.evaluate.config import EvaluationConfig
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table

TABLE = Table('t', 'Title', ('m', 'n'), ('m',), (('rl', 'sft'), ('x', 'sft')))
ROWS = JudgedRows(
  np.array([0, 0, 1, 2]),
  np.array([True, True, False, True]),
  {'floor': {'m': np.array([1.0, 1, 0, 0])}},
  {'tower': 3.0},
)


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


class CompareTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.result = compare.result(
      TABLE, CELLS, ROWS, {'rl': [0, 1, 0]}, EvaluationConfig(resamples=50), 0
    )

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
    self.assertAlmostEqual(mean, 1 / 3)
    self.assertGreater(self.result['detectable']['rl-sft']['m'], 0)

  def test_users_apart_by_training(self):
    # Row 2 alone is of a user without training: rl 1, 1, 1; sft 0, 1.
    unseen = self.result['by_user']['unseen']
    self.assertEqual((unseen['rows'], unseen['users']), (1, 1))
    self.assertEqual(unseen['arms']['rl']['m']['mean'], 1)
    self.assertEqual(unseen['arms']['sft']['m']['mean'], 0.5)

  def test_a_count_over_all_rows_has_no_value_on_a_part_of_them(self):
    scored = {
      arm: {'m': np.ones((1, 4)), 'distinct_items': np.full((1, 4), 3.0)}
      for arm in ('a', 'b')
    }
    pairs, user_r = [('a', 'b')], ROWS.user_r
    every = compare.compare(scored, pairs, user_r, np.ones(4, bool), samples=9)
    self.assertEqual(every['arms']['a']['distinct_items']['mean'], 3)
    part = compare.compare(scored, pairs, user_r, ROWS.seen_r, samples=9)
    self.assertEqual(part['arms']['a']['m']['mean'], 1)
    self.assertIsNone(part['arms']['a']['distinct_items']['mean'])
    self.assertIsNone(part['paired']['a-b']['distinct_items']['mean'])

  def test_a_floor_has_empty_intervals_for_what_it_lacks(self):
    floor = self.result['floors']['floor']
    self.assertEqual(floor['m']['mean'], 0.5)
    self.assertEqual(floor['n'], {'mean': None, 'low': None, 'high': None})

  def test_every_arm_is_compared_with_every_floor(self):
    # The floor has 1, 1, 0, 0: sft 0, 1 and rl 1, .75, .25 less .5.
    found = self.result['against_floors']
    self.assertEqual(set(found), {'sft-floor', 'rl-floor'})
    self.assertAlmostEqual(found['sft-floor']['m']['mean'], 0)
    self.assertAlmostEqual(found['rl-floor']['m']['mean'], 2 / 3 - 1 / 2)
    self.assertIsNone(found['rl-floor']['n']['mean'])

  def test_markdown(self):
    found = table.text(self.result, TABLE, ('## More',))
    self.assertStartsWith(found, '# Title\n\n4 rows of 3 users.')
    self.assertRegex(found, r'\| rl \| 3 \| 0.667 \\\[')
    self.assertRegex(found, r'\| rl-sft \| \+0.333 \\\[')
    self.assertRegex(found, r'\| floor \| 0.500 \\\[')
    self.assertRegex(found, r'\| rl-floor \| \+0.167 \\\[')
    self.assertEndsWith(found, '## More\n')

  def test_a_table_shows_its_metrics_only(self):
    with self.assertRaisesRegex(ValueError, "'x' is shown and no metric"):
      Table('t', 'T', ('m',), ('x',), ())


if __name__ == '__main__':
  absltest.main()
