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
REWARD_RN = np.float32([[0, 0.25, 1], [1, 0.5, 0]])


def embed(texts):
  """A plane: the angle of a text is given by what it holds."""
  angle = np.array(
    [sum(np.pi / 3 * (w in t) for w in ('Alien', 'Big', 'Cube')) * (
      2 if 'Cube' in t else 1) for t in texts]
  )  # fmt: skip
  return np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)


def make(miss=0.0, **more):
  rows = Rows(
    event_r=np.arange(2),
    user_r=np.zeros(2, np.int32),
    target_r=np.int32([0, 2]),
    history_rs=np.full((2, 1), -1, np.int32),
  )
  return rewards.TextRewards(
    CATALOG,
    TitleIndex(CATALOG, np.zeros(3, np.int64)),
    RewardTable(REWARD_RN, miss),
    rows,
    embed,
    **more,
  )


def reward(texts, row_n, **options):
  sampled = rewards.Sampled.of_groups(texts, 1)
  return make(**options)(sampled, np.asarray(row_n))


def written(answer):
  return prompts.completion('Some reason.', answer)


class TextRewardsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The target of row 0 is item 0, of row 1 item 2. Alien lies at 60 degrees,
    # Big at 60 and Cube at 120: cos(60) = 1/2 apart.
    (0, 0, 1.0, 0.0),
    (0, 1, 1.0, 0.25),
    (0, 2, 0.5, 1.0),
    (1, 0, 0.5, 1.0),
    (1, 1, 0.5, 0.5),
    (1, 2, 1.0, 0.0),
  )
  def test_rewards_of_an_item(self, row, item, semantic, r_id):
    text = written(prompts.item_text(CATALOG, item))
    found = reward([text], [row])
    np.testing.assert_allclose(found.reward_nk, [[semantic, r_id]], atol=1e-6)
    self.assertEqual(found.reward_nk.dtype, np.float32)
    self.assertEqual(found.item_n.tolist(), [item])
    self.assertEqual(found.parsed_n.tolist(), [True])

  @parameterized.parameters(
    '',
    'Item title: Alien (1979)',
    '<think>why</think>',
    written('Alien (1979)'),
    written('Item title: Alien (1979)') * 2,
  )
  def test_malformed_earns_no_cosine_and_the_miss(self, text):
    found = reward([text], [0], miss=0.25)
    np.testing.assert_allclose(found.reward_nk, [[0, 0.25]], atol=1e-6)
    self.assertEqual(found.item_n.tolist(), [-1])
    self.assertEqual(found.parsed_n.tolist(), [False])

  def test_a_title_of_no_item_earns_its_cosine_and_the_miss(self):
    text = written('Item title: Cube Zero (2004)')
    found = reward([text], [1], miss=0.25)
    np.testing.assert_allclose(found.reward_nk, [[1, 0.25]], atol=1e-6)
    self.assertEqual(found.item_n.tolist(), [-1])
    self.assertEqual(found.parsed_n.tolist(), [True])

  def test_many_at_once_equal_each_alone(self):
    texts = [written(prompts.item_text(CATALOG, n)) for n in (2, 0)] + ['?']
    row_n = np.array([1, 0, 1])
    whole = reward(texts, row_n)
    for i, text in enumerate(texts):
      alone = reward([text], row_n[i : i + 1])
      np.testing.assert_array_equal(whole.reward_nk[i], alone.reward_nk[0])

  def test_names_are_the_columns(self):
    self.assertEqual(rewards.NAMES, ('semantic', 'id'))
    self.assertEqual(make().names, rewards.NAMES)

  def test_what_is_seen(self):
    texts = [written(prompts.item_text(CATALOG, 1)), '?']
    texts += [written('Item title: Cube Zero (2004)'), '']
    found = reward(texts, [0, 1, 0, 1])
    self.assertEqual(found.seen, {'format_rate': 0.5, 'mapped_rate': 0.25})
    self.assertTrue(found.known_nk.all())

  def test_one_more_column(self):
    # First of its group alone is known: what a reward of groups may say.
    def first(answers, judges):
      del judges
      rank_n = answers.sampled.rank_n
      return np.ma.masked_array(1.0 + answers.sampled.group_n, rank_n > 0)

    more = make(columns={**rewards.COLUMNS, 'first': first})
    texts = [written(prompts.item_text(CATALOG, 1))] * 4
    row_n = np.array([0, 0, 1, 1])
    found = more(rewards.Sampled.of_groups(texts, 2), row_n)
    self.assertEqual(more.names, ('semantic', 'id', 'first'))
    self.assertEqual(found.reward_nk[:, 2].tolist(), [1, 0, 2, 0])
    self.assertEqual(found.known_nk[:, 2].tolist(), [True, False, True, False])
    self.assertTrue(found.known_nk[:, :2].all())
    np.testing.assert_array_equal(
      found.reward_nk[:, :2], reward(texts, row_n).reward_nk
    )


if __name__ == '__main__':
  absltest.main()
