import pathlib
import resource

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules.weights import tree


def make(width=3):
  return {
    'params': {
      'b': {'kernel': jnp.arange(2.0 * width).reshape(2, width)},
      'a': jnp.int32([1, 2]),
    }
  }


class TreeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'm.safetensors'

  def test_back_as_it_was(self):
    tree.save(self.path, make())
    like = jax.eval_shape(make)
    loaded = tree.load(self.path, like)
    chex.assert_trees_all_equal(loaded, make())
    chex.assert_trees_all_equal_dtypes(loaded, make())

  def test_transposed_arrays(self):
    params = {'w': np.arange(6.0).reshape(2, 3).T}
    tree.save(self.path, params)
    chex.assert_trees_all_equal(tree.load(self.path, params), params)

  def test_same_bytes_each_time(self):
    tree.save(self.path, make())
    first = self.path.read_bytes()
    tree.save(self.path, make())
    self.assertEqual(self.path.read_bytes(), first)

  def refuses(self, like, message):
    with self.assertRaisesRegex(UserError, message) as raised:
      tree.load(self.path, like)
    self.assertIn(str(self.path), str(raised.exception))
    self.assertNotIn('\n', str(raised.exception))

  def test_another_model(self):
    tree.save(self.path, make())
    self.refuses(make(4), r'params/b/kernel is .2, 3. there and .2, 4. here')
    more = make() | {'c': jnp.zeros(1)}
    self.refuses(more, r'c is missing there and .1,. here')
    self.refuses(
      {'params': {'a': jnp.zeros(2)}}, 'b/kernel is .*not part of this model'
    )

  def test_damaged_or_missing(self):
    self.refuses(make(), "can't be read")
    tree.save(self.path, make())
    self.path.write_bytes(self.path.read_bytes()[:-5])
    self.refuses(make(), "can't be read")

  def test_no_room(self):
    """A limit on the size of files stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
      resource.setrlimit(resource.RLIMIT_FSIZE, (2**12, limits[1]))
      with self.assertRaisesRegex(UserError, "can't be written"):
        tree.save(self.path, {'w': np.ones(10_000)})
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, limits)


if __name__ == '__main__':
  absltest.main()
