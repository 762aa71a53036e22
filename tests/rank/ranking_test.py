import dataclasses
import json

from absl.testing import absltest
import numpy as np

from taiji_jax.rank import ranking
from taiji_jax.types import Log, Rows

N, USERS = 8, 40
CLICK_N = np.array([50, 20, 10, 9, 8, 7, 6, 5])


def made(seed=0):
  """User u has taken item u % 8; the next one is the item after it."""
  users = np.arange(USERS, dtype=np.int32)
  log = Log(
    tuple(map(str, users)),
    ({},) * USERS,
    users,
    users % N,
    np.arange(USERS),
    np.ones(USERS, bool),
    np.zeros(USERS, bool),
  )
  rows = Rows(
    event_r=np.arange(USERS),
    user_r=users,
    target_r=(users + 1) % N,
    history_rs=(users % N)[:, None],
  )
  return log, rows


def measured(log, score_fn, once=True):
  def popular(user_b, _):
    return np.tile(CLICK_N.astype(np.float32), (len(user_b), 1))

  return ranking.Measured(log, popular, score_fn, CLICK_N, once)


def knowing(user_b, history_bs):
  """The nearer an item follows the last one, the higher; that one is last."""
  del user_b
  return -((np.arange(N) - history_bs[:, :1] - 1) % N).astype(np.float32)


class RankingTest(absltest.TestCase):
  def test_report(self):
    log, rows = made()
    others = {'first': np.full(USERS, 0), 'none': np.full(USERS, -1)}
    report = measured(log, knowing).report(rows, others)
    self.assertEqual(report['rows'], USERS)
    self.assertEqual(report['reward']['gauc_popular'], 1.0)
    self.assertEqual(report['reward']['gauc_uniform'], 1.0)
    self.assertEqual(report['reward']['hr_10'], 1.0)
    # By popularity alone: the truth is item 0 for one row of 8, and so on; its
    # negatives are more popular than it, the more so if drawn by popularity.
    self.assertLess(
      report['click']['gauc_popular'], report['click']['gauc_uniform'] - 0.1
    )
    self.assertEqual(
      list(report['r_id']), ['truth', 'popular', 'first', 'none']
    )
    self.assertEqual(report['r_id']['truth'], 1.0)
    # Item 0 stands (0 - h - 1) % 8 behind the best: 7, 6, ... 0 of 7; the most
    # popular one is it, and item 1 where 0 was the last: the best there.
    self.assertAlmostEqual(report['r_id']['first'], 0.5, places=5)
    self.assertAlmostEqual(
      report['r_id']['popular'], (0.5 * 8 + 1) / 8, places=5
    )
    self.assertIsNone(report['r_id']['none'])
    json.dumps(report, allow_nan=False)

  def test_lines_for_tables(self):
    log, rows = made()
    report = {'validation': measured(log, knowing).report(rows)}
    lines = list(ranking.table_rows(report))
    self.assertEqual([x[:2] for x in lines], [
      ['validation', 'click'], ['validation', 'reward'],
    ])  # fmt: skip
    self.assertEqual({len(x) for x in lines}, {len(ranking.HEADER)})
    self.assertEqual(
      list(ranking.reward_rows(report))[0], ['validation', 'truth', '1.000']
    )

  def test_informative(self):
    log, rows = made()
    self.assertTrue(measured(log, knowing).informative(rows).holds)
    by_popularity = measured(log, measured(log, None).click_fn)
    self.assertFalse(by_popularity.informative(rows).holds)

  def test_the_most_popular_may_be_of_the_history(self):
    log, rows = made()
    report = measured(log, knowing, once=False).report(rows)
    self.assertAlmostEqual(report['r_id']['popular'], 0.5, places=5)

  def test_one_item(self):
    log, rows = made()
    log = dataclasses.replace(log, item_e=np.zeros(USERS, np.int32))
    rows = dataclasses.replace(
      rows,
      target_r=np.zeros(USERS, np.int32),
      history_rs=np.full((USERS, 1), -1),
    )
    one = ranking.Measured(
      log,
      *[lambda u, _: np.zeros((len(u), 1), np.float32)] * 2,
      np.array([40]),
      True,
    )
    report = one.report(rows)
    self.assertIsNone(report['click']['gauc_uniform'])
    self.assertEqual(report['r_id'], {'truth': 0.5, 'popular': 0.5})
    self.assertFalse(one.informative(rows).holds)


if __name__ == '__main__':
  absltest.main()
