"""Items that users do not have; `sample` is tested with the splits."""

from absl.testing import absltest
import numpy as np

from taiji_jax.data import exposures, history
from taiji_jax.types import Catalog, Log

USERS, ITEMS = 6, 15


def make(seed=0, events=60):
  rng = np.random.default_rng(seed)
  log = Log(
    tuple(map(str, range(USERS))),
    ({},) * USERS,
    rng.integers(0, USERS, events).astype(np.int32),
    rng.integers(0, ITEMS, events).astype(np.int32),
    np.arange(events),
    rng.random(events) < 0.8,
    rng.random(events) < 0.3,
  )
  names = tuple(map(str, range(ITEMS)))
  return log, Catalog(names, names, ((),) * ITEMS)


class UnclickedTest(absltest.TestCase):
  def test_draws_what_a_user_lacks(self):
    log, catalog = make()
    known = np.arange(60) < 40
    unclicked = exposures.Unclicked(log, catalog, known)
    user_q = np.repeat(np.arange(USERS), 500)
    item_q = unclicked.draw(user_q, (3, 0))
    pool = set(log.item_e[known].tolist())
    for user in range(USERS):
      own = set(log.item_e[known & (log.user_e == user)].tolist())
      drawn = set(item_q[user_q == user].tolist())
      # 500 draws of at most 15 items: each free one is among them.
      self.assertEqual(drawn, pool - own)

  def test_a_function_of_seed_and_epoch(self):
    log, catalog = make()
    user_q = np.tile(np.arange(USERS), 20)

    def drawn(seed):
      unclicked = exposures.Unclicked(log, catalog, np.ones(60, bool))
      return unclicked.draw(user_q, seed).tolist()

    self.assertEqual(drawn((0, 4)), drawn((0, 4)))
    self.assertNotEqual(drawn((0, 4)), drawn((0, 5)))
    self.assertNotEqual(drawn((0, 4)), drawn((1, 4)))

  def test_a_user_with_every_item_is_no_source(self):
    log, catalog = make()
    one = np.zeros(60, bool)
    one[np.flatnonzero(log.click_e)[0]] = True
    real = exposures.shown(log, one)
    unclicked = exposures.Unclicked(log, catalog, one)
    self.assertFalse(unclicked.some(real.user_x).any())
    self.assertEmpty(exposures.sources(real, unclicked, 4))
    self.assertLen(exposures.sample(log, catalog, one, negatives=4), 1)

  def test_no_event(self):
    log, catalog = make()
    none = np.zeros(60, bool)
    self.assertEmpty(exposures.sample(log, catalog, none))
    self.assertEmpty(exposures.shown(log, none))

  def test_shown(self):
    log, _ = make()
    events = np.arange(60) % 3 == 0
    found = exposures.shown(log, events, history=3)
    at = np.flatnonzero(events)
    np.testing.assert_array_equal(found.event_x, at)
    np.testing.assert_array_equal(found.item_x, log.item_e[at])
    np.testing.assert_array_equal(found.click_x, log.click_e[at])
    np.testing.assert_array_equal(found.history_xs, history.before(log, at, 3))

  def test_negatives_below_none(self):
    log, catalog = make()
    with self.assertRaisesRegex(ValueError, 'negatives is -1'):
      exposures.sample(log, catalog, np.ones(60, bool), negatives=-1)


if __name__ == '__main__':
  absltest.main()
