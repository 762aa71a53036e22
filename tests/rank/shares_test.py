from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import shares
from taiji_jax.types import Log


def make(users=40, each=3):
  user_e = np.repeat(np.arange(users, dtype=np.int32), each)
  count = len(user_e)
  return Log(
    tuple(map(str, range(users))),
    ({},) * users,
    user_e,
    np.zeros(count, np.int32),
    np.arange(count),
    np.ones(count, bool),
    np.zeros(count, bool),
  )


def divided(log, read, fraction=0.25, seed=0):
  train_events = np.arange(len(log)) % 3 < 2
  read_u = np.isin(np.arange(len(log.user_ids)), read)
  found = shares.divide(
    log, train_events, read_u, judge_fraction=fraction, seed=seed
  )
  return train_events, found


class DivideTest(absltest.TestCase):
  def test_users_are_apart_and_all_events_used(self):
    log = make()
    read = [3, 5, 8, 9]
    train_events, found = divided(log, read)
    np.testing.assert_array_equal(found.reward | found.judge, train_events)
    reward, judge = (
      set(log.user_e[x].tolist()) for x in (found.reward, found.judge)
    )
    self.assertTrue(reward.isdisjoint(judge))
    self.assertTrue(judge.issuperset(read))
    # A quarter of the 36 others.
    self.assertLen(judge, 9 + 4)

  def test_by_seed(self):
    one, same, other = (divided(make(), [], seed=s)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(one.judge, same.judge)
    self.assertFalse(np.array_equal(one.judge, other.judge))

  def test_no_user_left(self):
    with self.assertRaisesRegex(UserError, 'left for the reward tower: of 0'):
      divided(make(), range(40))
    with self.assertRaisesRegex(UserError, 'left for the judge: .* 0.01 of 40'):
      divided(make(), [], fraction=0.01)


if __name__ == '__main__':
  absltest.main()
