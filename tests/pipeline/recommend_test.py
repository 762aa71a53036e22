import json
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.pipeline import answers, recommend
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
  def recommend(self, text=ANSWER, rows=None, once=False, listed=2):
    run = mock.Mock()
    run.logs.catalog = CATALOG
    run.recipe.data.consumed_once = once
    run.values.return_value.rewards_of.return_value = np.array(REWARD)
    run.embedder.embed = lambda titles: np.array(
      [VECTORS.get(t, (0, 0)) for t in titles], np.float32
    )
    run.encoder.prompt_text.return_value = 'User: age: 25'
    said = {'decode': [text], 'opening_of': ''}
    for name, value in said.items():
      self.enter_context(mock.patch.object(answers, name, return_value=value))
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
