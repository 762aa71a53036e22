import os
import pathlib
import resource
import signal

from absl import logging
from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import checkpoint, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.errors import UserError

TX = optax.adam(0.1)


def setUpModule():
  logging.set_verbosity(logging.FATAL)


def make(value=0.0, size=5):
  return train_state.create(
    {'params': {'w': jnp.full((3, size), value), 'b': jnp.zeros(2)}},
    TX,
    seed=7,
    weighting={'log_weight_k': jnp.float32([-0.5, value])},
  )


def numbers(folder):
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())


class CheckpointTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'stage'

  def open(self, **options):
    checkpointer = Checkpointer(self.folder, **options)
    self.addCleanup(checkpointer.close)
    return checkpointer

  def save(self, *steps):
    checkpointer = self.open()
    for step in steps:
      checkpointer.save(step, make(step), {'batches': [step, 'x']})
    checkpointer.wait()

  def test_nothing_yet(self):
    self.assertIsNone(self.open().latest())

  def test_restores_the_last(self):
    self.save(3, 8)
    checkpointer = self.open()
    self.assertEqual(checkpointer.latest(), 8)
    state, position = checkpointer.restore(make())
    chex.assert_trees_all_equal(state, make(8.0))
    chex.assert_trees_all_equal_dtypes(state, make())
    self.assertEqual(position, {'batches': [8, 'x']})

  def test_keeps_two(self):
    self.save(1, 2, 3, 4)
    self.assertEqual(numbers(self.folder), [3, 4])

  def test_saves_what_was_there_though_it_is_donated(self):
    step = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    checkpointer, state = self.open(), make(0.0, size=200_000)
    for i in range(4):
      checkpointer.save(i, state, {})
      state = step(state)
    checkpointer.wait()
    saved, _ = self.open().restore(make(size=200_000))
    np.testing.assert_array_equal(saved.params['params']['w'], 3.0)

  def damage(self, step):
    files = [p for p in (self.folder / str(step)).rglob('*') if p.is_file()]
    for path in files:
      path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

  def test_a_damaged_step_is_dropped_and_named(self):
    self.save(5, 6)
    self.damage(6)
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      checkpointer = self.open()
    self.assertRegex(logs.output[0], 'stage/6 is damaged .*; going on from .*5')
    self.assertEqual(numbers(self.folder), [5])
    chex.assert_trees_all_equal(checkpointer.restore(make())[0], make(5.0))
    checkpointer.save(6, make(6.0), {})
    checkpointer.wait()
    chex.assert_trees_all_equal(self.open().restore(make())[0], make(6.0))

  def test_damage_to_the_only_one(self):
    self.save(5)
    self.damage(5)
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      self.assertIsNone(self.open().latest())
    self.assertIn('going on from the beginning', logs.output[0])

  def test_no_flipped_bit_goes_unseen(self):
    self.save(5, 6)
    rng = np.random.default_rng(0)
    files = [p for p in (self.folder / '6').rglob('*') if p.is_file()]
    weights = np.array([p.stat().st_size for p in files], float)
    for _ in range(60):
      path = files[rng.choice(len(files), p=weights / weights.sum())]
      whole = path.read_bytes()
      bit = rng.integers(8 * len(whole))
      flipped = bytearray(whole)
      flipped[bit // 8] ^= 1 << (bit % 8)
      path.write_bytes(flipped)
      self.assertEqual(
        checkpoint.damage(self.folder, 6),
        str(path.relative_to(self.folder / '6')),
      )
      path.write_bytes(whole)
      self.assertEqual(checkpoint.damage(self.folder, 6), '')

  def test_a_step_that_a_kill_left_without_its_note_is_dropped(self):
    self.save(5, 6)
    (self.folder / '6.sha256.json').unlink()
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      self.assertEqual(self.open().latest(), 5)
    self.assertIn('6 is damaged (a kill left it without', logs.output[0])

  def test_the_first_step_without_a_note_is_taken_and_noted(self):
    self.save(5)
    note = self.folder / '5.sha256.json'
    whole = note.read_text()
    note.unlink()
    self.assertEqual(self.open().latest(), 5)
    self.assertEqual(note.read_text(), whole)

  def test_whose_checkpoints_they_are(self):
    for steps in ((1,), (2, 3)):
      checkpointer = self.open(identity={'seed': 1, 'config': {'lr': 0.1}})
      for step in steps:
        checkpointer.save(step, make(step), {})
      checkpointer.wait()
    with self.assertRaisesRegex(
      UserError, 'another training: its seed was 1, h'
    ):
      self.open(identity={'seed': 2, 'config': {'lr': 0.1}})
    with self.assertRaisesRegex(UserError, 'its config was {"lr": 0.1}'):
      self.open(identity={'seed': 1, 'config': {'lr': 0.2}})

  def test_checkpoints_that_do_not_say_whose_they_are(self):
    self.save(5)
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      self.open(identity={'seed': 1})
    self.assertIn('does not say of which training', logs.output[0])
    self.open(identity={'seed': 2})  # Nothing was noted of what is not known.

  def test_notes_go_with_their_steps(self):
    self.save(1, 2, 3, 4)
    notes = sorted(p.name for p in self.folder.glob('*.sha256.json'))
    self.assertEqual(notes, ['3.sha256.json', '4.sha256.json'])

  def test_another_position(self):
    self.save(5, 6)
    (path,) = [
      p
      for p in (self.folder / '6').rglob('*')
      if p.is_file() and b'"batches"' in p.read_bytes()
    ]
    path.write_bytes(path.read_bytes().replace(b'6', b'7'))
    with self.assertLogs('taiji_jax', 'WARNING'):
      _, position = self.open().restore(make())
    self.assertEqual(position, {'batches': [5, 'x']})

  def test_another_shape(self):
    self.save(5)
    with self.assertRaisesRegex(UserError, "can't be read"):
      self.open().restore(make(size=6))

  def test_half_saved_is_passed_over_and_saved_again(self):
    self.save(5)
    half = self.folder / '6.orbax-checkpoint-tmp'
    (half / 'state').mkdir(parents=True)
    (half / 'state' / 'manifest').write_text('x')
    checkpointer = self.open()
    self.assertEqual(checkpointer.latest(), 5)
    checkpointer.save(6, make(6.0), {})
    checkpointer.wait()
    checkpointer = self.open()
    self.assertEqual(checkpointer.latest(), 6)
    chex.assert_trees_all_equal(checkpointer.restore(make())[0], make(6.0))

  def test_no_room(self):
    """A limit on the size of files stands in for a full disk."""
    self.save(5)
    checkpointer = self.open()
    noise = np.random.default_rng(0).normal(size=200_000)
    big = make().replace(params={'params': {'w': jnp.float32(noise)}})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
      resource.setrlimit(resource.RLIMIT_FSIZE, (2**12, limits[1]))
      with self.assertRaisesRegex(UserError, "can't write a checkpoint to"):
        checkpointer.save(6, big, {})
        checkpointer.wait()
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, limits)
      signal.signal(signal.SIGXFSZ, before)
    self.assertEqual(self.open().latest(), 5)

  def test_no_right(self):
    if os.geteuid() == 0:
      self.skipTest('root may write anywhere')
    self.save(5)
    checkpointer = self.open()
    self.folder.chmod(0o500)
    self.addCleanup(self.folder.chmod, 0o700)
    with self.assertRaisesRegex(UserError, "can't write a checkpoint to"):
      checkpointer.save(6, make(), {})
      checkpointer.wait()


if __name__ == '__main__':
  absltest.main()
