"""Files whole or not there, whatever goes wrong meanwhile."""

import errno
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax import files
from taiji_jax.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[1]
_HOLDS = """
import pathlib, sys, time
from taiji_jax import files
with files.Lock(pathlib.Path(sys.argv[1]), 'taken'):
  print('held', flush=True)
  time.sleep(600)
"""


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'a.json'

  def names(self):
    return [path.name for path in self.folder.iterdir()]

  def test_text_there_and_back(self):
    files.write_text(self.path, 'é\n')
    self.assertEqual(self.path.read_bytes(), b'\xc3\xa9\n')
    files.write_text(self.path, 'shorter', '.tag')
    self.assertEqual(self.path.read_text(), 'shorter')
    self.assertEqual(self.names(), ['a.json'])

  def test_json_there_and_back(self):
    values = {'b': [1, 2.5, None], 'a': {'é': True}}
    files.write_json(self.path, values)
    self.assertEqual(files.read_json(self.path), values)
    self.assertEqual(list(files.read_json(self.path)), ['b', 'a'])
    files.write_json(self.path, values, sort_keys=True)
    self.assertEqual(list(files.read_json(self.path)), ['a', 'b'])

  def test_nan_is_refused_and_nothing_changes(self):
    files.write_json(self.path, {'a': 1})
    with self.assertRaises(ValueError):
      files.write_json(self.path, {'a': float('nan')})
    self.assertEqual(files.read_json(self.path), {'a': 1})
    self.assertEqual(self.names(), ['a.json'])

  @parameterized.parameters('fsync', 'replace')
  def test_full_disk_leaves_the_file_as_it_was(self, name):
    files.write_text(self.path, 'old')
    full = OSError(28, 'No space left on device')
    where = os if name == 'fsync' else pathlib.Path
    with (
      mock.patch.object(where, name, side_effect=full),
      self.assertRaisesRegex(
        UserError, "a.json' cannot be written .No space left.*; pray.$"
      ),
    ):
      files.write_text(self.path, 'new', remedy='pray')
    self.assertEqual(self.path.read_text(), 'old')
    self.assertEqual(self.names(), ['a.json'])

  def test_folder_that_is_not_there(self):
    with self.assertRaisesRegex(UserError, 'b.json.*No such file.*free some'):
      files.write_text(self.folder / 'no' / 'b.json', '')

  def test_body_that_fails_leaves_nothing(self):
    with self.assertRaises(KeyError), files.whole(self.path) as part:
      part.write_text('half')
      raise KeyError
    self.assertEmpty(self.names())

  def test_only_what_writes_is_blamed_on_the_file(self):
    with (
      self.assertRaises(OSError) as caught,
      files.replacing(self.path) as part,
    ):
      part.write_text('half')
      raise OSError('the network is gone')
    self.assertNotIsInstance(caught.exception, UserError)
    self.assertEmpty(self.names())

  @parameterized.parameters('', '[]', '{"a": 1', '\ufeff{}')
  def test_no_json_object(self, text):
    self.path.write_text(text)
    with self.assertRaisesRegex(UserError, "a.json' can't be read.*; pray"):
      files.read_json(self.path, 'pray')

  def test_no_file(self):
    with self.assertRaisesRegex(UserError, 'No such file.*delete it and run'):
      files.read_json(self.path)
    with self.assertRaisesRegex(UserError, 'No such file'):
      list(files.read_lines(self.path))
    self.assertEmpty(list(files.read_whole_lines(self.path)))

  def test_lines_there_and_back(self):
    rows = [{'a': 1}, [2], 'é\u2028\n', None]
    files.write_lines(self.path, iter(rows))
    self.assertEqual(list(files.read_lines(self.path)), rows)
    self.assertEqual(list(files.read_whole_lines(self.path)), rows)

  def test_lines_that_broke_off(self):
    files.write_lines(self.path, [{'a': 1}, {'a': 22}])
    text = self.path.read_bytes()
    for end in range(len(text) - 1, len(json.dumps({'a': 1})), -1):
      self.path.write_bytes(text[:end])
      self.assertEqual(list(files.read_whole_lines(self.path)), [{'a': 1}])
    self.path.write_bytes(text[:-3])
    with self.assertRaisesRegex(UserError, "a.json:2' is no JSON.*; pray"):
      list(files.read_lines(self.path, 'pray'))

  def test_only_a_last_line_may_be_broken(self):
    rows = [{'a': n} for n in range(28)]
    files.write_lines(self.path, rows)
    lines = self.path.read_bytes().splitlines(keepends=True)
    for bad in (b'{"a": 1\xff}\n', b'\0\n', b'{"a"\n', b'\n'):
      for at in (0, 11, 27):
        self.path.write_bytes(b''.join([*lines[:at], bad, *lines[at + 1 :]]))
        with self.assertRaisesRegex(
          UserError, f"a.json:{at + 1}' is no JSON.*; pray"
        ):
          list(files.read_whole_lines(self.path, 'pray'))

  def test_sha256(self):
    self.path.write_bytes(b'abc')
    wanted = hashlib.sha256(b'abc').hexdigest()
    self.assertEqual(files.sha256(self.path), wanted)


class DeepJsonTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'a.json'
    self.path.write_text('{"a": ' + '[' * 100_000)

  def test_it_is_told(self):
    for read in (files.read_json, lambda path: list(files.read_lines(path))):
      with self.assertRaisesRegex(UserError, 'a.json.*nested too deeply'):
        read(self.path)

  def test_it_is_named_among_whole_lines(self):
    self.path.write_text('1\n' + '[' * 100_000 + '\n2\n')
    with self.assertRaisesRegex(UserError, 'json:2.*nested too deeply'):
      list(files.read_whole_lines(self.path))


class LockTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / '.lock'

  @parameterized.parameters(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
  def test_a_file_system_without_locks(self, number):
    with (
      mock.patch('fcntl.flock', side_effect=OSError(number, 'strange')),
      self.assertRaisesRegex(UserError, 'no locks .strange.; take a folder'),
    ):
      files.Lock(self.path).acquire()

  def test_a_folder_that_may_not_be_written_is_not_that(self):
    with (
      mock.patch('os.open', side_effect=OSError(errno.EROFS, 'Read-only')),
      self.assertRaisesRegex(UserError, 'cannot be written .Read-only'),
    ):
      files.Lock(self.path).acquire()

  def test_one_at_a_time(self):
    with (
      files.Lock(self.path),
      self.assertRaisesRegex(UserError, '^in use; wait.$'),
    ):
      files.Lock(self.path, 'in use; wait.').acquire()
    files.Lock(self.path, 'in use; wait.').acquire()

  def test_released_by_another_thread(self):
    lock = files.Lock(self.path, 'taken')
    lock.acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    with files.Lock(self.path, 'taken'):
      pass

  def test_who_waits_gets_it(self):
    held, got = files.Lock(self.path), []

    def wait():
      with files.Lock(self.path):
        got.append(1)

    with held:
      thread = threading.Thread(target=wait)
      thread.start()
      thread.join(0.1)
      self.assertEmpty(got)
    thread.join()
    self.assertEqual(got, [1])

  def test_killed_process_lets_go(self):
    with subprocess.Popen(
      (sys.executable, '-c', _HOLDS, str(self.path)),
      env=os.environ | {'PYTHONPATH': str(ROOT)},
      stdout=subprocess.PIPE,
      text=True,
    ) as process:
      self.assertEqual(process.stdout.readline(), 'held\n')
      with self.assertRaisesRegex(UserError, 'taken'):
        files.Lock(self.path, 'taken').acquire()
      process.send_signal(signal.SIGKILL)
      process.wait()
    with files.Lock(self.path, 'taken'):
      pass

  def test_folder_that_is_not_there(self):
    path = self.path / 'no' / '.lock'
    self.path.touch()
    with self.assertRaisesRegex(UserError, 'no/.lock. cannot be written'):
      files.Lock(path, 'taken').acquire()


if __name__ == '__main__':
  absltest.main()
