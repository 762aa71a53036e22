import itertools
import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import collisions


def crowd(items=36, codes=6, seed=0):
  """Returns IDs of few prefixes, what the last level quantises, its codes."""
  rng = np.random.default_rng(seed)
  rest_nd = rng.normal(size=(items, 2))
  codebook_kd = rng.normal(size=(codes, 2))
  last_n = collisions.distances(rest_nd, codebook_kd).argmin(1)
  prefix_nl = np.stack([np.arange(items) // codes, np.zeros(items, int)], 1)
  return np.c_[prefix_nl, last_n], rest_nd, codebook_kd


class RepairTest(parameterized.TestCase):
  def test_golden(self):
    # .1 and .4 both have the code at 0; .1 to 0 and .4 to 1 is .01 + .36, the
    # other way round .81 + .16.
    code_nl = np.array([[3, 0], [3, 0], [5, 0]])
    rest_nd = np.array([[0.1], [0.4], [9.0]])
    codebook_kd = np.array([[0.0], [1.0], [10.0], [20.0], [30.0], [40.0]])
    for method in ('hungarian', 'sinkhorn'):
      found = collisions.repair(code_nl, rest_nd, codebook_kd, method)
      self.assertEqual(found.code_nl.tolist(), [[3, 0], [3, 1], [5, 0]])
      self.assertEqual(found.moved_n.tolist(), [False, True, False])
      self.assertEqual((found.before, found.after, found.crowded), (2, 0, 0))

  @parameterized.parameters('hungarian', 'sinkhorn')
  def test_nothing_is_shared_where_there_is_room(self, method):
    # Each prefix has exactly as many items as there are last codes.
    for seed in range(3):
      code_nl, rest_nd, codebook_kd = crowd(seed=seed)
      found = collisions.repair(code_nl, rest_nd, codebook_kd, method)
      self.assertGreater(found.before, 10)
      if method == 'hungarian':
        self.assertEqual(found.after, 0)
      self.assertLess(found.after, 0.2 * found.before)
      np.testing.assert_array_equal(found.code_nl[:, :-1], code_nl[:, :-1])

  def test_hungarian_is_the_least_sum(self):
    code_nl, rest_nd, codebook_kd = crowd(items=5, codes=5)
    code_nl[:, -1] = 0
    found = collisions.repair(code_nl, rest_nd, codebook_kd, 'hungarian')
    cost = collisions.distances(rest_nd, codebook_kd)
    own = cost[np.arange(5), found.code_nl[:, -1]].sum()
    least = min(
      cost[np.arange(5), list(order)].sum()
      for order in itertools.permutations(range(5))
    )
    self.assertAlmostEqual(own, least)

  @parameterized.parameters('none', 'hungarian', 'sinkhorn')
  def test_what_shares_nothing_stays(self, method):
    code_nl = np.array([[0, 0], [0, 1], [1, 0]])
    codebook_kd = np.array([[5.0], [4.0]])
    found = collisions.repair(code_nl, np.zeros((3, 1)), codebook_kd, method)
    np.testing.assert_array_equal(found.code_nl, code_nl)
    self.assertFalse(found.moved_n.any())

  def test_sinkhorn_leaves_the_others_of_a_prefix(self):
    code_nl = np.array([[0, 0], [0, 0], [0, 1]])
    codebook_kd = np.array([[0.0], [0.1], [3.0]])
    found = collisions.repair(
      code_nl, np.zeros((3, 1)), codebook_kd, 'sinkhorn'
    )
    # 1 is nearer than 2, and taken.
    self.assertEqual(sorted(found.code_nl[:2, 1].tolist()), [0, 2])
    self.assertEqual(found.code_nl[2].tolist(), [0, 1])

  @parameterized.parameters('hungarian', 'sinkhorn')
  def test_equal_items_are_parted(self, method):
    codebook_kd = np.arange(8.0)[:, None]
    code_nl = np.zeros((6, 2), int)
    found = collisions.repair(code_nl, np.zeros((6, 1)), codebook_kd, method)
    self.assertEqual(found.after, 0)

  def test_more_items_than_codes_is_said(self):
    code_nl = np.zeros((5, 2), int)
    rest_nd = np.arange(5.0)[:, None]
    found = collisions.repair(code_nl, rest_nd, rest_nd[:3], 'hungarian')
    self.assertEqual(found.crowded, 5)
    self.assertGreater(found.after, 0)
    # All three codes are used.
    self.assertLen(set(found.code_nl[:, 1].tolist()), 3)
    self.assertRegex(found.told(), '5 of 5 items .* more items than codes')

  def test_hungarian_shares_no_more_than_before(self):
    # Five items of three codes: where three share one, two that are left over
    # may come to share with two others.
    tried = 0
    for seed in range(40):
      rng = np.random.default_rng(seed)
      code_nl = np.zeros((10, 2), int)
      code_nl[:, 0] = np.arange(10) // 5
      code_nl[:, 1] = rng.integers(0, 3, 10)
      rest_nd, codebook_kd = rng.normal(size=(10, 2)), rng.normal(size=(3, 2))
      found = collisions.repair(code_nl, rest_nd, codebook_kd, 'hungarian')
      self.assertLessEqual(found.after, found.before)
      for half in (slice(5), slice(5, 10)):
        own = collisions.sharing(code_nl[half], 3).sum()
        new = collisions.sharing(found.code_nl[half], 3).sum()
        self.assertLessEqual(new, own)
        moved = found.moved_n[half].any()
        self.assertEqual(moved, bool(new < own))
        tried += not moved
    self.assertGreater(tried, 0)

  def test_one_level(self):
    found = collisions.repair(
      np.zeros((2, 1), int), np.array([[0.0], [1.0]]), np.eye(3)[:, :1],
      'hungarian',
    )  # fmt: skip
    self.assertEqual(found.after, 0)

  def test_no_items(self):
    found = collisions.repair(
      np.zeros((0, 2), int), np.zeros((0, 1)), np.ones((3, 1)), 'hungarian'
    )
    self.assertEqual((found.before, found.after), (0, 0))

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, "'both'; choose one of none"):
      collisions.repair(np.zeros((1, 1), int), [[0]], np.ones((2, 1)), 'both')
    with self.assertRaisesRegex(UserError, 'hold 2 for item 0'):
      collisions.repair(np.array([[2]]), [[0]], np.ones((2, 1)), 'none')


class SharedTest(absltest.TestCase):
  CODES = np.array([[0, 1], [0, 1], [0, 2], [1, 1]])

  def test_sharing(self):
    self.assertEqual(
      collisions.sharing(self.CODES, 3).tolist(), [True, True, False, False]
    )

  def test_beside_shared(self):
    self.assertEqual(
      collisions.beside_shared(self.CODES, 3).tolist(), [True] * 3 + [False]
    )


class SpreadTest(absltest.TestCase):
  def test_the_nearest_where_nobody_else_is(self):
    cost = np.array([[0.0, 1.0, 4.0], [4.0, 1.0, 0.0]])
    free = np.ones(3, bool)
    self.assertEqual(collisions.spread(cost, free, 0.01).tolist(), [0, 2])
    free[0] = False
    self.assertEqual(collisions.spread(cost, free, 0.01).tolist(), [1, 2])


if __name__ == '__main__':
  absltest.main()
