from absl.testing import absltest
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.evaluate import answers, floors
from taiji_jax.types import Catalog, Log, Rows

CATALOG = Catalog(
  item_ids=('1', '2', '3'),
  titles=('Heat (1995)', 'Emma (1996)', 'Big (1988)'),
  categories=(
    ('Crime', 'Crime, Drama', 'Crime, Drama 1990s'),
    ('Comedy', 'Comedy', 'Comedy 1990s'),
    ('Comedy',),
  ),
)
ROWS = Rows(
  event_r=np.arange(4),
  user_r=np.arange(4, dtype=np.int32),
  target_r=np.array([0, 1, 2, 0], np.int32),
  history_rs=np.array([[1, 2], [0, -1], [0, 1], [-1, -1]], np.int32),
)
CTCVR_RN = np.array([[4, 1, 2], [3, 5, 1], [1, 1, 3], [2, 2, 6]]) / 10


def ctcvr(row, item):
  return np.where(item < 0, 0.0, CTCVR_RN[row, item])


def embed(texts):
  """Bags of letters: equal texts, and only those here, have cosine 1."""
  letters = 'abcdefghijklmnopqrstuvwxyz0123456789;:()'
  return np.array(
    [[text.lower().count(x) for x in letters] for text in texts], np.float32
  )


def rewards(texts):
  """One reward of a run: the letters a of the answer."""
  found = [prompts.parse(text).answer.count('a') for text in texts]
  return {'letters': np.array(found, np.float64)}


def evaluation():
  titles = TitleIndex(CATALOG, np.array([3, 2, 1]))
  return answers.EvaluationSet(ROWS, CATALOG, ctcvr, titles, embed, rewards)


def says(item):
  return prompts.completion('because', prompts.item_text(CATALOG, item))


class ScoreTest(absltest.TestCase):
  def test_golden(self):
    # Right; the last item instead; unparsable; a title nobody knows.
    completions = [
      says(0),
      says(0),
      'Heat (1995)',
      prompts.completion('so', 'Item title: Zorro; Category L1: Crime'),
    ]
    result = answers.score(completions, evaluation())
    self.assertEqual(tuple(result), ('reward_letters', *answers.METRICS))
    nan = np.nan
    expected = {
      # The run's own reward: He(a)t, C(a)tegory, twice Dr(a)m(a); C(a)tegory.
      'reward_letters': [6, 6, 0, 1],
      'ctcvr': [0.4, 0.3, 0.0, 0.0],
      'category_l1_acc': [1, 0, 0, 1],
      'category_l2_acc': [1, 0, nan, 0],
      'category_l3_acc': [1, 0, nan, 0],
      'format_rate': [1, 1, 0, 1],
      # Two users name item 0: one distinct item, which is nobody's alone.
      'distinct_items': [1, 1, 1, 1],
      'repeat_last': [0, 1, 0, nan],
      # Three items: any title is among the 50 nearest.
      'title_hit_rate_50': [1, 1, 0, 1],
      'title_hit_rate_100': [1, 1, 0, 1],
    }
    for name, value_r in expected.items():
      np.testing.assert_allclose(
        result[name], value_r, rtol=1e-5, atol=1e-6, err_msg=name
      )

  def test_wrong_number_of_completions(self):
    with self.assertRaisesRegex(ValueError, '1 completions for 4 rows'):
      answers.score([says(0)], evaluation())


class FloorTest(absltest.TestCase):
  def test_floor_is_scored_as_an_arm(self):
    item_r = np.array([2, 1, -1, 0], np.int32)
    ranked_rk = np.array([[2, 0], [1, 0], [-1, -1], [0, 1]], np.int32)
    result = answers.score_floor(floors.Floor(item_r, ranked_rk), evaluation())
    alone = answers.score([says(2), says(1), '', says(0)], evaluation())
    for name, value_r in alone.items():
      np.testing.assert_array_equal(result[name], value_r)
    np.testing.assert_array_equal(result['list_hit_rate_50'], [1, 1, 0, 1])
    np.testing.assert_array_equal(result['list_hit_rate_100'], [1, 1, 0, 1])

  def test_paths_have_categories_only(self):
    log = Log(
      ('u',),
      ({},),
      *np.zeros((2, 3), np.int32),
      np.arange(3),
      *np.ones((2, 3), bool),
    )
    result = answers.score_floors(log, np.ones(3, bool), evaluation(), False)
    self.assertEqual(
      set(result),
      {
        'popular',
        'markov',
        'copy_last',
        'repeat_category',
        'decayed_majority',
      },
    )
    for name in ('repeat_category', 'decayed_majority'):
      self.assertEqual(tuple(result[name]), answers.CATEGORY_METRICS)
    # Last items: Emma, Heat, Heat, none; targets: Heat, Emma, Big, Heat.
    repeated = result['repeat_category']['category_l1_acc']
    np.testing.assert_array_equal(repeated, [0, 0, 0, 0])
    # The last item's title and path: none of the truth, but for the first.
    copied = result['copy_last']
    np.testing.assert_array_equal(copied['category_l1_acc'], [0, 0, 0, 0])
    np.testing.assert_array_equal(copied['format_rate'], [1, 1, 1, 0])
    np.testing.assert_array_equal(copied['repeat_last'], [1, 1, 1, np.nan])

  def test_named(self):
    texts = [says(1), 'Heat (1995)', prompts.completion('so', 'Item title: Z')]
    np.testing.assert_array_equal(
      answers.named([*texts, says(2)], evaluation()), [1, -1, -1, 2]
    )


if __name__ == '__main__':
  absltest.main()
