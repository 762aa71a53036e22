from absl.testing import absltest
import numpy as np

from taiji_jax.decode.sampled import SampledItems
from taiji_jax.errors import UserError
from taiji_jax.rl import catalog_rewards

CODE_NL = np.array([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1]])
LEAF_N = np.array([0, 0, 1, 2, 3])
TARGET_R = np.array([1, 4, 3])


def sampled(item_n, group, rank_n=None):
  item_n = np.array(item_n)
  n = np.arange(len(item_n))
  return SampledItems(
    texts=[str(i) for i in item_n],
    group_n=n // group,
    rank_n=n % group if rank_n is None else np.array(rank_n),
    item_n=item_n,
    leaf_n=np.where(item_n >= 0, LEAF_N[item_n], -1),
    logp_n=np.zeros(len(item_n)),
  )


class CatalogRewardsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.hit = catalog_rewards.hits(LEAF_N, TARGET_R)

  def test_rule_and_rank(self):
    column = catalog_rewards.rule_and_rank(self.hit)
    # Row 0 asks for item 1; item 0 has its ID. Row 1 is not hit.
    found = column(sampled([2, 0, 3, 0, 2, 3], 3), np.array([0] * 3 + [1] * 3))
    first, third = 1 / np.log2(2), 1 / np.log2(4)
    whole = first + third
    np.testing.assert_allclose(
      found, [-first / whole, 1, -third / whole, 0, 0, 0]
    )

  def test_an_empty_place_is_no_miss(self):
    rewards = catalog_rewards.CatalogRewards(
      {'business': catalog_rewards.rule_and_rank(self.hit)}, self.hit
    )
    found = rewards(sampled([1, 2, -1], 3), np.array([0, 0, 0]))
    np.testing.assert_allclose(found.reward_nk[:, 0], [1, -1, 0])
    self.assertEqual(found.known_nk[:, 0].tolist(), [True, True, False])
    self.assertAlmostEqual(found.seen['hit_rate'], 1 / 3)
    self.assertEqual(found.seen['group_hit_rate'], 1)

  def test_prefix(self):
    column = catalog_rewards.prefix(CODE_NL, TARGET_R)
    found = column(sampled([0, 2, 3, 4], 4), np.array([0] * 4))
    # The second code counts behind the first alone.
    np.testing.assert_allclose(found, [1, 0.5, 0, 0])

  def test_one_history_two_targets(self):
    found = self.hit(sampled([1, 4], 1), np.array([0, 1]))
    self.assertTrue(found.all())
    found = self.hit(sampled([1, 4], 1), np.array([1, 0]))
    self.assertFalse(found.any())

  def test_what_is_judged_alone_is_asked(self):
    asked = []

    def column(part, row_n):
      asked.append((part.item_n.tolist(), row_n.tolist()))
      return np.ones(len(row_n))

    judged = catalog_rewards.judged(column, np.array([False, True, False]))
    rewards = catalog_rewards.CatalogRewards({'semantic': judged})
    row_n = np.array([0, 0, 1, 1])
    found = rewards(sampled([0, 1, 2, -1], 2), row_n)
    self.assertEqual(asked, [([2], [1])])
    self.assertEqual(found.known_nk[:, 0].tolist(), [False, False, True, False])
    rewards(sampled([0, 1], 2), np.array([0, 2]))
    self.assertLen(asked, 1)

  def test_sums(self):
    columns = {
      'prefix': catalog_rewards.prefix(CODE_NL, TARGET_R),
      'hit': self.hit,
      'never': lambda sampled, row_n: 1 / 0,
    }
    total = catalog_rewards.sum_of(
      {'prefix': 0.5, 'hit': 2.0, 'never': 0.0}, columns
    )
    found = total(sampled([0, 2], 2), np.array([0, 0]))
    np.testing.assert_allclose(found, [2.5, 0.25])

  def test_a_reward_that_is_no_number(self):
    bad = catalog_rewards.CatalogRewards(
      {'bad': lambda sampled, row_n: np.full(len(row_n), np.nan)}
    )
    with self.assertRaisesRegex(UserError, "'bad' gave a number that is NaN"):
      bad(sampled([0], 1), np.array([0]))
    with self.assertRaisesRegex(UserError, 'at least one column'):
      catalog_rewards.CatalogRewards({})


if __name__ == '__main__':
  absltest.main()
