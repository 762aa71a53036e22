"""The order of a log: by time, and at one time as the source has it."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import log as log_lib

CATALOG = log_lib.build_catalog(
  log_lib.Item(str(n), f'Item {n}', (), f'items:{n}') for n in range(9)
)


def built(users, items, times):
  clicks = [True] * len(users)
  events = log_lib.Events(
    [str(user) for user in users],
    [str(item) for item in items],
    times,
    clicks,
    clicks,
    lambda row: f'log:{row}',
  )
  return log_lib.build_log(CATALOG, events)


class OrderTest(parameterized.TestCase):
  def test_events_at_one_time_stay_as_they_stood(self):
    log = built([1, 0, 1, 0, 1], [8, 3, 2, 8, 0], [5, 5, 5, 4, 5])
    np.testing.assert_array_equal(log.time_e, [4, 5, 5, 5, 5])
    np.testing.assert_array_equal(log.item_e, [8, 8, 3, 2, 0])
    np.testing.assert_array_equal(log.user_e, [0, 1, 0, 1, 1])

  @parameterized.parameters(0, 1)
  def test_equals_sorting_pairs_of_time_and_row(self, seed):
    rng = np.random.default_rng(seed)
    user, item, time = rng.integers(0, 9, (3, 200))
    log = built(user.tolist(), item.tolist(), time.tolist())
    rows = sorted(range(200), key=lambda row: (time[row], row))
    names = np.array([int(name) for name in log.user_ids])
    np.testing.assert_array_equal(names[log.user_e], user[rows])
    np.testing.assert_array_equal(log.item_e, item[rows])


if __name__ == '__main__':
  absltest.main()
