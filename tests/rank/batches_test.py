from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import exposures
from taiji_jax.data.exposures import Exposures
from taiji_jax.errors import UserError
from taiji_jax.rank import batches
from taiji_jax.types import Catalog, Log

PROFILE_UF = np.array([[0, 7], [1, 8], [2, 9], [3, 5]], np.int32)


def make(count=10, batch_size=3, seed=0):
  user_x = np.arange(count, dtype=np.int32) % 4
  real = Exposures(
    user_x=user_x,
    history_xs=np.arange(2 * count, dtype=np.int32).reshape(count, 2),
    item_x=np.arange(count, dtype=np.int32),
    click_x=np.arange(count) % 2 == 0,
    conversion_x=np.arange(count) % 4 == 0,
    event_x=np.arange(count, dtype=np.int64),
  )
  return batches.ExposureBatches(real, PROFILE_UF, batch_size, seed)


def with_negatives(seed=0, negatives=3, batch_size=5):
  """8 events of 4 users over 20 items; user u has items u and u + 4."""
  events = np.arange(20)
  log = Log(
    tuple('0123'),
    ({},) * 4,
    (events % 4).astype(np.int32),
    events.astype(np.int32),
    events,
    np.arange(20) != 3,
    np.arange(20) % 2 == 0,
  )
  catalog = Catalog(tuple(map(str, events)), ('x',) * 20, ((),) * 20)
  return log, batches.ExposureBatches(
    exposures.shown(log, events < 8, history=2),
    PROFILE_UF,
    batch_size,
    seed,
    unclicked=exposures.Unclicked(log, catalog, events < 8),
    negatives=negatives,
  )


def epoch_of(source, epoch):
  steps = source.steps_per_epoch
  found = [source.batch_at(epoch * steps + i) for i in range(steps)]
  return {k: np.concatenate([b[k] for b in found]) for k in found[0]}


class ExposureBatchesTest(parameterized.TestCase):
  def test_arrays_belong_together(self):
    batch = make().batch_at(1)
    for i, item in enumerate(batch['item_b'].tolist()):
      np.testing.assert_array_equal(
        batch['history_bs'][i], [2 * item, 2 * item + 1]
      )
      np.testing.assert_array_equal(
        batch['profile_bf'][i], PROFILE_UF[item % 4]
      )
      self.assertEqual(batch['click_b'][i], item % 2 == 0)
      self.assertEqual(batch['conversion_b'][i], item % 4 == 0)

  def test_an_epoch_repeats_nothing_and_epochs_differ(self):
    source = make(count=100, batch_size=30)
    self.assertEqual(source.steps_per_epoch, 3)
    epochs = [epoch_of(source, e)['item_b'] for e in range(2)]
    for items in epochs:
      self.assertLen(set(items.tolist()), 90)
    self.assertFalse(np.array_equal(*epochs))

  def test_batch_depends_on_its_number_only(self):
    for build in (make, lambda: with_negatives()[1]):
      source = build()
      forward = [source.batch_at(i)['item_b'] for i in range(20)]
      source = build()
      for i in (8, 2, 19, 2, 0):
        np.testing.assert_array_equal(source.batch_at(i)['item_b'], forward[i])

  def test_seed_sets_the_order(self):
    a, b = (make(100, 50, seed).batch_at(0)['item_b'] for seed in (0, 1))
    self.assertFalse(np.array_equal(a, b))

  def test_negatives_are_drawn_anew_each_epoch(self):
    log, source = with_negatives(batch_size=29)
    # 8 events, of which 7 are clicks, and 3 items not clicked for each.
    self.assertLen(source, 8 + 3 * 7)
    drawn = []
    for epoch in range(3):
      seen = epoch_of(source, epoch)
      users = np.array([
        PROFILE_UF[:, 0].tolist().index(p) for p in seen['profile_bf'][:, 0]
      ])  # fmt: skip
      real = sorted(zip(users, seen['item_b'], seen['click_b'], strict=True))
      clicks = [(u, i) for u, i, clicked in real if clicked]
      self.assertEqual(
        clicks, sorted((e % 4, e) for e in range(8) if log.click_e[e])
      )
      # The exposure of event 3 is real, the rest of the others is not.
      others = [(u, i) for u, i, clicked in real if not clicked]
      others.remove((3, 3))
      self.assertLen(others, 21)
      self.assertTrue(all(i < 8 and i % 4 != u for u, i in others))
      self.assertFalse((seen['conversion_b'] & ~seen['click_b']).any())
      drawn.append(others)
    self.assertNotEqual(drawn[0], drawn[1])
    self.assertNotEqual(drawn[1], drawn[2])

  def test_a_batch_of_nothing(self):
    with self.assertRaisesRegex(UserError, '10 exposures and batches of 0'):
      make(batch_size=0)

  def test_fewer_exposures_than_a_batch(self):
    source = make(batch_size=11)
    self.assertEqual(source.steps_per_epoch, 1)
    self.assertLen(source.batch_at(0)['item_b'], 10)


if __name__ == '__main__':
  absltest.main()
