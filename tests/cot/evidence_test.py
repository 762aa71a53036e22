"""Items that the logs point to, by hand."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.evidence import Followers, Kinds
from taiji_jax.retrieve.counts import Pairs
from taiji_jax.types import Catalog

# Of five items: 0 -> 1 (3 times), 0 -> 4 (1), 2 -> 4 (1), 3 -> 0 (2).
_FOLLOWERS = Followers(
  Pairs(
    5,
    np.array([0 * 5 + 1, 0 * 5 + 4, 2 * 5 + 4, 3 * 5 + 0]),
    np.array([3, 1, 1, 2]),
  )
)


# Items 1 and 4 are of one category.
_CATALOG = Catalog(
  tuple('abcde'),
  tuple('ABCDE'),
  (('X', 'Y'), ('T', 'U'), (), ('X',), ('T', 'V')),
)
_KINDS = Kinds(_FOLLOWERS, _CATALOG)


class KindsTest(parameterized.TestCase):
  @parameterized.parameters(
    # T: 3 + 1 after 0.
    ((0,), 4, ('T',)),
    ((0,), 3, ('T', 'U')),
    ((0,), 1, ('T', 'U', 'V')),
    # An item that is there twice counts once.
    ((0, 0), 5, ()),
    # And 1 after 2.
    ((0, 2), 5, ('T',)),
    ((2, 0), 2, ('T', 'U', 'V')),
    ((3,), 2, ('X', 'Y')),
    ((1, 4), 1, ()),
    ((), 1, ()),
  )
  def test_names(self, history, least, names):
    self.assertEqual(_KINDS.names(history, least), names)

  def test_count(self):
    self.assertEqual(_KINDS.count((0, 2, 3), 'T').tolist(), [4, 1, 0])
    self.assertEqual(_KINDS.count((0, 2), 'nothing').tolist(), [0, 0])
    self.assertEqual(_KINDS.count((), 'T').tolist(), [])
    # Without the event itself, as soon as it counts: the window is 2 clicks.
    history = (0, 2, 0, 3)
    near = Kinds(Followers(_FOLLOWERS.pairs, window=2), _CATALOG)
    self.assertEqual(near.count(history, 'T', True).tolist(), [3, 0, 3, 0])


class FollowersTest(parameterized.TestCase):
  def test_nothing_was_counted(self):
    nothing = np.zeros(0, np.int64)
    empty = Followers(Pairs(5, nothing, nothing))
    self.assertEqual(Kinds(empty, _CATALOG).names((0, 4), 1), ())
    self.assertEqual(empty.count((0, 4), 1).tolist(), [0, 0])

  @parameterized.parameters(
    ((0,), 2, [1, 4]), ((3, 0), 2, [1, 4]), ((0, 2), 1, [1]), ((), 1, [])
  )
  def test_ranked(self, history, count, items):
    self.assertEqual(_FOLLOWERS.ranked(history, count), items)


if __name__ == '__main__':
  absltest.main()
