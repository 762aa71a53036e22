from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.errors import UserError
from taiji_jax.rank import batches


def make(count=10, batch_size=3, seed=0):
  user_x = np.arange(count, dtype=np.int32) % 4
  exposures = Exposures(
    user_x=user_x,
    history_xs=np.arange(2 * count, dtype=np.int32).reshape(count, 2),
    item_x=np.arange(count, dtype=np.int32),
    click_x=np.arange(count) % 2 == 0,
    conversion_x=np.arange(count) % 4 == 0,
    event_x=np.arange(count, dtype=np.int64),
  )
  profile_uf = np.array([[0, 7], [1, 8], [2, 9], [3, 5]], np.int32)
  return batches.ExposureBatches(exposures, profile_uf, batch_size, seed)


class ExposureBatchesTest(parameterized.TestCase):
  def test_arrays_belong_together(self):
    source = make()
    batch = source.batch_at(1)
    for i, item in enumerate(batch['item_b'].tolist()):
      np.testing.assert_array_equal(
        batch['history_bs'][i], [2 * item, 2 * item + 1]
      )
      np.testing.assert_array_equal(
        batch['profile_bf'][i], source.profile_uf[item % 4]
      )
      self.assertEqual(batch['click_b'][i], item % 2 == 0)
      self.assertEqual(batch['conversion_b'][i], item % 4 == 0)

  def test_an_epoch_repeats_nothing_and_epochs_differ(self):
    source = make(count=100, batch_size=30)
    self.assertEqual(source.steps_per_epoch, 3)
    epochs = [
      np.concatenate([source.batch_at(3 * e + i)['item_b'] for i in range(3)])
      for e in range(2)
    ]
    for items in epochs:
      self.assertLen(set(items.tolist()), 90)
    self.assertFalse(np.array_equal(*epochs))

  def test_batch_depends_on_its_number_only(self):
    forward = [make().batch_at(i)['item_b'] for i in range(9)]
    source = make()
    for i in (8, 2, 5, 2, 0):
      np.testing.assert_array_equal(source.batch_at(i)['item_b'], forward[i])

  def test_seed_sets_the_order(self):
    a, b = (make(100, 50, seed).batch_at(0)['item_b'] for seed in (0, 1))
    self.assertFalse(np.array_equal(a, b))

  @parameterized.parameters(0, 11)
  def test_batch_size_out_of_range(self, size):
    with self.assertRaisesRegex(UserError, f'{size} and there are 10'):
      make(batch_size=size)


if __name__ == '__main__':
  absltest.main()
