import dataclasses

from absl.testing import absltest, parameterized

from taiji_jax.evaluate import verdict
from taiji_jax.evaluate.table import Table

METRICS = ('r_s', 'r_id', 'accuracy', 'hits', 'distinct', 'repeats')
TABLE = Table(
  'popo',
  'Before and after',
  METRICS,
  METRICS,
  (('popo', 'sft'),),
  ('r_s', 'r_id'),
  ('popo', 'sft'),
  distinct='distinct',
  repeats='repeats',
)
NONE = {'mean': None, 'low': None, 'high': None}


def interval(mean, reach=0.02):
  return {'mean': mean, 'low': mean - reach, 'high': mean + reach}


def result(distinct=(50, 60), paired=None, floors=None):
  """Returns a run whose aim is met, but for what is given."""
  level = dict.fromkeys(METRICS, interval(0.5))
  return {
    'arms': {
      'popo': level | {'distinct': interval(distinct[0])},
      'sft': level | {'distinct': interval(distinct[1])},
    },
    'paired': {
      'popo-sft': dict.fromkeys(METRICS, interval(0.0))
      | {'r_s': interval(0.03), 'r_id': interval(0.05)}
      | (paired or {})
    },
    'floors': dict.fromkeys(('popular', 'markov', 'category'), level),
    'against_floors': {
      'popo-popular': dict.fromkeys(METRICS, interval(0.1)),
      'popo-markov': dict.fromkeys(METRICS, interval(0.1)),
      'popo-category': dict.fromkeys(METRICS, NONE),
    }
    | (floors or {}),
  }


class LeadTest(absltest.TestCase):
  def lead(self, **values):
    found = result() | {
      'against_best': {'popo': {'r_s': interval(**values)}},
      'best_floor': {'r_s': 'markov'},
    }
    return verdict.lead(found, TABLE)

  def test_the_difference_to_the_best_look_up_with_its_interval(self):
    self.assertEqual(
      self.lead(mean=-0.03),
      'popo is 0.030 below the best look-up, markov, in r_s, beyond the noise:'
      ' -0.0300 (-0.0500 to -0.0100)',
    )
    self.assertEqual(
      self.lead(mean=0.01),
      'popo is 0.010 above the best look-up, markov, in r_s, within the noise:'
      ' +0.0100 (-0.0100 to +0.0300)',
    )

  def test_the_metric_is_the_primary_one(self):
    primary = ('popo-sft', 'hits', 'all')
    table = dataclasses.replace(TABLE, primary=primary)
    found = result() | {
      'against_best': {'popo': {'hits': interval(0.5)}},
      'best_floor': {'hits': 'popular'},
    }
    self.assertIn('popular, in hits', verdict.lead(found, table))

  def test_without_a_best_look_up_or_an_arm(self):
    self.assertEqual(
      verdict.lead(result(), TABLE), 'popo has no best look-up beside it in r_s'
    )
    table = dataclasses.replace(TABLE, verdict=None)
    self.assertEqual(verdict.lead(result(), table), '')


