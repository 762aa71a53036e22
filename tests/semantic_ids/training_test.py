import os
import pathlib
import signal

from absl import logging

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import chex
import numpy as np

from taiji_jax import interrupt, metrics
from taiji_jax.errors import UserError
from taiji_jax.loop import Saving
from taiji_jax.semantic_ids import training
from taiji_jax.sharding import MeshConfig
from tests.semantic_ids import made

VECTORS = made.vectors(90) / 8
CONFIG = made.config('rq_vae', steps=8, check_every=2)


def setUpModule():
  logging.set_verbosity(logging.ERROR)


class StoppingWriter(metrics.Writer):
  """A signal comes while a step's metrics are written."""

  def __init__(self, workdir, at):
    super().__init__(workdir)
    self._at, self.rows_seen = at, 0

  def begin(self, stage, step):
    pass

  def write(self, stage, step, values):
    self.rows_seen += 1
    if step == self._at:
      signal.raise_signal(signal.SIGTERM)


class BatchesTest(absltest.TestCase):
  def test_an_epoch_takes_each_once(self):
    rows = np.arange(12.0)[:, None]
    batches = training.VectorBatches(rows, 4, seed=0)
    epochs = [
      np.concatenate(
        [batches.batch_at(3 * e + i)['vector_bd'][:, 0] for i in range(3)]
      )
      for e in range(2)
    ]
    for epoch in epochs:
      self.assertCountEqual(epoch.tolist(), range(12))
    self.assertFalse(np.array_equal(*epochs))
    np.testing.assert_array_equal(
      batches.batch_at(1)['vector_bd'],
      training.VectorBatches(rows, 4, seed=0).batch_at(1)['vector_bd'],
    )


class FitTest(parameterized.TestCase):
  def fit(self, config=CONFIG, vectors=VECTORS, **options):
    return training.fit(vectors, config, mesh=MeshConfig().make(), **options)

  def test_stopped_and_gone_on_with_is_the_same(self):
    scratch = pathlib.Path(self.create_tempdir()) / 'x'
    # Rows are written every ten steps and at the end; so stop by the first.
    config = made.config('rq_vae', steps=24, check_every=2)
    whole = self.fit(config)
    with self.assertRaises(interrupt.Interrupted):
      self.fit(config, scratch=scratch, writer=StoppingWriter(scratch, 10))
    went_on = self.fit(config, scratch=scratch)
    chex.assert_trees_all_equal(whole.params, went_on.params)
    np.testing.assert_array_equal(whole.codebook_lkd, went_on.codebook_lkd)
    self.assertEqual(whole.collisions, went_on.collisions)

  def test_a_folder_of_another_training(self):
    scratch = self.create_tempdir().full_path
    self.fit(scratch=scratch, saving=Saving(steps=4))
    with self.assertRaisesRegex(UserError, 'another training'):
      self.fit(vectors=VECTORS + 1, scratch=scratch)

  def test_metrics_are_written(self):
    workdir = self.create_tempdir().full_path
    writer = metrics.Writer(workdir)
    self.fit(writer=writer)
    (row,) = writer.rows()
    self.assertEqual((row['stage'], row['step']), ('rq_vae', 8))
    self.assertContainsSubset(
      {'loss', 'reconstruction', 'codes_used', 'best_collisions'}, row
    )

  def test_a_loss_that_is_not_finite(self):
    vectors = VECTORS.copy()
    vectors[:] = 3e38
    with self.assertRaisesRegex(UserError, 'became NaN or infinite'):
      self.fit(vectors=vectors)


if __name__ == '__main__':
  absltest.main()
