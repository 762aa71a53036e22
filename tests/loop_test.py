import json
import os
import pathlib
import signal
import time

from absl import logging
from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import interrupt, loop, metrics, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.errors import UserError

STEPS = 6
TX = optax.sgd(0.5)


def setUpModule():
  logging.set_verbosity(logging.ERROR)


class Counter:
  """Batches 0, 1, 2, ..."""

  def __init__(self):
    self.at = 0

  def __next__(self):
    self.at += 1
    return np.float32(self.at - 1)

  def get_state(self):
    return {'at': self.at}

  def set_state(self, state):
    self.at = state['at']


def start():
  return train_state.create({'w': jnp.float32([1, 2])}, TX, seed=3)


@jax.jit
def update(state, batch):
  """Depends on the parameters, the batch and the step: no two are alike."""
  gradient = jax.tree.map(lambda w: 0.1 * w + batch * state.step, state.params)
  loss = jnp.log(gradient['w'].sum())
  finite = jnp.isfinite(loss)
  return train_state.advance(state, TX, gradient, finite), {'loss': loss}


class LoopTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def run_loop(self, name='a', step=update, saving=None, **options):
    folder = self.workdir / name
    folder.mkdir(exist_ok=True)
    checkpointer = Checkpointer(folder / 'checkpoints')
    saving = loop.Saving(**{'seconds': 0.0} | (saving or {}))
    try:
      return loop.run(
        step,
        start(),
        Counter(),
        checkpointer,
        metrics.Writer(folder),
        loop.LoopConfig('stage', STEPS, saving, **options),
      )
    finally:
      checkpointer.close()

  def rows(self, name='a'):
    text = (self.workdir / name / 'metrics.jsonl').read_text()
    return [json.loads(line) for line in text.splitlines()]

  def latest(self, name='a'):
    checkpointer = Checkpointer(self.workdir / name / 'checkpoints')
    step = checkpointer.latest()
    checkpointer.close()
    return step

  def whole(self):
    state, seconds = self.run_loop('whole')
    self.assertGreater(seconds, 0)
    return np.asarray(state.params['w'])

  def test_runs_to_the_end(self):
    w = np.array([1.0, 2.0])
    for i in range(STEPS):
      w = w - 0.5 * (0.1 * w + i * i)
    np.testing.assert_allclose(self.whole(), w, rtol=1e-5)
    rows = self.rows('whole')
    self.assertEqual([r['step'] for r in rows], [1, 2, 3, 4, 5, 6])
    self.assertEqual(self.latest('whole'), STEPS)

  @parameterized.parameters((2, 4), (3, 3), (0, None), (9, None))
  def test_a_checkpoint_after_so_many_steps(self, steps, kept):
    def breaks(state, batch):
      if int(state.step) == 5:
        raise RuntimeError('power cut')
      return update(state, batch)

    with self.assertRaisesRegex(RuntimeError, 'power cut'):
      self.run_loop(step=breaks, saving={'seconds': 1e9, 'steps': steps})
    self.assertEqual(self.latest(), kept)

  @parameterized.parameters(
    # seconds, steps, share; step, since the last one, its writing -> due.
    (20.0, 0, 0.1, 7, 20.1, 0.0, True),
    (20.0, 0, 0.1, 7, 19.9, 0.0, False),
    # It took a minute and a half: the next one in a quarter of an hour.
    (20.0, 0, 0.1, 7, 899.0, 90.0, False),
    (20.0, 0, 0.1, 7, 901.0, 90.0, True),
    (20.0, 0, 0.5, 7, 181.0, 90.0, True),
    # Small ones are written in no time.
    (20.0, 0, 0.1, 7, 20.1, 1.9, True),
    (20.0, 7, 0.1, 14, 1.0, 90.0, True),
    (20.0, 7, 0.1, 15, 1.0, 0.0, False),
    (0.0, 0, 0.1, 1, 0.01, 90.0, True),
  )
  def test_when_one_is_due(
    self, seconds, steps, share, step, since, writing, due
  ):
    saving = loop.Saving(seconds, steps, share)
    self.assertEqual(saving.due(step, since, writing), due)

  def test_a_checkpoint_knows_how_long_it_took(self):
    checkpointer = Checkpointer(self.workdir / 'checkpoints')
    self.assertEqual(checkpointer.writing_seconds, 0)
    begin = time.monotonic()
    checkpointer.save(1, start(), {})
    checkpointer.wait()
    most = time.monotonic() - begin
    self.assertBetween(checkpointer.writing_seconds, 1e-4, most)
    checkpointer.close()

  @parameterized.parameters(1, 4)
  def test_an_error_then_the_same_command(self, at):
    def breaks(state, batch):
      if int(state.step) == at:
        raise RuntimeError('power cut')
      return update(state, batch)

    with self.assertRaisesRegex(RuntimeError, 'power cut'):
      self.run_loop(step=breaks)
    self.assertEqual(self.latest(), at)
    state, _ = self.run_loop()
    np.testing.assert_array_equal(state.params['w'], self.whole())
    self.assertEqual(int(state.step), STEPS)
    self.assertEqual(self.rows(), self.rows('whole'))

  def test_rows_after_the_checkpoint_are_dropped(self):
    def breaks(state, batch):
      if int(state.step) == 4:
        raise RuntimeError('power cut')
      return update(state, batch)

    # Nothing is saved in time, so that the rows are ahead of it.
    with self.assertRaises(RuntimeError):
      self.run_loop(step=breaks, saving={'seconds': 1e9})
    self.assertLen(self.rows(), 4)
    with (self.workdir / 'a/metrics.jsonl').open('a') as file:
      file.write('{"stage": "other", "step": 9, "loss": 1}\n{"stage": "st')
    self.run_loop()
    other, *rows = self.rows()
    self.assertEqual(other['stage'], 'other')
    self.assertEqual([r['step'] for r in rows], [1, 2, 3, 4, 5, 6])

  def test_seconds_add_up(self):
    first = self.run_loop()[1]
    again = self.run_loop()[1]
    self.assertGreater(again, first / 2)

  @parameterized.parameters(float('nan'), float('inf'))
  def test_nonfinite_is_refused_and_not_saved(self, bad):
    def breaks(state, batch):
      batch = np.float32(bad) if int(state.step) == 3 else batch
      return update(state, batch)

    with self.assertRaisesRegex(
      UserError, 'stage step 4: loss became NaN or infinite.*step 3 is kept'
    ):
      self.run_loop(step=breaks)
    self.assertEqual(self.latest(), 3)
    self.assertLen(self.rows(), 3)
    state, _ = self.run_loop()
    np.testing.assert_array_equal(state.params['w'], self.whole())

  def test_a_step_is_under_way_before_the_metrics_of_the_last_are_read(self):
    told = []

    class Loss:
      def __init__(self, step):
        self.step = step

      def __array__(self, dtype=None, copy=None):
        told.append(f'read {self.step}')
        return np.float32(self.step)

    def telling(state, batch):
      state, _ = update(state, batch)
      told.append(f'step {int(state.step)}')
      return state, {'loss': Loss(int(state.step))}

    self.run_loop(step=telling, saving={'seconds': 1e9})
    want = ['step 1']
    for i in range(2, STEPS + 1):
      want += [f'step {i}', f'read {i - 1}']
    self.assertEqual(told, [*want, f'read {STEPS}'])
    self.assertEqual([r['loss'] for r in self.rows()], [1, 2, 3, 4, 5, 6])

  @parameterized.parameters(1e9, 0.0)
  def test_after_a_nonfinite_metric_nothing_is_written(self, save_seconds):
    def breaks(state, batch):
      state, values = update(state, batch)
      bad = float('nan') if int(batch) == 3 else 1.0
      return state, values | {'reward': jnp.float32(bad)}

    with self.assertRaisesRegex(UserError, 'stage step 4: reward became NaN'):
      self.run_loop(step=breaks, saving={'seconds': save_seconds})
    self.assertEqual([r['step'] for r in self.rows()], [1, 2, 3])
    self.assertEqual(self.latest(), None if save_seconds else 3)

  @parameterized.parameters(signal.SIGINT, signal.SIGTERM)
  def test_a_signal_ends_the_step_and_saves(self, number):
    def interrupted(state, batch):
      if int(state.step) == 2:
        os.kill(os.getpid(), number)
      return update(state, batch)

    with self.assertRaises(interrupt.Interrupted) as raised:
      self.run_loop(step=interrupted, saving={'seconds': 1e9})
    self.assertEqual(raised.exception.signal_number, number)
    self.assertRegex(str(raised.exception), 'stage step 3 of 6, saved')
    self.assertEqual(self.latest(), 3)
    state, _ = self.run_loop()
    np.testing.assert_array_equal(state.params['w'], self.whole())

  def test_a_signal_in_the_last_step_keeps_the_end(self):
    def interrupted(state, batch):
      if int(state.step) == STEPS - 1:
        os.kill(os.getpid(), signal.SIGTERM)
      return update(state, batch)

    with self.assertRaises(interrupt.Interrupted):
      self.run_loop(step=interrupted)
    self.assertEqual(self.latest(), STEPS)
    state, _ = self.run_loop(step=None)
    np.testing.assert_array_equal(state.params['w'], self.whole())

  def test_saves_no_more_often_than_asked(self):
    saved = []

    class Counting(Checkpointer):
      def save(self, step, state, position):
        saved.append(step)
        super().save(step, state, position)

    checkpointer = Counting(self.workdir / 'b')
    loop.run(
      update,
      start(),
      Counter(),
      checkpointer,
      metrics.Writer(self.workdir),
      loop.LoopConfig('stage', STEPS, loop.Saving(1e9), write_every=4),
    )
    checkpointer.close()
    self.assertEqual(saved, [STEPS])
    text = (self.workdir / 'metrics.jsonl').read_text()
    steps = [json.loads(line)['step'] for line in text.splitlines()]
    self.assertEqual(steps, [4, 6])


if __name__ == '__main__':
  absltest.main()
