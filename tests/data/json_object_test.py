import pathlib

from absl.testing import absltest, parameterized

from taiji_jax.data import json_object
from taiji_jax.errors import UserError


class JsonObjectTest(parameterized.TestCase):
  def _file(self, content: bytes) -> pathlib.Path:
    path = pathlib.Path(self.create_tempdir().full_path) / 'x.json'
    path.write_bytes(content)
    return path

  def test_reads(self):
    found = json_object.read(self._file(b'\xef\xbb\xbf{"b": [1], "a": {}}'))
    self.assertEqual(list(found.items()), [('b', [1]), ('a', {})])

  @parameterized.parameters(
    (b'{"a": 1, "b": 2, "a": 1}', "x.json gives the key 'a' twice"),
    (b'{"x": [{"c": 1, "c": 2}]}', "x.json gives the key 'c' twice"),
    (b'[1]', 'x.json holds list, not an object'),
    (b'{"a": ', 'x.json cannot be read as JSON'),
    (b'{"a": "\xe9"}', 'x.json cannot be read as JSON'),
    (b'[' * 100_000, 'x.json (is nested too deeply|cannot be read)'),
  )
  def test_refuses(self, content, message):
    with self.assertRaisesRegex(UserError, message):
      json_object.read(self._file(content))

  def test_no_file(self):
    with self.assertRaisesRegex(UserError, 'gone.json cannot be read'):
      json_object.read(pathlib.Path('/nowhere/gone.json'))


if __name__ == '__main__':
  absltest.main()
