"""The row of a user of the log, also of one who never clicked."""

import types

from absl.testing import absltest
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.pipeline import recommend
from taiji_jax.types import Log


def run(size=2):
  """Returns a run: 'a' clicks items 2, 0, 1; what 'b' was shown they left."""
  log = Log(
    ('a', 'b', 'c'),
    ({}, {}, {}),
    user_e=np.array([0, 1, 0, 0, 0], np.int32),
    item_e=np.array([2, 1, 0, 1, 2], np.int32),
    time_e=np.arange(5),
    click_e=np.array([True, False, True, True, False]),
    conversion_e=np.zeros(5, bool),
  )
  return types.SimpleNamespace(
    logs=types.SimpleNamespace(log=log),
    recipe=types.SimpleNamespace(data=types.SimpleNamespace(history=size)),
  )


class UserRowTest(absltest.TestCase):
  def test_the_last_clicks_come_first(self):
    rows = recommend.user_row(run(), 'a')
    self.assertEqual(rows.history_rs.tolist(), [[1, 0]])
    self.assertEqual(rows.user_r.tolist(), [0])
    self.assertEqual(rows.event_r.tolist(), [-1])
    rows = recommend.user_row(run(size=1), 'a')
    self.assertEqual(rows.history_rs.tolist(), [[1]])

  def test_a_user_without_a_click_has_an_empty_history_and_is_told(self):
    for user, at in (('b', 1), ('c', 2)):
      with self.assertLogs('taiji_jax', 'WARNING') as logs:
        rows = recommend.user_row(run(), user)
      self.assertIn(f"user '{user}' has no history", logs.output[0])
      self.assertEqual(rows.history_rs.tolist(), [[-1]])
      self.assertEqual(rows.user_r.tolist(), [at])

  def test_a_user_who_is_not_there(self):
    told = "user 'd' is not in the log; it has 3 users, a to c"
    with self.assertRaisesRegex(UserError, told):
      recommend.user_row(run(), 'd')


if __name__ == '__main__':
  absltest.main()
