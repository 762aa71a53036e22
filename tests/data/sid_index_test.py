import json
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import sid_index
from taiji_jax.errors import UserError

GOOD = {'7': ['<a_0>', '<b_255>'], '10': ['<a_3>', '<b_12>']}


class SidIndexTest(parameterized.TestCase):
  def _file(self, value) -> pathlib.Path:
    path = pathlib.Path(self.create_tempdir().full_path) / 'x.index.json'
    path.write_text(json.dumps(value))
    return path

  def test_reads_in_the_catalogues_order(self):
    codes_nl = sid_index.read(self._file(GOOD), ('10', '7'))
    np.testing.assert_array_equal(codes_nl, [[3, 12], [0, 255]])
    self.assertEqual(codes_nl.dtype, np.int32)
    self.assertEqual(sid_index.texts(codes_nl), ['<a_3><b_12>', '<a_0><b_255>'])

  def test_what_is_written_is_read(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'x.index.json'
    codes_nl = np.random.default_rng(0).integers(0, 16, (9, 4))
    ids = tuple(str(n) for n in range(9))
    sid_index.write(path, ids, codes_nl)
    self.assertEqual(len(json.loads(path.read_text())['3']), 4)
    np.testing.assert_array_equal(sid_index.read(path, ids, 16), codes_nl)

  @parameterized.parameters(
    (
      {'7': ['<a_0>', '<b_256>']},
      'item 7: code 256 of level 2 is out of range',
    ),
    ({'7': ['<a_0>', '<a_1>']}, 'item 7: token .<a_1>. of level 2'),
    ({'7': ['<a_-1>', '<b_1>']}, 'item 7: token .<a_-1>. of level 1'),
    ({'7': ['<a_01>', '<b_1>']}, 'item 7: token .<a_01>.'),
    ({'7': ['<a_1> ', '<b_1>']}, 'item 7: token .<a_1> .'),
    ({'7': ['a_1', '<b_1>']}, 'item 7: token .a_1.'),
    ({'7': [1, 2]}, 'item 7: token .1. of level 1'),
    ({'7': '<a_1><b_1>'}, 'item 7 has .*give a list of tokens'),
    ({'7': []}, 'item 7 has .*give a list of tokens'),
    ({'7': ['<a_1>']}, 'item 7 has 1 codes and item 10 2'),
    ({'8': ['<a_1>', '<b_1>']}, 'has an ID for item 8, which the catalogue'),
  )
  def test_refuses(self, change, message):
    with self.assertRaisesRegex(UserError, message):
      sid_index.read(self._file(GOOD | change), ('10', '7'))

  def test_missing_items_are_named(self):
    ids = ('10', '7', '1', '2', '3', '4', '5')
    with self.assertRaisesRegex(
      UserError, 'no ID for items 1, 2, 3 and 2 more .* quantise the new items'
    ):
      sid_index.read(self._file(GOOD), ids)

  def test_codes_of_another_space(self):
    with self.assertRaisesRegex(UserError, 'must be below 8: give the index'):
      sid_index.read(self._file(GOOD), ('10', '7'), 8)

  def test_too_many_levels(self):
    with self.assertRaisesRegex(UserError, 'at most 26 levels'):
      sid_index.tokens(range(27))


if __name__ == '__main__':
  absltest.main()
