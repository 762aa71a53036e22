"""JSON lines: plain and gzipped, and what is refused with its line."""

import gzip
import pathlib
import tracemalloc
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax.data import json_lines
from taiji_jax.errors import UserError

_TEXT = b'{"a": 1}\n\n{"b": "\xc3\xa9"}'


class JsonLinesTest(parameterized.TestCase):
  def _file(self, content: bytes, name: str = 'x.json') -> str:
    path = pathlib.Path(self.create_tempdir().full_path) / name
    path.write_bytes(content)
    return str(path)

  @parameterized.parameters(
    (_TEXT, 'x.json'),
    (gzip.compress(_TEXT), 'x.json.gz'),
    # The name may lie, and a gzip may have several members.
    (gzip.compress(_TEXT[:9]) + gzip.compress(_TEXT[9:]), 'x.json'),
    (b'\xef\xbb\xbf' + _TEXT, 'x.jsonl'),
  )
  def test_reads(self, content, name):
    rows = list(json_lines.read(self._file(content, name)))
    self.assertEqual(rows, [(1, {'a': 1}), (3, {'b': 'é'})])

  @parameterized.parameters(
    (b'{"a": 1}\n{"a": \n', 'x.json:2: the line is not JSON'),
    (b'{"a": 1}\n[1]\n', 'x.json:2: .* holds list'),
    (b'{"a": 1}\n\n{"a": "\xe9"}\n', 'x.json:3: byte 7 .* not UTF-8'),
    (b"{'a': 1}\n", 'x.json:1: the line is not JSON'),
    (b'[' * 100_000, 'x.json:1: the line is not JSON'),
    (
      gzip.compress((_TEXT + b'\n') * 999)[:-9],
      r'x.json:\d+: the gzip is damaged',
    ),
    (gzip.compress(_TEXT)[:12], 'x.json:1: the gzip is damaged'),
  )
  def test_refuses(self, content, message):
    with self.assertRaisesRegex(UserError, message):
      list(json_lines.read(self._file(content)))

  @parameterized.parameters(lambda text: text, gzip.compress)
  def test_a_line_without_end(self, pack):
    line = b'{"a": "' + b'x' * 100 + b'"}'
    path = self._file(pack(_TEXT + b'\n' + line))
    with mock.patch.object(json_lines, '_LONGEST', len(line)):
      self.assertLen(list(json_lines.read(path)), 3)
    with (
      mock.patch.object(json_lines, '_LONGEST', len(line) - 1),
      self.assertRaisesRegex(UserError, 'x.json:4: the line is longer than'),
    ):
      list(json_lines.read(path))

  def test_a_small_gzip_of_a_long_line(self):
    path = self._file(gzip.compress(b' ' * (40 << 20), 1))
    tracemalloc.start()
    try:
      with self.assertRaisesRegex(UserError, 'longer than 16,777,216 bytes'):
        list(json_lines.read(path))
      self.assertLess(tracemalloc.get_traced_memory()[1], 48 << 20)
    finally:
      tracemalloc.stop()

  def test_a_flipped_byte_of_a_gzip_is_found(self):
    content = bytearray(gzip.compress((_TEXT + b'\n') * 999))
    content[len(content) // 2] ^= 255
    with self.assertRaises(UserError):
      list(json_lines.read(self._file(bytes(content))))

  def test_no_file(self):
    with self.assertRaisesRegex(UserError, 'nowhere is no file'):
      list(json_lines.read('/nowhere'))


if __name__ == '__main__':
  absltest.main()
