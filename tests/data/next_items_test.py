from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import next_items
from taiji_jax.data.next_items import ItemCatalog, NextItemData, NextItems
from taiji_jax.errors import UserError

ROWS = NextItems.of(
  ('u', 'v', 'u', 'w'), [[4], [1, 2, 3], [], [5, 6]], [7, 8, 9, 1]
)


def plain_prefixes(users, sequences, history):
  """Returns (user, history, target) of every prefix, by loops."""
  return [
    (user, sequence[max(at - history, 0) : at], sequence[at])
    for user, sequence in zip(users, sequences, strict=True)
    for at in range(1, len(sequence))
  ]


def listed(rows):
  return [
    (user, rows.history(b).tolist(), int(rows.target_b[b]))
    for b, user in enumerate(rows.user)
  ]


class NextItemsTest(parameterized.TestCase):
  def test_recent_is_newest_first_and_padded(self):
    np.testing.assert_array_equal(
      ROWS.recent_bs(2), [[4, -1], [3, 2], [-1, -1], [6, 5]]
    )
    np.testing.assert_array_equal(
      ROWS.recent_bs(4)[1:3], [[3, 2, 1, -1], [-1] * 4]
    )
    empty = NextItems.of(('u',), [[]], [1])
    np.testing.assert_array_equal(empty.recent_bs(2), [[-1, -1]])

  def test_take_in_order_with_repeats_and_by_mask(self):
    self.assertEqual(
      listed(ROWS.take(np.array([3, 1, 3]))),
      [('w', [5, 6], 1), ('v', [1, 2, 3], 8), ('w', [5, 6], 1)],
    )
    kept = ROWS.take(np.array([True, False, True, False]))
    self.assertEqual(listed(kept), [('u', [4], 7), ('u', [], 9)])
    self.assertEmpty(ROWS.take(np.zeros(0, int)))
    self.assertEqual(ROWS.length_b.tolist(), [1, 3, 0, 2])

  @parameterized.product(seed=(0, 1, 2), history=(1, 3, 10))
  def test_every_prefix_is_a_row(self, seed, history):
    rng = np.random.default_rng(seed)
    users = tuple('abcdefg')
    sequences = [
      rng.integers(0, 9, rng.integers(0, 15)).tolist() for _ in users
    ]
    lengths = [len(s) for s in sequences]
    user_e = np.repeat(np.arange(len(users)), lengths)
    item_e = np.concatenate([np.array(s, int) for s in sequences])
    rows, event_b = next_items.prefixes(users, user_e, item_e, history)
    self.assertEqual(listed(rows), plain_prefixes(users, sequences, history))
    np.testing.assert_array_equal(item_e[event_b], rows.target_b)

  def test_share_of_the_official_rows(self):
    catalog = ItemCatalog(('1',), ('a',), ('a',), ('',))
    self.assertEqual(NextItemData(catalog, ROWS, ROWS, ROWS, 16).share, 0.25)
    self.assertIsNone(NextItemData(catalog, ROWS, ROWS, ROWS).share)

  def test_unknown_items_are_refused_by_their_row(self):
    rows = NextItems.of(('a', 'b', 'c'), [[1], [], [2, 7, -1]], [0, 9, 1])
    rows.check(8)
    with self.assertRaisesRegex(UserError, 'row 2 has item 7 in its .*0 to 6'):
      rows.check(7)
    with self.assertRaisesRegex(UserError, 'row 1 has item 9 as its target'):
      rows.check(8, targets=True)
    rows.check(10, targets=True)

  def test_programmers_errors(self):
    with self.assertRaisesRegex(ValueError, 'do not make rows'):
      NextItems(('u',), np.zeros(0), np.zeros(1), np.zeros(1))
    with self.assertRaisesRegex(ValueError, 'size is 0'):
      ROWS.recent_bs(0)
    with self.assertRaisesRegex(UserError, 'history is 0'):
      next_items.prefixes((), np.zeros(0, int), np.zeros(0, int), 0)


class ItemCatalogTest(absltest.TestCase):
  def test_index_and_take(self):
    catalog = ItemCatalog(
      ('x', 'y', 'z'),
      ('X', 'Y', 'Z'),
      ('X a', 'Y b', 'Z c'),
      ('', 'B', ''),
      np.arange(6).reshape(3, 2),
    )
    self.assertEqual(catalog.index['z'], 2)
    part = catalog.take(np.array([2, 1]))
    self.assertEqual((part.ids, part.brands), (('z', 'y'), ('', 'B')))
    np.testing.assert_array_equal(part.codes_nl, [[4, 5], [2, 3]])
    self.assertIsNone(ItemCatalog(('x',), ('X',), ('X',), ('',)).codes_nl)

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'holds no items'):
      ItemCatalog((), (), (), ())
    with self.assertRaisesRegex(UserError, "holds item 'x' twice"):
      ItemCatalog(('x', 'y', 'x'), ('',) * 3, ('',) * 3, ('',) * 3)
    with self.assertRaisesRegex(ValueError, '1 titles for 2 items'):
      ItemCatalog(('x', 'y'), ('',), ('',) * 2, ('',) * 2)


if __name__ == '__main__':
  absltest.main()
