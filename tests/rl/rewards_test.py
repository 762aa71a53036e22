from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.rl import rewards
from taiji_jax.types import Catalog, RewardTable, Rows

CATALOG = Catalog(
  item_ids=('1', '2', '3'),
  titles=('Alien (1979)', 'Big (1988)', 'Cube (1997)'),
  categories=(('Horror', 'SF'), ('Comedy',), ()),
)
CTCVR_RN = np.float32([[0.1, 0.2, 0.5], [0.3, 0.1, 0.0]])


def embed(texts):
  """A plane: the angle of a text is given by what it holds."""
  angle = np.array(
    [sum(np.pi / 3 * (w in t) for w in ('Alien', 'Big', 'Cube')) * (
      2 if 'Cube' in t else 1) for t in texts]
  )  # fmt: skip
  return np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)


def judge(miss=0.0):
  rows = Rows(
    event_r=np.arange(2),
    user_r=np.zeros(2, np.int32),
    target_r=np.int32([0, 2]),
    history_rs=np.full((2, 1), -1, np.int32),
  )
  return rewards.Judge(
    CATALOG,
    TitleIndex(CATALOG, np.zeros(3, np.int64)),
    RewardTable(CTCVR_RN, low=0.1, high=0.5, miss=miss),
    rows,
    embed,
  )


def written(answer):
  return prompts.completion('Some reason.', answer)


class JudgeTest(parameterized.TestCase):
  @parameterized.parameters(
    # The target of row 0 is item 0, of row 1 item 2. Alien lies at 60 degrees,
    # Big at 60 and Cube at 120: cos(60) = 1/2 apart.
    # r_id = (ctcvr - .1) / .4, clipped.
    (0, 0, 1.0, 0.0),
    (0, 1, 1.0, 0.25),
    (0, 2, 0.5, 1.0),
    (1, 0, 0.5, 0.5),
    (1, 1, 0.5, 0.0),
    (1, 2, 1.0, 0.0),
  )
  def test_rewards_of_an_item(self, row, item, semantic, r_id):
    text = written(prompts.item_text(CATALOG, item))
    judged = judge()([text], np.array([row]))
    np.testing.assert_allclose(judged.reward_nk, [[semantic, r_id]], atol=1e-6)
    self.assertEqual(judged.reward_nk.dtype, np.float32)
    self.assertEqual(judged.item_n.tolist(), [item])
    self.assertEqual(judged.parsed_n.tolist(), [True])

  @parameterized.parameters(
    '',
    'Item title: Alien (1979)',
    '<think>why</think>',
    written('Alien (1979)'),
    written('Item title: Alien (1979)') * 2,
  )
  def test_malformed_earns_no_cosine_and_the_miss(self, text):
    judged = judge(miss=0.25)([text], np.array([0]))
    np.testing.assert_allclose(judged.reward_nk, [[0, 0.25]], atol=1e-6)
    self.assertEqual(judged.item_n.tolist(), [-1])
    self.assertEqual(judged.parsed_n.tolist(), [False])

  def test_a_title_of_no_item_earns_its_cosine_and_the_miss(self):
    text = written('Item title: Cube Zero (2004)')
    judged = judge(miss=0.25)([text], np.array([1]))
    np.testing.assert_allclose(judged.reward_nk, [[1, 0.25]], atol=1e-6)
    self.assertEqual(judged.item_n.tolist(), [-1])
    self.assertEqual(judged.parsed_n.tolist(), [True])

  def test_many_at_once_equal_each_alone(self):
    texts = [written(prompts.item_text(CATALOG, n)) for n in (2, 0)] + ['?']
    row_n = np.array([1, 0, 1])
    whole = judge()(texts, row_n)
    for i, text in enumerate(texts):
      alone = judge()([text], row_n[i : i + 1])
      np.testing.assert_array_equal(whole.reward_nk[i], alone.reward_nk[0])

  def test_names_are_the_columns(self):
    self.assertEqual(rewards.NAMES, ('semantic', 'id'))


if __name__ == '__main__':
  absltest.main()
