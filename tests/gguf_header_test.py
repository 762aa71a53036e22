import pathlib
import struct
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax import gguf_header
from taiji_jax.errors import UserError


def text(value: str) -> bytes:
  return struct.pack('<Q', len(value.encode())) + value.encode()


def field(name: str, kind: int, value: bytes) -> bytes:
  return text(name) + struct.pack('<I', kind) + value


# Two fields and one tensor of 2 x 3, written by hand from the format's
# description.
FIELDS = (
  field('general.architecture', 8, text('llama')),
  field('list', 9, struct.pack('<IQ3i', 5, 3, -1, 2, 3)),
  field('words', 9, struct.pack('<IQ', 8, 2) + text('a') + text('é')),
  field('yes', 7, b'\x01'),
  field('half', 6, struct.pack('<f', 0.5)),
)
TENSOR = text('w') + struct.pack('<I2QIQ', 2, 3, 2, 0, 64)


def file_of(fields=FIELDS, tensors=(TENSOR,), version=3, magic=b'GGUF'):
  counts = struct.pack('<IQQ', version, len(tensors), len(fields))
  return magic + counts + b''.join((*fields, *tensors))


class GgufHeaderTest(parameterized.TestCase):
  def _read(self, content: bytes) -> gguf_header.GgufHeader:
    file = self.create_tempfile('a.gguf', content, mode='wb')
    return gguf_header.read(pathlib.Path(file.full_path))

  def test_fields_and_tensors(self):
    content = file_of()
    header = self._read(content)
    self.assertEqual(
      header.fields,
      {
        'general.architecture': 'llama',
        'list': [-1, 2, 3],
        'words': ['a', 'é'],
        'yes': True,
        'half': 0.5,
      },
    )
    # Rows come first here, last in the file; data begin at a multiple of 32.
    start = -(-len(content) // 32) * 32
    self.assertEqual(
      header.tensors, {'w': gguf_header.GgufTensor(0, (2, 3), start + 64)}
    )
    self.assertEqual(header.size, len(content))

  def test_alignment(self):
    content = file_of(
      (*FIELDS, field('general.alignment', 4, struct.pack('<I', 512)))
    )
    self.assertLess(len(content), 512)
    self.assertEqual(self._read(content).tensors['w'].offset, 512 + 64)

  def test_values_are_checked(self):
    header = self._read(file_of())
    self.assertEqual(header.value('half', float), 0.5)
    self.assertEqual(header.value('none', int, 3), 3)
    with self.assertRaisesRegex(UserError, 'lacks none'):
      header.value('none', int)
    with self.assertRaisesRegex(UserError, "'llama', no int"):
      header.value('general.architecture', int)
    for odd in (float('nan'), float('inf')):
      fields = (field('odd', 6, struct.pack('<f', odd)),)
      with self.assertRaisesRegex(UserError, f'says odd {odd}, no float'):
        self._read(file_of(fields)).value('odd', float)

  def test_no_array_is_longer_than_any_vocabulary(self):
    array = field('a', 9, struct.pack('<IQ5B', 0, 5, *range(5)))
    with mock.patch.object(gguf_header, '_MOST_ENTRIES', 5):
      self.assertEqual(self._read(file_of((array,))).fields['a'], [*range(5)])
    with (
      mock.patch.object(gguf_header, '_MOST_ENTRIES', 4),
      self.assertRaisesRegex(UserError, '5 entries'),
    ):
      self._read(file_of((array,)))

  def test_arrays_in_arrays_without_end(self):
    nest = struct.pack('<IQ', 9, 1) * 50_000
    with self.assertRaisesRegex(UserError, 'no whole GGUF file'):
      self._read(file_of((field('a', 9, nest),)))

  @parameterized.parameters(*range(0, len(file_of()), 7))
  def test_cut_off_anywhere(self, size):
    with self.assertRaisesRegex(UserError, 'no whole GGUF file'):
      self._read(file_of()[:size])

  @parameterized.parameters(
    (file_of(magic=b'GGML'), 'begin with GGUF'),
    (file_of(version=1), 'version is 1'),
    (file_of((*FIELDS, FIELDS[0])), "'general.architecture' twice"),
    (file_of(tensors=(TENSOR, TENSOR)), "'w' twice"),
    (file_of((field('a', 13, b''),)), 'no type 13'),
    (file_of((field('a', 9, struct.pack('<IQ', 8, 1 << 60)),)), 'entries in'),
    (file_of((field('a', 9, struct.pack('<IQ', 11, 9)),), ()), 'ends at byte'),
    (file_of((field('a', 8, b'\x01' + bytes(7) + b'\xff'),)), 'utf-8'),
    (file_of((field('general.alignment', 4, bytes(4)),)), 'alignment is 0'),
    (file_of(tensors=(text('w') + struct.pack('<I', 9),)), '9 axes'),
  )
  def test_damage_is_named(self, content, message):
    with self.assertRaisesRegex(UserError, message):
      self._read(content)

  def test_a_missing_file(self):
    with self.assertRaisesRegex(UserError, 'cannot be read'):
      gguf_header.read(pathlib.Path('/no/where.gguf'))


if __name__ == '__main__':
  absltest.main()
