"""What a teacher is asked about a row."""

import types

from absl.testing import absltest
import numpy as np

from taiji_jax.cot import contexts
from taiji_jax.types import Rows

_ROWS = Rows(
  event_r=np.array([4, 9]),
  user_r=np.array([1, 0], np.int32),
  target_r=np.array([7, 8], np.int32),
  history_rs=np.array([[3, 2, 1], [5, -1, -1]], np.int32),
)


class _Prompts:
  rows = _ROWS

  def __len__(self):
    return 2

  def candidates(self, r):
    return ([4, 7, 2], [8, -1])[r]


class RequestTest(absltest.TestCase):
  def test_a_row_its_history_as_far_as_shown_and_its_event(self):
    logs = types.SimpleNamespace(profile=lambda rows, r: {'row': str(r)})
    request = contexts.request_of(logs, _ROWS, 0, 2, knows=True)
    self.assertEqual(request.profile, {'row': '0'})
    self.assertEqual((request.history, request.target), ((3, 2), 7))
    self.assertEqual((request.row, request.event), (0, 4))
    request = contexts.request_of(logs, _ROWS, 1, 2, knows=False)
    self.assertEqual((request.history, request.target), ((5,), None))
    self.assertEqual((request.row, request.event), (1, 9))
    self.assertEqual(request.candidates, ())

  def test_candidates_of_the_row(self):
    logs = types.SimpleNamespace(profile=lambda rows, r: {})
    rows = contexts.RowContexts(logs, _Prompts(), 2)
    self.assertEqual(rows.request(0, True).candidates, (4, 7, 2))
    self.assertEqual(rows.request(1, False).candidates, (8,))


if __name__ == '__main__':
  absltest.main()
