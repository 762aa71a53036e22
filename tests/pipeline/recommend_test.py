import json
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.pipeline import answers, recommend, reliability
from taiji_jax.pipeline.arms import Arm
from taiji_jax.pipeline.reliability import Part
from taiji_jax.types import Catalog, Rows

CATALOG = Catalog(
  ('a1', 'b2', 'c3', 'd4'),
  ('Heat (1995)', 'Fargo (1996)', 'Alien (1979)', 'Brazil (1985)'),
  ((), (), (), ()),
)
# By r_id c3, a1, d4, b2; by cosine to the answer b2, d4, a1, c3.
REWARD = [0.5, 0.125, 0.75, 0.25]
VECTORS = {
  'Heat (1995)': (0.2, 0.0),
  'Fargo (1996)': (1.0, 0.0),
  'Alien (1979)': (-1.0, 0.0),
  'Brazil (1985)': (0.5, 0.0),
}
ANSWER = prompts.completion('Crime.', 'Item title: Fargo (1996)')


def row(*history):
  padded = np.full((1, 3), -1, np.int32)
  padded[0, : len(history)] = history
  one = np.array([0])
  return Rows(one, one, one, padded)


class RecommendTest(parameterized.TestCase):
  def recommend(
    self,
    text=ANSWER,
    rows=None,
    once=False,
    listed=2,
    candidates=(),
    parts=(),
    logp=-1.0,
  ):
    run = mock.Mock()
    run.logs.catalog = CATALOG
    run.recipe.data.consumed_once = once
    run.values.return_value.rewards_of.return_value = np.array(REWARD)
    run.embedder.embed = lambda titles: np.array(
      [VECTORS.get(t, (0, 0)) for t in titles], np.float32
    )
    run.plan.get.return_value = Arm('backbone')
    run.encoder_for.return_value.prompt_text.return_value = 'User: age: 25'
    run.encoder_for.return_value.candidates.return_value = candidates
    said = {'decode': [text], 'opening_of': ''}
    for name, value in said.items():
      self.enter_context(mock.patch.object(answers, name, return_value=value))
    run.logs.titles.find = lambda title: CATALOG.titles.index(title)
    told = {'found': list(parts), 'logp_of': np.array([logp])}
    for name, value in told.items():
      self.enter_context(
        mock.patch.object(reliability, name, return_value=value)
      )
    return recommend.recommend(run, 'popo', 0, rows or row(2), listed)

  def test_both_lists(self):
    found = self.recommend()
    self.assertEqual([i.item_id for i in found.nearest], ['b2', 'd4'])
    self.assertEqual([i.cosine for i in found.nearest], [1.0, 0.5])
    self.assertEqual([i.item_id for i in found.best], ['c3', 'a1'])
    self.assertEqual([i.r_id for i in found.best], [0.75, 0.5])

  def test_what_is_consumed_once_is_not_recommended_again(self):
    found = self.recommend(once=True)
    self.assertEqual([i.item_id for i in found.best], ['a1', 'd4'])
    found = self.recommend(rows=row(2, 0, 3), once=True, listed=4)
    self.assertEqual([i.item_id for i in found.best], ['b2'])

  def test_an_answer_without_a_format_still_gets_the_best(self):
    found = self.recommend('no format')
    self.assertEmpty(found.nearest)
    self.assertEqual([i.item_id for i in found.best], ['c3', 'a1'])
    self.assertIn('The model kept no format:\nno format\n', str(found))
    self.assertRegex(str(found), r' {7}-  0\.750  c3  Alien \(1979\)')

  def test_text(self):
    text = str(self.recommend())
    self.assertStartsWith(text, 'Prompt\nUser: age: 25\nReasoning\nCrime.\n')
    self.assertRegex(text, r'   1\.000  0\.125  b2  Fargo \(1996\)\n')

  def test_candidates_come_in_the_order_of_the_prompt(self):
    found = self.recommend(candidates=[3, 0])
    self.assertEqual([i.item_id for i in found.candidates], ['d4', 'a1'])
    text = str(found)
    self.assertIn('the 2 candidates', text)
    self.assertLess(text.index('the 2 candidates'), text.index('Reasoning'))

  def test_how_often_such_an_answer_was_right(self):
    parts = [
      Part(-np.inf, -3.0, 0.25, 0.01, 40),
      Part(-3.0, np.inf, 0.5, 0.125, 60),
    ]
    found = self.recommend(parts=parts, logp=-3.0)
    self.assertEqual(found.reliability, parts[0])
    found = self.recommend(parts=parts, logp=-2.9)
    self.assertIn(
      '50% right in L1, 12.5% the very item, of 60 validation answers',
      str(found),
    )
    self.assertEqual(
      found.to_json()['reliability'], {'l1': 0.5, 'title': 0.125, 'rows': 60}
    )

  def test_what_was_not_measured_is_said_so(self):
    # No validation answers; no item; one that can't come.
    for found in (
      self.recommend(),
      self.recommend('no format', parts=[Part(-np.inf, np.inf, 0.5, 0.1, 9)]),
      self.recommend(parts=[Part(-np.inf, np.inf, 0.5, 0.1, 9)], logp=-np.inf),
    ):
      self.assertIsNone(found.to_json()['reliability'])
      self.assertIn('Not known: ', str(found))

  def test_json(self):
    values = json.loads(json.dumps(self.recommend().to_json()))
    self.assertEqual(values['title'], 'Fargo (1996)')
    self.assertEqual(values['reasoning'], 'Crime.')
    self.assertTrue(values['well_formed'])
    self.assertEqual(
      values['nearest'][0],
      {'item_id': 'b2', 'title': 'Fargo (1996)', 'r_id': 0.125, 'cosine': 1.0},
    )


if __name__ == '__main__':
  absltest.main()
