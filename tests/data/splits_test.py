"""Splits by time, histories and exposures, against brute force."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import exposures, history, splits
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log, Rows


def _log(events: int, users: int, items: int, seed: int) -> Log:
  """Returns a random log in which half of the times are shared."""
  rng = np.random.default_rng(seed)
  time = np.sort(rng.integers(0, events // 2, events))
  item = rng.integers(0, items, events)
  user = rng.integers(0, users, events)
  click = rng.random(events) < 0.8
  return Log(
    user_ids=tuple(map(str, range(users))),
    profiles=({},) * users,
    user_e=user.astype(np.int32),
    item_e=item.astype(np.int32),
    time_e=time.astype(np.int64),
    click_e=click,
    conversion_e=click & (rng.random(events) < 0.5),
  )


def _catalog(items: int) -> Catalog:
  names = tuple(map(str, range(items)))
  return Catalog(names, names, ((),) * items)


def _brute_history(log: Log, event: int, size: int) -> list[int]:
  found = [
    int(log.item_e[e])
    for e in range(event - 1, -1, -1)
    if log.user_e[e] == log.user_e[event] and log.click_e[e]
  ][:size]
  return found + [-1] * (size - len(found))


class HistoryTest(parameterized.TestCase):
  @parameterized.product(size=[1, 3, 50], seed=[0, 1])
  def test_equals_a_walk_back_through_the_log(self, size, seed):
    log = _log(200, 7, 11, seed)
    events = np.arange(0, 200, 3)
    expected = [_brute_history(log, e, size) for e in events]
    np.testing.assert_array_equal(history.before(log, events, size), expected)


class SplitTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], min_history=[1, 2])
  def test_parts_are_apart_in_time_and_complete(self, seed, min_history):
    log = _log(400, 12, 30, seed)
    split = splits.by_time(
      log, history=5, min_history=min_history, evaluation_rows=None
    )
    parts = [split.train, split.rl, split.evaluation]
    times = [log.time_e[p.event_r] for p in parts]
    self.assertLess(times[0].max(), times[1].min())
    self.assertLess(times[1].max(), times[2].min())
    self.assertGreaterEqual(times[2].min(), split.cut_time)
    np.testing.assert_array_equal(
      split.train_events, log.time_e < split.cut_time
    )
    expected = [
      e
      for e in range(len(log))
      if log.click_e[e] and _brute_history(log, e, 5)[min_history - 1] >= 0
    ]
    found = np.concatenate([p.event_r for p in parts])
    np.testing.assert_array_equal(found, expected)
    for part in parts:
      np.testing.assert_array_equal(part.user_r, log.user_e[part.event_r])
      np.testing.assert_array_equal(part.target_r, log.item_e[part.event_r])
      np.testing.assert_array_equal(
        part.history_rs, [_brute_history(log, e, 5) for e in part.event_r]
      )

  def test_a_planted_future_event_shows_in_no_earlier_history(self):
    log = _log(400, 12, 30, 0)
    planted = 30
    item_e = log.item_e.copy()
    item_e[390] = planted
    log = Log(**(vars(log) | {'item_e': item_e}))
    split = splits.by_time(log, evaluation_rows=None)
    for part in (split.train, split.rl, split.evaluation):
      seen = (part.history_rs == planted).any(1)
      self.assertTrue((part.event_r[seen] > 390).all())
    self.assertNotIn(planted, split.train.history_rs)
    self.assertNotIn(planted, split.rl.history_rs)

  def test_an_evaluation_history_goes_past_the_cut(self):
    log = _log(400, 12, 30, 0)
    split = splits.by_time(log, history=1, evaluation_rows=None)
    first = np.flatnonzero(~split.train_events)[0]
    last = split.evaluation.take(np.array([-1]))
    self.assertEqual(
      last.history_rs[0].tolist(), _brute_history(log, last.event_r[0], 1)
    )
    previous = [
      e
      for e in range(first, last.event_r[0])
      if log.user_e[e] == last.user_r[0] and log.click_e[e]
    ]
    self.assertNotEmpty(previous)

  @parameterized.parameters(0.0, 0.2, 0.5, 0.95)
  def test_the_earliest_rows_after_the_cut_are_for_validation(self, share):
    log = _log(400, 12, 30, 1)
    split = splits.by_time(log, validation_fraction=share, evaluation_rows=None)
    whole = splits.by_time(log, evaluation_rows=None)
    self.assertIsNone(whole.validation)
    np.testing.assert_array_equal(split.train.event_r, whole.train.event_r)
    np.testing.assert_array_equal(split.rl.event_r, whole.rl.event_r)
    after = whole.evaluation.event_r
    if not share:
      self.assertIsNone(split.validation)
      np.testing.assert_array_equal(split.evaluation.event_r, after)
      return
    both = [split.validation.event_r, split.evaluation.event_r]
    np.testing.assert_array_equal(np.concatenate(both), after)
    # A time has up to 6 of the 79 rows, all on the side of the evaluation.
    self.assertLess(log.time_e[both[0]].max(), log.time_e[both[1]].min())
    self.assertBetween(len(both[0]) / len(after), share - 0.08, share)
    self.assertLen(split.seen_r, len(split.evaluation))
    self.assertFalse(split.train_events[np.concatenate(both)].any())

  def test_the_evaluation_sample_leaves_validation_alone(self):
    log = _log(400, 12, 30, 1)
    few, all_rows = (
      splits.by_time(log, validation_fraction=0.3, evaluation_rows=rows)
      for rows in (10, None)
    )
    self.assertLen(few.evaluation, 10)
    self.assertContainsSubset(
      few.evaluation.event_r.tolist(), all_rows.evaluation.event_r.tolist()
    )
    np.testing.assert_array_equal(
      few.validation.event_r, all_rows.validation.event_r
    )

  def test_one_time_after_the_cut_leaves_no_validation(self):
    log = _log(400, 12, 30, 1)
    time_e = np.where(np.arange(400) < 300, log.time_e, 10_000)
    log = Log(**(vars(log) | {'time_e': time_e}))
    split = splits.by_time(
      log, train_fraction=0.8, validation_fraction=0.5, evaluation_rows=None
    )
    self.assertIsNone(split.validation)
    self.assertEqual(split.cut_time, 10_000)
    self.assertNotEmpty(split.evaluation.event_r)

  def test_seen_users_are_those_with_a_training_event(self):
    log = _log(400, 60, 30, 3)
    split = splits.by_time(log, evaluation_rows=None)
    known = set(log.user_e[split.train_events].tolist())
    expected = [int(u) in known for u in split.evaluation.user_r]
    np.testing.assert_array_equal(split.seen_r, expected)

  def test_the_sample_is_by_seed_and_in_order(self):
    log = _log(400, 12, 30, 0)
    one, same, other = (
      splits.by_time(log, evaluation_rows=20, seed=s).evaluation.event_r
      for s in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, same)
    self.assertFalse(np.array_equal(one, other))
    self.assertLen(np.unique(one), 20)
    self.assertTrue((np.diff(one) > 0).all())

  @parameterized.parameters(
    {'train_fraction': 0.0},
    {'train_fraction': 1.5},
    {'rl_fraction': 1.0},
    {'min_history': 0},
    {'history': 2, 'min_history': 3},
    {'evaluation_rows': 0},
    {'validation_fraction': 1.0},
    {'validation_fraction': -0.1},
    {'train_fraction': 0.001},
    {'min_history': 49},
  )
  def test_refuses(self, **arguments):
    with self.assertRaises(UserError):
      splits.by_time(_log(100, 10, 10, 0), **arguments)

  def test_one_time_for_all_is_refused(self):
    log = _log(100, 10, 10, 0)
    log = Log(**(vars(log) | {'time_e': np.full(100, 7)}))
    with self.assertRaisesRegex(UserError, 'at time 7, the first of all'):
      splits.by_time(log)

  @parameterized.parameters(splits.by_time, splits.leave_one_out)
  def test_no_events_and_no_clicks_are_refused(self, split):
    with self.assertRaisesRegex(
      UserError, 'The log holds no events|out split: 0'
    ):
      split(_log(0, 3, 4, 0))
    log = _log(100, 10, 10, 0)
    none = {'click_e': np.zeros(100, bool), 'conversion_e': np.zeros(100, bool)}
    with self.assertRaisesRegex(UserError, 'No rows with|out split: 0'):
      split(Log(**(vars(log) | none)))

  def test_one_item_and_one_user_are_split_by_time(self):
    split = splits.by_time(_log(40, 1, 1, 0), validation_fraction=0.3)
    for rows in (split.train, split.rl, split.validation, split.evaluation):
      self.assertNotEmpty(rows.target_r)
      self.assertFalse(rows.target_r.any())


class WholeUsersTest(parameterized.TestCase):
  @parameterized.product(seed=(0, 1), count=(1, 7, 30, 80))
  def test_equals_taking_users_until_one_does_not_fit(self, seed, count):
    user_r = np.random.default_rng(seed + 5).integers(3, 15, 70)
    rows = Rows(np.arange(70), user_r, user_r, user_r[:, None])
    found = splits.whole_users(rows, count, np.random.default_rng(seed))
    users = np.unique(user_r)
    taken = []
    for user in np.random.default_rng(seed).permutation(users):
      own = np.flatnonzero(user_r == user).tolist()
      if len(taken) + len(own) > count:
        break
      taken += own
    if taken:
      self.assertEqual(found.event_r.tolist(), sorted(taken))
    else:
      self.assertLen(found, count)
      own = np.flatnonzero(user_r == found.user_r[0]).tolist()
      self.assertEqual(found.event_r.tolist(), own[:count])

  def test_no_limit_a_limit_of_users_and_no_rows(self):
    user_r = np.array([4, 4, 2, 9, 2])
    rows = Rows(np.arange(5), user_r, user_r, user_r[:, None])
    rng = np.random.default_rng(0)
    self.assertLen(splits.whole_users(rows, None, rng), 5)
    one = splits.whole_users(rows, None, rng, users=1)
    self.assertLen(set(one.user_r.tolist()), 1)
    none = rows.take(np.zeros(0, int))
    self.assertEmpty(splits.whole_users(none, 3, rng).event_r)


class ExposuresTest(parameterized.TestCase):
  def test_negatives_are_free_items_of_the_training_part(self):
    log = _log(600, 9, 40, 0)
    events = np.arange(600) < 400
    found = exposures.sample(log, _catalog(40), events, negatives=3, history=4)
    clicks = int(log.click_e[:400].sum())
    self.assertLen(found, 400 + 3 * clicks)
    np.testing.assert_array_equal(found.event_x[:400], np.arange(400))
    np.testing.assert_array_equal(found.item_x[:400], log.item_e[:400])
    np.testing.assert_array_equal(found.click_x[:400], log.click_e[:400])
    np.testing.assert_array_equal(
      found.conversion_x[:400], log.conversion_e[:400]
    )
    self.assertFalse(found.click_x[400:].any())
    self.assertFalse(found.conversion_x[400:].any())
    own = set(zip(log.user_e[:400], log.item_e[:400], strict=True))
    drawn = zip(found.user_x[400:], found.item_x[400:], strict=True)
    self.assertTrue(own.isdisjoint(drawn))
    self.assertTrue(set(found.item_x) <= set(log.item_e[:400]))
    np.testing.assert_array_equal(
      found.history_xs, history.before(log, found.event_x, 4)
    )

  def test_an_item_of_the_future_is_never_drawn(self):
    log = _log(600, 9, 40, 0)
    item_e = log.item_e.copy()
    item_e[500] = 40
    log = Log(**(vars(log) | {'item_e': item_e}))
    events = np.arange(600) < 400
    found = exposures.sample(log, _catalog(41), events, negatives=20)
    self.assertNotIn(40, found.item_x)
    everything = np.ones(600, bool)
    found = exposures.sample(
      log, _catalog(41), events, negatives=20, known=everything
    )
    self.assertIn(40, found.item_x)

  def test_free_items_are_equally_likely(self):
    # One user who clicked items 1 and 3 of 0..5, which all occur: 0, 2, 4, 5
    # are free. 8,000 draws, 2,000 each, standard deviation 39.
    item = np.array([1, 3, 0, 2, 4, 5], np.int32)
    log = Log(
      ('0', '1'),
      ({}, {}),
      np.array([0, 0, 1, 1, 1, 1], np.int32),
      item,
      np.arange(6),
      np.ones(6, bool),
      np.zeros(6, bool),
    )
    found = exposures.sample(
      log,
      _catalog(6),
      np.arange(6) < 2,
      negatives=4000,
      known=np.ones(6, bool),
    )
    count = np.bincount(found.item_x[2:], minlength=6)
    np.testing.assert_array_equal(count[[1, 3]], 0)
    np.testing.assert_allclose(count[[0, 2, 4, 5]], 2000, atol=200)

  def test_a_user_with_every_item_gets_none(self):
    log = Log(
      ('0', '1'),
      ({}, {}),
      np.array([0, 0, 1], np.int32),
      np.array([0, 1, 0], np.int32),
      np.arange(3),
      np.ones(3, bool),
      np.zeros(3, bool),
    )
    found = exposures.sample(log, _catalog(2), np.ones(3, bool), negatives=2)
    np.testing.assert_array_equal(found.user_x, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(found.item_x, [0, 1, 0, 1, 1])

  def test_the_sample_is_by_seed(self):
    log, events = _log(300, 9, 40, 0), np.ones(300, bool)
    one, same, other = (
      exposures.sample(log, _catalog(40), events, seed=s).item_x
      for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    self.assertFalse(np.array_equal(one, other))


class LeaveOneOutTest(parameterized.TestCase):
  @parameterized.parameters(0, 1)
  def test_equals_a_walk_through_each_user(self, seed):
    log = _log(200, 7, 30, seed)
    self.assertFalse(log.click_e.all())
    split = splits.leave_one_out(log, rl_fraction=0.3, history=5)
    expected = {'train': set(), 'validation': set(), 'evaluation': set()}
    train_events = np.zeros(len(log), bool)
    for user in range(7):
      events = np.flatnonzero((log.user_e == user) & log.click_e).tolist()
      expected['evaluation'].add(events[-1])
      expected['validation'].add(events[-2])
      expected['train'].update(events[1:-2])
      # What was shown before the validation item is known, clicked or not.
      shown = np.flatnonzero(log.user_e == user)
      train_events[shown[shown < events[-2]]] = True
    both = np.concatenate([split.train.event_r, split.rl.event_r])
    self.assertEqual(set(both.tolist()), expected['train'])
    self.assertLen(both, len(expected['train']))
    for part in ('validation', 'evaluation'):
      rows = getattr(split, part)
      self.assertEqual(set(rows.event_r.tolist()), expected[part])
    np.testing.assert_array_equal(split.train_events, train_events)
    self.assertFalse(set(split.train.user_r) & set(split.rl.user_r))
    for rows in (split.train, split.evaluation):
      np.testing.assert_array_equal(
        rows.history_rs, history.before(log, rows.event_r, 5)
      )

  def test_the_evaluation_sample_is_by_seed(self):
    log = _log(400, 20, 30, 0)
    taken = [
      splits.leave_one_out(log, evaluation_rows=5, seed=s).evaluation.event_r
      for s in (0, 0, 1)
    ]
    self.assertLen(taken[0], 5)
    np.testing.assert_array_equal(taken[0], taken[1])
    self.assertFalse(np.array_equal(taken[0], taken[2]))

  def test_a_user_without_clicks_has_nothing_held_out(self):
    log = _log(200, 7, 30, 0)
    click_e = log.click_e & (log.user_e != 3)
    split = splits.leave_one_out(Log(**(vars(log) | {'click_e': click_e})))
    self.assertTrue(split.train_events[log.user_e == 3].all())
    self.assertNotIn(3, split.evaluation.user_r)

  @parameterized.parameters((1, 1), (5, 1), (40, 3), (10_000, 6), (None, 6))
  def test_rows_of_users_who_are_not_drawn_go_to_training(self, rows, most):
    # 20 users with about 13 rows each, of whom 30 % are 6.
    log = _log(400, 20, 30, 0)
    split = splits.leave_one_out(log, rl_fraction=0.3, rl_rows=rows)
    everyone = splits.leave_one_out(log, rl_fraction=0.3)
    drawn = set(split.rl.user_r.tolist())
    self.assertBetween(len(drawn), 1, most)
    self.assertContainsSubset(drawn, everyone.rl.user_r.tolist())
    self.assertFalse(drawn & set(split.train.user_r))
    self.assertLen(set(split.train.user_r.tolist()) | drawn, 20)
    if rows:
      self.assertLessEqual(len(split.rl), rows)
    if rows is None or rows > 13:
      both = np.concatenate([split.train.event_r, split.rl.event_r])
      after = np.concatenate([everyone.train.event_r, everyone.rl.event_r])
      np.testing.assert_array_equal(np.sort(both), np.sort(after))

  def test_no_rows_for_reinforcement(self):
    split = splits.leave_one_out(_log(400, 20, 30, 0), rl_rows=0)
    self.assertEmpty(split.rl.event_r)
    self.assertLen(set(split.train.user_r.tolist()), 20)

  def test_the_last_of_equal_times_is_the_one_that_stands_last(self):
    log = _log(200, 7, 30, 0)
    log = Log(**(vars(log) | {'time_e': np.zeros(200, np.int64)}))
    split = splits.leave_one_out(log)
    last = {int(log.user_e[e]): e for e in np.flatnonzero(log.click_e)}
    self.assertEqual(
      dict(zip(split.evaluation.user_r, split.evaluation.event_r, strict=True)),
      last,
    )

  @parameterized.parameters((40, 1, 5), (40, 1, 1))
  def test_one_user_is_refused(self, *sizes):
    with self.assertRaisesRegex(UserError, 'leave-one-out split: 1'):
      splits.leave_one_out(_log(*sizes, 0))

  def test_one_item_is_split(self):
    split = splits.leave_one_out(_log(40, 3, 1, 0))
    self.assertFalse(split.evaluation.target_r.any())

  def test_rl_rows_are_checked(self):
    with self.assertRaisesRegex(UserError, 'rl_rows is -1'):
      splits.leave_one_out(_log(200, 7, 30, 0), rl_rows=-1)

  def test_short_logs_are_refused(self):
    log = _log(6, 3, 4, 0)
    with self.assertRaisesRegex(UserError, 'part of the leave-one-out split'):
      splits.leave_one_out(log)


if __name__ == '__main__':
  absltest.main()
