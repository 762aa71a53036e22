import os
import pathlib

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import index_file

TEXT = '{"7": ["<a_12>", "<b_0>"], "x": ["<a_0>", "<b_3>"]}'
DATA = os.environ.get('TAIJI_DATA')


class IndexFileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir()) / 'x.index.json'

  def read(self, text, *args, **options):
    self.path.write_text(text)
    return index_file.read(self.path, *args, **options)

  def test_reads(self):
    found = self.read(TEXT)
    self.assertEqual(found.item_ids, ('7', 'x'))
    self.assertEqual(found.code_nl.tolist(), [[12, 0], [0, 3]])
    self.assertEqual(found.codes, 13)
    self.assertEqual(found.code_nl.dtype, np.int32)

  def test_in_the_order_of_the_catalogue(self):
    found = self.read(TEXT, ['x', '7'], codes=16)
    self.assertEqual(found.code_nl.tolist(), [[0, 3], [12, 0]])
    self.assertEqual(found.codes, 16)
    self.assertEqual(self.read(TEXT, ['x']).item_ids, ('x',))

  def test_writes_what_it_reads(self):
    code_nl = np.random.default_rng(0).integers(0, 256, (30, 3))
    names = [f'item {n}' for n in range(30)]
    index_file.write(self.path, names, code_nl)
    found = index_file.read(self.path, names)
    np.testing.assert_array_equal(found.code_nl, code_nl)
    index_file.write(self.path, ['7', 'x'], [[12, 0], [0, 3]])
    self.assertEqual(self.path.read_text(), TEXT + '\n')

  def test_shared_ids_are_told(self):
    text = '{"a": ["<a_1>"], "b": ["<a_2>"], "c": ["<a_1>"], "d": ["<a_1>"]}'
    self.assertEqual(self.read(text).shared(), [('a', 'c', 'd')])
    with self.assertRaisesRegex(
      UserError, r'1 IDs have several.*\(a, c, d\).*repair'
    ):
      self.read(text, unique=True)

  @parameterized.parameters(
    ('{', "can't be read .*; give a file like"),
    ('[]', 'no JSON object'),
    ('{}', 'holds no item'),
    ('{"a": ["<a_1>"], "a": ["<a_2>"]}', "item 'a' comes twice"),
    ('{"a": "<a_1>"}', "item 'a' has '<a_1>'; give a file like"),
    ('{"a": []}', r"item 'a' has \[\]"),
    ('{"a": ["<b_1>"]}', "has '<b_1>' on level 0; write <a_NUMBER>"),
    ('{"a": ["<a_1>", "<a_1>"]}', "'<a_1>' on level 1; write <b_NUMBER>"),
    ('{"a": ["<a_01>"]}', "'<a_01>' on level 0"),
    ('{"a": ["<a_-1>"]}', "'<a_-1>' on level 0"),
    ('{"a": [3]}', 'has 3 on level 0'),
    (
      '{"a": ["<a_1>"], "b": ["<a_1>", "<b_1>"]}',
      "'b' has 2 codes, item 'a' 1",
    ),
  )
  def test_refuses(self, text, message):
    with self.assertRaisesRegex(UserError, message):
      self.read(text)

  def test_an_item_without_an_id(self):
    with self.assertRaisesRegex(
      UserError, r"no ID for 2 of 3 items \(first 'y'\); give them IDs with"
    ):
      self.read(TEXT, ['x', 'y', 'z'])

  def test_a_code_out_of_range(self):
    with self.assertRaisesRegex(UserError, 'hold 12 for item 0 .* 12 codes'):
      self.read(TEXT, codes=12)

  def test_no_file(self):
    with self.assertRaisesRegex(UserError, "can't be read .No such file"):
      index_file.read(self.path)

  def test_no_text_and_a_folder(self):
    self.path.write_bytes(b'{"a": ["\xff"]}')
    with self.assertRaisesRegex(UserError, "can't be read .*; give a file"):
      index_file.read(self.path)
    with self.assertRaisesRegex(UserError, "can't be read .Is a directory"):
      index_file.read(self.path.parent)

  def test_an_empty_catalogue(self):
    with self.assertRaisesRegex(UserError, 'holds no item; give a file like'):
      self.read(TEXT, [])
    with self.assertRaisesRegex(UserError, 'give at least one item'):
      index_file.write(self.path.parent / 'none', [], np.zeros((0, 3), int))

  @parameterized.parameters(
    (['a'], [[1], [2]], '1 items and IDs of the shape'),
    (['a', 'a'], [[1], [2]], '1 items come twice'),
    (['a'], [[-1]], 'hold -1'),
  )
  def test_refuses_to_write(self, names, code_nl, message):
    with self.assertRaisesRegex(UserError, message):
      index_file.write(self.path, names, code_nl)
    self.assertFalse(self.path.exists())

  @absltest.skipUnless(DATA, 'needs TAIJI_DATA')
  def test_the_given_ids(self):
    folder = pathlib.Path(DATA) / 'minionerec_industrial' / 'index'
    path = folder / 'Industrial_and_Scientific.index.json'
    found = index_file.read(path, [str(n) for n in range(3686)], codes=256)
    used = [len(set(code_n.tolist())) for code_n in found.code_nl.T]
    self.assertEqual(used, [48, 256, 256])
    self.assertEqual(sum(map(len, found.shared())), 31)
    self.assertLen({tuple(c) for c in found.code_nl.tolist()}, 3670)
    index_file.write(self.path, found.item_ids, found.code_nl)
    self.assertEqual(self.path.read_text().strip(), path.read_text().strip())


if __name__ == '__main__':
  absltest.main()
