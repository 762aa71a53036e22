import json
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest, parameterized

import taiji_jax
from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.products import Products


class ProductsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.built = []

  def make(self, inputs, text='hello', stage='sft', seconds=None):
    def build(folder, scratch):
      self.built.append(inputs)
      (folder / 'a.txt').write_text(text)
      (folder / 'b.txt').write_text(text * 2)
      return seconds

    return Products(self.root).make(stage, inputs, build)

  def test_made_once(self):
    first = self.make({'lr': 0.1}, seconds=12.5)
    again = self.make({'lr': 0.1})
    self.assertLen(self.built, 1)
    self.assertEqual(first, again)
    self.assertEqual(again.seconds, 12.5)
    self.assertEqual((again.folder / 'a.txt').read_text(), 'hello')
    self.assertLen([p for p in self.root.iterdir() if p.is_dir()], 1)

  def test_another_revision_another_product(self):
    first = self.make({'x': 1})
    second = Products(self.root).make('sft', {'x': 1}, self.fill, revision=2)
    self.assertNotEqual(first.key, second.key)
    record = json.loads((second.folder / 'product.json').read_text())
    self.assertEqual(record['revision'], 2)

  def test_the_version_of_the_package_is_no_part_of_the_key(self):
    first = self.make({'x': 1})
    with absltest.mock.patch.object(taiji_jax, '__version__', '9.9.9'):
      self.assertEqual(self.make({'x': 1}), first)

  def fill(self, folder, scratch):
    (folder / 'a.txt').write_text('x')

  def test_only_opened_it_makes_nothing(self):
    with self.assertRaisesRegex(UserError, 'is not there: that run has not'):
      Products(self.root / 'new', makes=False).make('sft', 1, self.fill)
    self.assertFalse((self.root / 'new').exists())
    made = self.make({'x': 1})
    opened = Products(self.root, makes=False)
    self.assertEqual(opened.make('sft', {'x': 1}, self.fill), made)
    self.assertEqual(opened.seconds, {'sft': made.seconds})

  def test_what_version_0_1_0_left_is_refused_by_name(self):
    for name in ('sft-0123456789abcdef', 'rl-0123456789abcdef.scratch'):
      (self.root / name).mkdir()
    with self.assertRaisesRegex(
      UserError,
      r'0\.1\.0 \(rl-.*sft-.*Move .*away .*same --workdir: the journals.*paid',
    ):
      Products(self.root)

  def test_a_full_disk_at_the_first_product_does_not_look_like_0_1_0(self):
    full = mock.patch.object(files, 'write_json', side_effect=UserError('full'))
    with full, self.assertRaisesRegex(UserError, 'full'):
      Products(self.root).make('sft', {}, lambda *_: None)
    Products(self.root).make('sft', {}, lambda *_: None)

  def test_order_of_keys_does_not_matter(self):
    a = self.make({'x': 1, 'y': [1, 2]})
    b = self.make({'y': [1, 2], 'x': 1})
    self.assertEqual(a.key, b.key)

  @parameterized.parameters(
    ({'x': 1}, {'x': 2}), ({'x': 1}, {'x': 1.5}), ({'x': []}, {'x': [0]})
  )
  def test_another_input_another_product(self, a, b):
    first, second = self.make(a, 'one'), self.make(b, 'two')
    self.assertLen(self.built, 2)
    self.assertNotEqual(first.key, second.key)
    self.assertEqual((first.folder / 'a.txt').read_text(), 'one')
    self.assertEqual((second.folder / 'a.txt').read_text(), 'two')

  def test_another_stage_another_product(self):
    self.make({'x': 1}, stage='sft')
    self.make({'x': 1}, stage='rl')
    self.assertLen(self.built, 2)

  def test_seconds_are_measured(self):
    self.assertGreaterEqual(self.make({}).seconds, 0)

  def damaged(self, change):
    product = self.make({'x': 1})
    change(product.folder)
    with self.assertRaises(UserError) as raised:
      self.make({'x': 1})
    message = str(raised.exception)
    self.assertIn(str(product.folder), message)
    self.assertIn('delete that folder', message)
    self.assertNotIn('\n', message)
    shutil.rmtree(product.folder)
    self.assertEqual(self.make({'x': 1}).key, product.key)
    self.assertLen(self.built, 2)
    return message

  def test_changed_file(self):
    message = self.damaged(lambda f: (f / 'a.txt').write_text('hellO'))
    self.assertIn('a.txt has changed', message)

  def test_missing_file(self):
    message = self.damaged(lambda f: (f / 'b.txt').unlink())
    self.assertIn('b.txt is missing', message)

  @parameterized.parameters('', '{"stage": "sft"', '{}')
  def test_damaged_record(self, text):
    message = self.damaged(lambda f: (f / 'product.json').write_text(text))
    self.assertIn('product.json is missing or unreadable', message)

  def test_stopped_part_is_made_anew_and_scratch_is_kept(self):
    def stopped(folder, scratch):
      (folder / 'half.txt').write_text('half')
      scratch.mkdir()
      (scratch / 'checkpoint').write_text('3')
      raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      Products(self.root).make('sft', {'x': 1}, stopped)

    def goes_on(folder, scratch):
      self.assertEmpty(list(folder.iterdir()))
      self.assertEqual((scratch / 'checkpoint').read_text(), '3')
      (folder / 'a.txt').write_text('whole')

    product = Products(self.root).make('sft', {'x': 1}, goes_on)
    names = sorted(p.name for p in product.folder.iterdir())
    self.assertEqual(names, ['a.txt', 'product.json'])
    self.assertEqual([p.name for p in self.root.glob('[!.]*')],
                     [product.folder.name])  # fmt: skip

  def test_record_says_what_made_it(self):
    product = self.make({'lr': 0.1})
    record = json.loads((product.folder / 'product.json').read_text())
    self.assertEqual(record['stage'], 'sft')
    self.assertEqual(record['inputs'], {'lr': 0.1})


if __name__ == '__main__':
  absltest.main()
