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
from taiji_jax.semantic_ids import collisions
from tests.semantic_ids import made


def crowded():
  """Returns vectors of which some are equal: an ID each needs a repair."""
  vector_nd = made.vectors(50)
  return np.concatenate([vector_nd, vector_nd[:12]])


class MakeTest(parameterized.TestCase):
  @parameterized.product(
    method=('rq_vae', 'rq_kmeans', 'balanced', 'random'),
    repair=('hungarian', 'sinkhorn'),
  )
  def test_repaired(self, method, repair):
    config = made.config(method, codes=16, steps=20, collisions=repair)
    found = semantic_ids.make(crowded(), config)
    self.assertGreater(found.repaired.before, 0)
    shared = int(collisions.sharing(found.code_nl, 16).sum())
    self.assertEqual(found.repaired.after, shared)
    if repair == 'hungarian':
      self.assertTrue(shared == 0 or found.repaired.crowded)
    else:
      self.assertLess(shared, found.repaired.before)
    # Only last codes change, and what is said to have moved has.
    before_nl = semantic_ids.fit(crowded(), config).code_nl
    np.testing.assert_array_equal(found.code_nl[:, 0], before_nl[:, 0])
    moved_n = (found.code_nl != before_nl).any(1)
    np.testing.assert_array_equal(found.repaired.moved_n, moved_n)
    self.assertEqual(found.codes, 16)

  def test_left_as_they_are(self):
    config = made.config('rq_kmeans', codes=16)
    found = semantic_ids.make(crowded(), config)
    self.assertEqual(found.repaired.before, found.repaired.after)
    self.assertFalse(found.repaired.moved_n.any())
    self.assertRegex(found.repaired.told(), r'of 62 items shared their ID')


if __name__ == '__main__':
  absltest.main()
