from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.evaluate import floors
from taiji_jax.types import Catalog, Log, Rows


def log_of(pairs):
  user, item = np.array(pairs, np.int32).T
  count = len(pairs)
  return Log(
    user_ids=tuple(str(u) for u in range(user.max() + 1)),
    profiles=({},) * (user.max() + 1),
    user_e=user,
    item_e=item,
    time_e=np.arange(count),
    click_e=np.ones(count, bool),
    conversion_e=np.zeros(count, bool),
  )


def rows_of(histories):
  history_rs = np.array(histories, np.int32)
  none = np.zeros(len(histories), np.int32)
  return Rows(none, none, none, history_rs)


# User 0: 0 1 2 1; user 1: 0 1 3; user 2: 3 0; then, held out, 4 4 4 4.
LOG = log_of(
  [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 3), (2, 3), (0, 1), (2, 0)]
  + [(2, 4)] * 4
)
TRAIN_E = np.arange(13) < 9
# Training counts: item 0 three, 1 three, 2 one, 3 two, 4 none.


class PopularTest(absltest.TestCase):
  def test_golden(self):
    floor = floors.popular(LOG, TRAIN_E, rows_of([[0], [-1]]), 5, top=4)
    np.testing.assert_array_equal(floor.ranked_rk, [[0, 1, 3, 2]] * 2)
    np.testing.assert_array_equal(floor.item_r, [0, 0])

  def test_consumed_once(self):
    rows = rows_of([[0, 3], [-1, -1], [1, 0]])
    floor = floors.popular(LOG, TRAIN_E, rows, 5, top=2, consumed_once=True)
    np.testing.assert_array_equal(floor.ranked_rk, [[1, 2], [0, 1], [3, 2]])

  def test_nothing_left(self):
    rows = rows_of([[0, 1, 2, 3, 4]])
    floor = floors.popular(LOG, TRAIN_E, rows, 5, top=2, consumed_once=True)
    np.testing.assert_array_equal(floor.ranked_rk, [[-1, -1]])
    np.testing.assert_array_equal(floor.item_r, [-1])

  def test_no_training_event(self):
    with self.assertRaisesRegex(UserError, 'no click is a training event'):
      floors.popular(LOG, np.zeros(13, bool), rows_of([[0]]), 5)


class MarkovTest(absltest.TestCase):
  def test_golden(self):
    # Transitions: 0 -> 1 twice; 1 -> 2, 1 -> 3; 2 -> 1; 3 -> 0.
    # After 1 then 0 (most recent first: 1, 0): 2 and 3 get 1/2 each, 1 gets
    # .5 * 1; popularity settles the three: 1 (3), 3 (2), 2 (1); then 0, 4.
    floor = floors.markov(LOG, TRAIN_E, rows_of([[1, 0]]), 5)
    np.testing.assert_array_equal(floor.ranked_rk, [[1, 3, 2, 0, 4]])

  def test_last_item_weighs_most(self):
    # 3 -> 0 counts 1, 2 -> 1 counts .5; then popularity: 3 before 2.
    floor = floors.markov(LOG, TRAIN_E, rows_of([[3, 2]]), 5)
    np.testing.assert_array_equal(floor.ranked_rk, [[0, 1, 3, 2, 4]])

  def test_backs_off_to_popularity(self):
    # No history, and an item without any transition.
    floor = floors.markov(LOG, TRAIN_E, rows_of([[-1], [4]]), 5)
    np.testing.assert_array_equal(floor.ranked_rk, [[0, 1, 3, 2, 4]] * 2)

  def test_any_transition_beats_popularity(self):
    # Item 0 is everywhere, but only 2 ever follows 1.
    log = log_of([(0, 1), (0, 2), *[(u, 0) for u in range(1, 500)]])
    floor = floors.markov(
      log, np.ones(len(log), bool), rows_of([[-1, -1, 1]]), 3
    )
    self.assertEqual(floor.item_r[0], 2)

  def test_users_are_not_chained(self):
    log = log_of([(0, 0), (1, 1), (1, 2)])
    floor = floors.markov(log, np.ones(3, bool), rows_of([[0]]), 3)
    # 0 has no successor: user 1's first item does not follow it.
    np.testing.assert_array_equal(floor.ranked_rk, [[0, 1, 2]])

  def test_held_out_events_do_not_count(self):
    pairs = list(zip(LOG.user_e.tolist(), LOG.item_e.tolist(), strict=True))
    other = log_of([*pairs[:9], *[(0, 3)] * 4])
    rows = rows_of([[1, 0], [4, 2]])
    for rule in (floors.popular, floors.markov):
      np.testing.assert_array_equal(
        rule(LOG, TRAIN_E, rows, 5).ranked_rk,
        rule(other, TRAIN_E, rows, 5).ranked_rk,
      )


class RepeatCategoryTest(absltest.TestCase):
  def test_path_of_the_last_item(self):
    catalog = Catalog(('a', 'b'), ('A', 'B'), (('X', 'Y'), ()))
    rows = rows_of([[0, 1], [1, 0], [-1, -1]])
    self.assertEqual(
      floors.repeat_category(rows, catalog), [('X', 'Y'), (), ()]
    )


class CopyLastTest(absltest.TestCase):
  def test_last_item_or_none(self):
    floor = floors.copy_last(rows_of([[3, 1], [-1, -1]]))
    np.testing.assert_array_equal(floor.item_r, [3, -1])
    np.testing.assert_array_equal(floor.ranked_rk, [[3], [-1]])


class DecayedMajorityTest(absltest.TestCase):
  CATALOG = Catalog(
    tuple('abcde'),
    tuple('ABCDE'),
    (('X', 'Y'), ('X', 'Z'), ('W', 'V', 'U'), (), ('X',)),
  )

  def test_golden(self):
    rows = rows_of(
      [
        # W weighs 1, X .7 + .49; V 1, Y .7, Z .49; U 1.
        [2, 0, 1, -1],
        # W weighs 1 + .343, X .7 + .49; its one path goes down to U.
        [2, 0, 1, 2],
        # Nothing known weighs nothing.
        [3, 0, -1, -1],
        [3, -1, -1, -1],
        # X weighs .7, and no second level is known of it.
        [3, 4, -1, -1],
      ]
    )
    self.assertEqual(
      floors.decayed_majority(rows, self.CATALOG),
      [('X', 'V', 'U'), ('W', 'V', 'U'), ('X', 'Y'), (), ('X',)],
    )

  def test_all_of_history_alike_goes_to_the_recent(self):
    rows = rows_of([[1, 0], [0, 1]])
    self.assertEqual(
      floors.decayed_majority(rows, self.CATALOG, decay=1.0),
      [('X', 'Z'), ('X', 'Y')],
    )


class ListTest(absltest.TestCase):
  def test_chunks_and_ties(self):
    # As a stable sort of all scores has it, whatever the length of the list.
    rng = np.random.default_rng(0)
    pairs = [(int(u), int(i)) for u, i in rng.integers(0, 12, (200, 2))]
    log, every = log_of(pairs), np.ones(200, bool)
    rows = rows_of(rng.integers(-1, 12, (30, 3)))
    whole = floors.markov(log, every, rows, 12, consumed_once=True).ranked_rk
    for top in (1, 5, 12):
      short = floors.markov(
        log, every, rows, 12, top=top, consumed_once=True
      ).ranked_rk
      np.testing.assert_array_equal(short, whole[:, :top])


if __name__ == '__main__':
  absltest.main()
