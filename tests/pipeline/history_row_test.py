"""Histories that a user types."""

import types

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data.title_index import TitleIndex
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recommend
from taiji_jax.types import Catalog

_TITLES = (
  'Nut',
  'Nut; hex',
  'hex; blue',
  'Kit: a; b; c',
  'Line; L2: x',
  'hex',
)
_CATALOG = Catalog(('7', '8', '9', '10', '11', '12'), _TITLES, ((),) * 6)
_RUN = types.SimpleNamespace(
  logs=types.SimpleNamespace(
    catalog=_CATALOG, titles=TitleIndex(_CATALOG, np.zeros(6, int))
  )
)


class HistoryRowTest(parameterized.TestCase):
  @parameterized.parameters(
    ('Nut', [0]),
    ('Nut; 9;', [0, 2]),
    ('; nut ;; NUT; ', [0, 0]),
    ('Nut; hex', [1]),
    ('Kit: a; b; c; Nut', [3, 0]),
    # 'Nut; hex' would leave 'blue', which is none.
    ('Nut; hex; blue', [0, 2]),
    ('Nut; hex; hex; blue', [1, 2]),
    ('Line; L2: x;8', [4, 1]),
    (['Nut', 'Nut; hex'], [0, 1]),
  )
  def test_titles_may_hold_what_separates_them(self, told, items):
    rows = recommend.history_row(_RUN, told)
    self.assertEqual(rows.history_rs.tolist(), [items])
    self.assertEqual(rows.user_r.tolist(), [-1])

  @parameterized.parameters(
    ('Nut; blue', "'blue' names no item"),
    ('Nut; hex; green; Nut', "'green' names no item"),
    (' ; ', 'it names no item'),
    ('', 'it names no item'),
  )
  def test_refuses(self, told, message):
    with self.assertRaisesRegex(UserError, message):
      recommend.history_row(_RUN, told)


if __name__ == '__main__':
  absltest.main()