class VerdictTest(parameterized.TestCase):
  @parameterized.parameters(
    # (r_s mean, r_id mean, half width) -> met?, words of the sentence.
    (
      0.03,
      0.05,
      0.02,
      True,
      'r_s and r_id rose over sft, .* interval, without',
    ),
    (0.03, 0.05, 0.04, True, 'beyond the 95 % interval of r_id, without'),
    (0.03, 0.05, 0.06, False, 'all mean rewards .* no interval clears 0'),
    (-0.01, 0.05, 0.02, False, 'met: r_s did not rise over sft'),
    (0.03, 0.0, 0.02, False, 'met: r_id did not rise over sft'),
    (-0.1, -0.1, 0.02, False, 'r_s and r_id did not rise'),
  )
  def test_rewards(self, semantic, by_id, reach, met, words):
    found = verdict.of(
      result(
        paired={
          'r_s': interval(semantic, reach),
          'r_id': interval(by_id, reach),
        }
      ),
      TABLE,
    )
    self.assertEqual(found.met, met)
    self.assertRegex(found.headline, words)
    self.assertIn(f'`r_s` {semantic:+.4f}', found.facts[0][1])

  @parameterized.parameters(
    ((30, 60), True), ((29, 60), False), ((1, 1), False), ((2, 1), True)
  )
  def test_one_item_for_all_is_a_collapse(self, distinct, met):
    found = verdict.of(result(distinct), TABLE)
    self.assertEqual(found.met, met)
    if not met:
      items = 'item' if distinct[0] == 1 else 'items'
      self.assertIn(
        f'it names {distinct[0]} {items} where sft names {distinct[1]}',
        found.headline,
      )

  @parameterized.parameters((0.03, False), (0.01, True), (-0.5, True))
  def test_repeats_are_a_collapse(self, mean, met):
    found = verdict.of(result(paired={'repeats': interval(mean)}), TABLE)
    self.assertEqual(found.met, met)
    self.assertEqual('repeats the last item' in found.headline, not met)

  @parameterized.parameters((-0.03, False), (-0.01, True), (0.5, True))
  def test_another_metric_falls(self, mean, met):
    found = verdict.of(result(paired={'accuracy': interval(mean)}), TABLE)
    self.assertEqual(found.met, met)
    self.assertEqual('accuracy fell' in found.headline, not met)
    # Fewer different items are no fall: half of them may go.
    change = {'distinct': interval(-9)}
    self.assertTrue(verdict.of(result(paired=change), TABLE).met)

  def test_floors_that_earn_more_of_every_reward(self):
    below = dict.fromkeys(METRICS, interval(0.1)) | {'r_s': interval(-0.2)}
    one = verdict.of(result(floors={'popo-popular': below}), TABLE)
    self.assertTrue(one.met)
    self.assertEndsWith(
      one.headline, 'a table look-up is clearly better in r_s'
    )
    self.assertIn('`r_s` -0.2000 (`popular`)', one.facts[-1][1])
    both = below | {'r_id': interval(-0.03)}
    found = verdict.of(result(floors={'popo-popular': both}), TABLE)
    self.assertFalse(found.met)
    self.assertIn('the floor popular earns more of every', found.headline)
    # Another floor has the other reward.
    other = dict.fromkeys(METRICS, interval(0.1)) | {'r_id': interval(-0.3)}
    two = {'popo-popular': below, 'popo-markov': other}
    found = verdict.of(result(floors=two), TABLE)
    self.assertFalse(found.met)
    self.assertIn('the floors popular and markov earn more', found.headline)
    # Of each metric the floor that is furthest above.
    found = verdict.of(
      result(floors={'popo-popular': both, 'popo-markov': other}), TABLE
    )
    self.assertIn('`r_id` -0.3000 (`markov`)', found.facts[-1][1])

  def test_the_look_up_chosen_on_other_rows_counts_alone(self):
    below = dict.fromkeys(METRICS, interval(-0.2))
    value = result(floors={'popo-popular': below, 'popo-markov': below})
    value |= {
      'best_floor': {'r_s': 'markov', 'r_id': 'category'},
      'against_best': {'popo': {'r_s': interval(-0.1), 'r_id': interval(0.1)}},
    }
    found = verdict.of(value, TABLE)
    self.assertTrue(found.met)
    (_, told) = found.facts[3]
    self.assertIn('`r_s` -0.1000 (`markov`)', told)
    self.assertNotIn('r_id', told)
    # Of a metric without a chosen one all floors count.
    self.assertIn('`accuracy` -0.2000', told)
    value['against_best']['popo']['r_id'] = interval(-0.1)
    found = verdict.of(value, TABLE)
    self.assertIn('floors markov and category earn more', found.headline)

  def test_the_retriever_is_named_apart(self):
    below = dict.fromkeys(METRICS, interval(-0.2))
    value = result(floors={'popo-popular': below}) | {
      'retriever': 'popular',
      'against_retriever': {'popo': {'r_s': interval(-0.2), 'hits': NONE}},
    }
    found = verdict.of(value, TABLE)
    self.assertTrue(found.met)
    self.assertEndsWith(
      found.headline, 'elsewhere; its own retriever is clearly better in r_s'
    )
    self.assertEqual(
      found.facts[-2:],
      (
        ('Clearly below a floor, which is a table look-up', 'nowhere'),
        ('Clearly below its own retriever', '`r_s` -0.2000'),
      ),
    )

  @parameterized.parameters((0.5, True), (0.49, False))
  def test_answers_without_the_format(self, rate, met):
    value = result()
    value['arms']['popo']['format_rate'] = interval(rate)
    found = verdict.of(value, TABLE)
    self.assertEqual(found.met, met)
    self.assertEqual('keeps the format in 49%' in found.headline, not met)

  @parameterized.parameters((1, False), (9, False), (10, True))
  def test_too_few_users(self, users, met):
    found = verdict.of(result() | {'users': users}, TABLE)
    self.assertEqual(found.met, met)
    self.assertEqual('too few to say' in found.headline, not met)

  def test_within_its_interval_a_floor_is_not_better(self):
    near = dict.fromkeys(METRICS, interval(-0.01))
    found = verdict.of(result(floors={'popo-popular': near}), TABLE)
    self.assertTrue(found.met)
    self.assertEqual(found.facts[-1][1], 'nowhere')

  def test_all_faults_are_named(self):
    found = verdict.of(
      result((1, 60), {'r_s': interval(-1), 'hits': interval(-1)}), TABLE
    )
    for words in ('r_s did not rise', 'names 1 item where', 'hits fell'):
      self.assertIn(words, found.headline)

  def test_without_the_pair(self):
    found = verdict.of(result() | {'paired': {}}, TABLE)
    self.assertEqual(
      (found.met, found.headline),
      (False, 'No verdict: this run does not compare popo-sft'),
    )


if __name__ == '__main__':
  absltest.main()
