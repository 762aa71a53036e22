"""What arms score on validation rows, and which of them is the best."""

from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.pipeline import answers, validation
from taiji_jax.pipeline.arms import Arm, Plan
from taiji_jax.types import Catalog, Rows

CATALOG = Catalog(
  ('1', '2', '3'),
  ('Heat', 'Fargo', 'Alien'),
  (('Crime', 'A'), ('Crime', 'B'), ('Space',)),
)
ROWS = Rows(
  np.arange(2),
  np.array([0, 1], np.int32),
  np.array([0, 2], np.int32),
  np.zeros((2, 1), np.int32),
)
PLAN = Plan(
  't',
  {
    'teacher': Arm('teacher'),
    'backbone': Arm('backbone'),
    'a': Arm('backbone', 'mbr'),
    'a_held': Arm('a', held=True),
    'b': Arm('backbone', 'rupr'),
  },
  (0, 1),
  (0,),
)
# Item that each arm names for both rows, seed by seed.
NAMED = {
  'backbone': [(2, 0)],
  'a': [(0, 0), (1, 0)],
  'a_held': [(0, 2), (0, 2)],
  'b': [(2, 0), (2, 1)],
}


def text(item):
  return prompts.completion('So.', prompts.item_text(CATALOG, item))


class ValidationTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.run_ = mock.Mock(plan=PLAN)
    self.run_.logs.catalog = CATALOG
    self.run_.candidates.answers.return_value = np.array([1, -1])
    self.run_.embedder.embed = lambda texts: np.eye(4, dtype=np.float32)[
      [CATALOG.titles.index(t) if t in CATALOG.titles else 3 for t in texts]
    ]
    self.run_.model = lambda name, seed: name
    made = {
      'rows_of': lambda *_: ROWS,
      'make': lambda run, name, seed, model, what: (name, seed),
      'read': lambda at: [text(n) for n in NAMED[at[0]][at[1]]],
    }
    for name, function in made.items():
      self.enter_context(mock.patch.object(answers, name, function))

  def test_scores_by_hand(self):
    found = validation.of_arms(self.run_, ['a', 'a_held'])
    self.assertEqual(list(found), ['retriever', 'a', 'a_held'])
    # Row 0 is of Crime A, row 1 of Space, which has no second level.
    np.testing.assert_array_equal(
      found['a']['category_l1_acc'], [[1, 0], [1, 0]]
    )
    np.testing.assert_array_equal(
      found['a']['category_l2_acc'], [[1, np.nan], [0, np.nan]]
    )
    np.testing.assert_array_equal(
      found['a_held']['category_l1_acc'], [[1, 1], [1, 1]]
    )
    # The retriever says the other of Crime, and of row 1 nothing.
    np.testing.assert_array_equal(
      found['retriever']['category_l1_acc'], [[1, 0]]
    )

  def test_the_best_is_a_trained_arm(self):
    names = ['backbone', 'a', 'a_held', 'b']
    found = validation.of_arms(self.run_, names)
    self.assertEqual(validation.best(PLAN, found), 'a')
    told = validation.text(self.run_, found)
    self.assertStartsWith(told, '2 validation rows;')
    self.assertIn('The best supervised arm by L1 is `a`.', told)
    found = validation.of_arms(self.run_, ['backbone', 'a_held'])
    self.assertEqual(validation.best(PLAN, found), '')
    self.assertNotIn('best', validation.text(self.run_, found))

  def test_what_cannot_be_looked_at(self):
    for names, told in (
      ([], 'no arm to look at'),
      (['a', 'nope'], "no arm 'nope'; choose among"),
      (['teacher'], "'teacher' has no model"),
    ):
      with self.assertRaisesRegex(UserError, told):
        validation.of_arms(self.run_, names)


if __name__ == '__main__':
  absltest.main()
