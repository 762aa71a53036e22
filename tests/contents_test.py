import json
import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax import contents, files
from taiji_jax.errors import UserError

OLD = time.time() - 1000


class ContentsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir())
    self.folder = self.root / 'model'
    self.folder.mkdir()
    self.weights = self.folder / 'model.safetensors'
    self.write(b'w' * 100)
    (self.folder / 'config.json').write_text('{}')
    cache = {'XDG_CACHE_HOME': str(self.root / 'cache')}
    self.enter_context(mock.patch.dict(os.environ, cache))
    self.enter_context(mock.patch.object(contents, 'REMEMBERED_BYTES', 50))

  def write(self, data, age=1000.0):
    """Writes the weights, as if that were some seconds ago."""
    self.weights.write_bytes(data)
    os.utime(self.weights, (time.time() - age,) * 2)

  def aged(self, seconds=1000.0):
    """Lets time pass: the change of a file can't be dated back."""
    later = time.time() + seconds
    return mock.patch.object(contents.time, 'time', lambda: later)

  @parameterized.parameters(
    'model.safetensors', 'config.json', 'tokenizer.json', 'merges.txt'
  )
  def test_what_is_read_counts(self, name):
    before = contents.of(self.folder)
    self.assertRegex(before, '^[0-9a-f]{16}$')
    self.assertEqual(contents.of(self.folder), before)
    (self.folder / name).write_bytes(b'x' * 100)
    self.assertNotEqual(contents.of(self.folder), before)

  def test_the_place_and_what_is_not_read_do_not_count(self):
    before = contents.of(self.folder)
    (self.folder / 'README.md').write_text('read me')
    (self.folder / 'more').mkdir()
    self.assertEqual(contents.of(self.folder), before)
    moved = self.folder.rename(self.root / 'elsewhere')
    self.assertEqual(contents.of(moved), before)

  def test_a_name_counts(self):
    before = contents.of(self.folder)
    self.weights.rename(self.folder / 'other.safetensors')
    self.assertNotEqual(contents.of(self.folder), before)

  def test_a_file(self):
    before = contents.of(self.weights)
    self.write(b'v' * 100)
    self.assertNotEqual(contents.of(self.weights), before)

  def test_a_snapshot_of_the_hub_goes_by_its_commit(self):
    name = '0123456789' * 4
    commit = self.root / 'models--a--b' / 'snapshots' / name
    commit.mkdir(parents=True)
    with mock.patch.object(files, 'sha256', side_effect=AssertionError):
      self.assertEqual(contents.of(commit), f'commit {name}')

  @parameterized.parameters(
    'runs/snapshots/step_100',
    'models--a--b/snapshots/step_100',
    f'runs/snapshots/{"0" * 40}',
  )
  def test_other_snapshots_are_read(self, name):
    folder = self.root / name
    folder.mkdir(parents=True)
    (folder / 'model.safetensors').write_bytes(b'a')
    before = contents.of(folder)
    (folder / 'model.safetensors').write_bytes(b'b')
    self.assertNotEqual(contents.of(folder), before)

  def test_a_large_file_is_read_once(self):
    with self.aged():
      before = contents.of(self.weights)
      with mock.patch.object(files, 'sha256', side_effect=AssertionError):
        self.assertEqual(contents.of(self.weights), before)

  def test_the_same_size_and_time_are_not_the_same_content(self):
    with self.aged():
      before = contents.of(self.weights)
      stat = self.weights.stat()
      self.weights.write_bytes(b'v' * 100)
      os.utime(self.weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
      self.assertNotEqual(contents.of(self.weights), before)
      # Another file in its place, as a move or a link makes it.
      other = self.folder / 'other'
      other.write_bytes(b'u' * 100)
      os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
      before = contents.of(self.weights)
      other.replace(self.weights)
      self.assertNotEqual(contents.of(self.weights), before)

  def test_what_was_written_just_now_is_not_remembered(self):
    contents.of(self.weights)
    self.assertFalse(contents.memory().exists())

  def test_what_is_gone_is_forgotten(self):
    with self.aged():
      contents.of(self.weights)
      second = self.folder / 'second.safetensors'
      second.write_bytes(b's' * 100)
      self.weights.unlink()
      contents.of(second)
    known = json.loads(contents.memory().read_text())
    self.assertEqual(list(known), [str(second)])

  @parameterized.parameters('{', '[]', '{"PATH": 3}')
  def test_a_damaged_memory_costs_a_reading(self, text):
    contents.memory().parent.mkdir(parents=True)
    contents.memory().write_text(text.replace('PATH', str(self.weights)))
    wanted = files.sha256(self.weights)[:16]
    self.assertEqual(contents.of(self.weights), wanted)

  def test_nowhere_to_remember(self):
    (self.root / 'cache').write_text('a file')
    with self.aged():
      self.assertLen(contents.of(self.weights), 16)

  def test_a_user_without_a_home(self):
    with (
      mock.patch.dict(os.environ, {'XDG_CACHE_HOME': ''}),
      mock.patch.object(pathlib.Path, 'home', side_effect=RuntimeError),
      self.aged(),
    ):
      self.assertLen(contents.of(self.weights), 16)
      self.assertIsNone(contents.cache())

  def test_nothing_there(self):
    (self.root / 'empty').mkdir()
    for name in ('empty', 'missing'):
      with self.assertRaisesRegex(UserError, f'{name}.*nothing that a'):
        contents.of(self.root / name)


if __name__ == '__main__':
  absltest.main()
