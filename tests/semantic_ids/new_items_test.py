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

from taiji_jax import semantic_ids
from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import collisions, new_items
from taiji_jax.semantic_ids.quantiser import Quantiser
from tests.semantic_ids import made

# Level 0 at 0, 10; level 1 at -1, 0, 2.
SMALL = Quantiser(
  method='rq_kmeans',
  shift_d=np.zeros(1, np.float32),
  scale=1.0,
  codebook_lkd=np.float32([[[0], [10], [99]], [[-1], [0], [2]]]),
  price_lk=np.zeros((2, 3), np.float32),
)
NONE = np.zeros((0, 2), int)


def identify(values, old_nl, **options):
  vector_md = np.float32(values)[:, None]
  return semantic_ids.identify(SMALL, vector_md, np.array(old_nl), **options)


class IdentifyTest(parameterized.TestCase):
  def test_the_codes_of_the_vectors_where_they_are_free(self):
    found = identify([0.1, 12.2], NONE)
    self.assertEqual(found.code_ml.tolist(), [[0, 1], [1, 2]])
    self.assertFalse(found.moved_m.any() | found.shared_m.any())

  def test_a_taken_one_is_avoided(self):
    # .1 wants 0, which is taken: 1.1 from -1, 1.9 from 2.
    found = identify([0.1], [[0, 1]])
    self.assertEqual(found.code_ml.tolist(), [[0, 0]])
    self.assertEqual(found.moved_m.tolist(), [True])
    self.assertFalse(found.shared_m.any())
    found = identify([0.1], [[0, 1]], avoid=False)
    self.assertEqual(found.code_ml.tolist(), [[0, 1]])
    self.assertEqual(found.shared_m.tolist(), [True])

  def test_new_items_avoid_each_other(self):
    # Both want 0; -.2 is nearer to -1 than .1 is.
    found = identify([0.1, -0.2], NONE)
    self.assertEqual(found.code_ml.tolist(), [[0, 1], [0, 0]])

  def test_a_full_prefix_sends_to_the_next(self):
    # Behind 0 all is taken; 10 is next, where -1 is nearest to .1 - 10.
    full = [[0, 0], [0, 1], [0, 2]]
    found = identify([0.1], full)
    self.assertEqual(found.code_ml.tolist(), [[1, 0]])
    found = identify([0.1, 0.1], [*full, [1, 0]])
    self.assertEqual(found.code_ml.tolist(), [[1, 1], [1, 2]])
    self.assertFalse(found.shared_m.any())

  def test_no_room_at_all_is_said(self):
    every = [[i, j] for i in range(3) for j in range(3)]
    found = identify([0.1], every)
    self.assertEqual(found.code_ml.tolist(), [[0, 1]])
    self.assertEqual(found.shared_m.tolist(), [True])
    self.assertRegex(found.told(), '1 new items: 0 moved .* 1 share')

  @parameterized.parameters('rq_vae', 'rq_kmeans', 'balanced', 'random')
  def test_old_ids_stay_and_new_ones_are_free(self, method):
    vector_nd = made.vectors(200)
    config = made.config(method, codes=32, steps=20, collisions='hungarian')
    ids = semantic_ids.make(vector_nd[:150], config)
    before_nl = ids.code_nl.copy()
    found = semantic_ids.identify(ids.quantiser, vector_nd[150:], ids.code_nl)
    np.testing.assert_array_equal(ids.code_nl, before_nl)
    both_nl = np.concatenate([before_nl, found.code_ml])
    old_shared = collisions.sharing(before_nl, 32)
    self.assertEqual(collisions.sharing(both_nl, 32).sum(), old_shared.sum())
    self.assertFalse(found.shared_m.any())
    # Most still have the first code of their vector.
    near_ml = ids.quantiser.encode(vector_nd[150:])
    self.assertGreater((found.code_ml[:, 0] == near_ml[:, 0]).mean(), 0.8)

  @parameterized.parameters(
    ([[0, 1, 2]], 'have 3 levels, the quantiser 2'),
    ([[0, 3]], 'old IDs hold 3 for item 0 on level 1, with 3 codes'),
  )
  def test_refuses(self, old_nl, message):
    with self.assertRaisesRegex(UserError, message):
      identify([0.1], old_nl)


class TakenTest(absltest.TestCase):
  def test_equals_a_set(self):
    rng = np.random.default_rng(0)
    old_nl = rng.integers(0, 4, (40, 3))
    taken = new_items.Taken(old_nl, 4)
    known = {tuple(code) for code in old_nl.tolist()}
    taken.add(np.array([3, 3, 1]))
    known.add((3, 3, 1))
    for i in range(4):
      for j in range(4):
        wanted = [(i, j, k) not in known for k in range(4)]
        self.assertEqual(taken.free((i, j)).tolist(), wanted)


if __name__ == '__main__':
  absltest.main()
