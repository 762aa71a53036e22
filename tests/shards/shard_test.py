import json
import pathlib
import pickle
import resource
import shutil

from absl.testing import absltest, parameterized
from array_record.python import array_record_module
import grain

from taiji_jax import files
from taiji_jax.cot.record import CODEC
from taiji_jax.errors import UserError
from taiji_jax.shards import dataset, job, notes
from tests.shards.small_job import contents, everything, spec, work

SECOND = 'cot-00001-of-00006'


def flip(path: pathlib.Path) -> None:
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def shorten(path: pathlib.Path) -> None:
  path.write_bytes(path.read_bytes()[:-1])


class ShardsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = pathlib.Path(absltest.TEST_TMPDIR.value) / 'made'
    shutil.rmtree(cls.made, ignore_errors=True)
    job.run(spec(cls.made), work)

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'copy'
    shutil.copytree(self.made, self.folder)
    self.second = self.folder / f'{SECOND}.array_record'

  @parameterized.parameters(flip, shorten)
  def test_a_damaged_shard_is_named(self, damage):
    damage(self.second)
    said = f'{SECOND}.array_record is damaged.*[Dd]elete it'
    with self.assertRaisesRegex(UserError, said):
      list(dataset.read(self.folder, CODEC))
    with self.assertRaisesRegex(UserError, said):
      dataset.Source(self.folder, CODEC)
    with self.assertRaisesRegex(UserError, said):
      job.run(spec(self.folder), work)

  @parameterized.parameters(flip, shorten)
  def test_the_remedy_helps(self, damage):
    damage(self.second)
    self.second.unlink()
    with self.assertRaisesRegex(UserError, SECOND):
      list(dataset.read(self.folder, CODEC))
    job.run(spec(self.folder), work)
    self.assertEqual(contents(self.folder), contents(self.made))

  @parameterized.parameters(shorten, lambda path: path.write_bytes(b''))
  def test_damage_that_no_hash_was_asked_to_find(self, damage):
    damage(self.second)
    with self.assertRaisesRegex(UserError, SECOND):
      list(dataset.read(self.folder, CODEC, verify=False))

  @parameterized.parameters('', '[]', '{"sha256": 1')
  def test_a_note_that_is_none(self, text: str):
    (self.folder / f'{SECOND}.json').write_text(text)
    with self.assertRaisesRegex(UserError, f'{SECOND}.json. can.t be read'):
      job.run(spec(self.folder), work)

  @parameterized.parameters('', '{}', '{"shards": [{}]}')
  def test_a_manifest_that_is_none(self, text: str):
    (self.folder / 'manifest.json').write_text(text)
    with self.assertRaisesRegex(UserError, 'manifest.json.* run the job again'):
      list(dataset.read(self.folder, CODEC))
    job.run(spec(self.folder), work)
    self.assertEqual(contents(self.folder), contents(self.made))

  def change_note(self, **changes):
    path = self.folder / f'{SECOND}.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

  @parameterized.parameters(
    ({'file': '../cot-00001-of-00006.array_record'}, 'says file'),
    ({'file': '/etc/passwd'}, 'says file'),
    ({'file': '.array_record'}, 'says file'),
    ({'file': 7}, 'says file 7'),
    ({'file': 'cot\n-00001-of-00006.array_record'}, 'says file'),
    ({'file': 'cot\x1b[2J.array_record'}, 'says file'),
    ({'file': 'cot-00002-of-00006.array_record'}, 'is not of this shard'),
    ({'first_row': 5}, 'is not of this shard: it tells of 4 rows from 5'),
    ({'rows': 5}, 'is not of this shard'),
    ({'rows': -4}, 'says rows -4'),
    ({'rows': 4.0}, 'says rows 4.0'),
    ({'records': True}, 'says records True'),
    ({'records': 10}, 'holds 9 records and its note says 10'),
    ({'records': 10**300}, 'says records 1000'),
    ({'bytes': '7'}, "says bytes '7'"),
    ({'kept': 10}, 'says that 10 of 9 records are kept'),
    ({'sha256': 'A' * 64}, 'says sha256'),
    ({'sha256': 'a' * 63}, 'says sha256'),
  )
  def test_a_note_that_says_what_can_t_be(self, changes, said):
    self.change_note(**changes)
    with self.assertRaisesRegex(UserError, said):
      job.run(spec(self.folder), work)

  def test_no_number_is_too_large_for_a_note(self):
    values = json.loads((self.folder / f'{SECOND}.json').read_text())
    self.assertEqual(
      notes.shard_of(self.folder, values | {'bytes': 2**53}).bytes, 2**53
    )
    with self.assertRaisesRegex(UserError, 'says bytes'):
      notes.shard_of(self.folder, values | {'bytes': 2**53 + 1})
    self.assertEqual(notes.shard_of(self.folder, values | {'kept': 9}).kept, 9)

  def change_manifest(self, change):
    path = self.folder / 'manifest.json'
    values = json.loads(path.read_text())
    change(values['shards'])
    path.write_text(json.dumps(values))

  @parameterized.parameters(
    (lambda rows: rows[1].update(file='../secret.array_record'), 'says file'),
    (lambda rows: rows.pop(), 'of 20 rows, or .* is of 23 rows'),
    (lambda rows: rows.pop(1), 'from row 8 where row 4 belongs'),
    (lambda rows: rows.clear(), 'lists no shards'),
    (lambda rows: rows.insert(1, 'a'), "says 'a' where a shard belongs"),
    (lambda rows: rows.insert(1, None), 'says None where a shard belongs'),
    (lambda rows: rows.reverse(), 'from row 20 where row 0'),
    (lambda rows: rows[1].update(file=rows[0]['file']), 'one of them twice'),
    (lambda rows: rows[1].update(records=10), 'its note says 10'),
  )
  def test_a_manifest_that_says_what_can_t_be(self, change, said):
    self.change_manifest(change)
    with self.assertRaisesRegex(UserError, said):
      list(dataset.read(self.folder, CODEC))

  def test_no_shards_of_no_rows(self):
    path = self.folder / 'manifest.json'
    empty = json.loads(path.read_text()) | {'shards': [], 'rows_in_all': 0}
    path.write_text(json.dumps(empty))
    for read in (lambda *a: list(dataset.read(*a)), dataset.Source):
      with self.assertRaisesRegex(UserError, 'lists no shards'):
        read(self.folder, CODEC)

  def test_no_records_in_any_shard(self):
    self.change_manifest(
      lambda rows: [one.update(records=0, kept=0) for one in rows]
    )
    for read in (lambda *a: list(dataset.read(*a)), dataset.Source):
      with self.assertRaisesRegex(UserError, 'no record'):
        read(self.folder, CODEC)

  def test_a_count_is_compared_without_a_hash_too(self):
    self.change_manifest(lambda rows: rows[1].update(records=10))
    with self.assertRaisesRegex(UserError, 'its note says 10'):
      list(dataset.read(self.folder, CODEC, verify=False))
    with self.assertRaisesRegex(UserError, 'its manifest.json says'):
      dataset.Source(self.folder, CODEC, verify=False)

  def test_what_differs_is_told_in_a_line(self):
    self.change_note(provenance={'teacher': {'name': 'x' * 9999, 'seed': 3}})
    with self.assertRaisesRegex(UserError, 'teacher.name is .xxx') as caught:
      job.run(spec(self.folder), work)
    self.assertLess(len(str(caught.exception)), 500)

  def test_deep_json_is_refused_by_name(self):
    (self.folder / f'{SECOND}.json').write_text('{"a": ' + '[' * 100_000)
    with self.assertRaisesRegex(UserError, f'{SECOND}.json.*nested too deep'):
      job.run(spec(self.folder), work)
    with self.assertRaisesRegex(ValueError, 'nested too deep'):
      CODEC.decode(b'[' * 100_000)

  def test_another_version_of_the_records(self):
    path = self.folder / 'manifest.json'
    values = json.loads(path.read_text())
    values['schema']['version'] += 1
    path.write_text(json.dumps(values))
    with self.assertRaisesRegex(UserError, 'another version'):
      dataset.Source(self.folder, CODEC)

  def test_a_record_of_another_schema(self):
    writer = array_record_module.ArrayRecordWriter(str(self.second))
    writer.write(b'{"row": 1}')
    writer.close()
    with self.assertRaisesRegex(UserError, f'{SECOND}.*another schema'):
      list(dataset.read(self.folder, CODEC, verify=False))

  def test_the_manifest_says_what_there_is(self):
    values = json.loads((self.folder / 'manifest.json').read_text())
    self.assertEqual(values['schema'], CODEC.schema())
    self.assertEqual(values['provenance'], spec(self.folder).provenance)
    self.assertEqual(values['records'], len(everything()))
    for row in values['shards']:
      path = self.folder / row['file']
      self.assertEqual(row['sha256'], files.sha256(path))
      self.assertEqual(row['bytes'], path.stat().st_size)

  def test_random_access(self):
    source = dataset.Source(self.folder, CODEC)
    wanted = everything()
    self.assertLen(source, len(wanted))
    self.assertEqual([source[i] for i in range(len(wanted))], wanted)
    with self.assertRaises(IndexError):
      source[len(wanted)]
    self.assertEqual(pickle.loads(pickle.dumps(source))[7], wanted[7])

  def test_as_a_source_of_grain(self):
    data = grain.MapDataset.source(dataset.Source(self.folder, CODEC)).shuffle(
      seed=1
    )
    self.assertCountEqual(list(data), everything())

  def test_a_full_disk(self):
    # No file of this process may grow beyond a byte.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = self.folder.with_name('full')
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
      with self.assertRaisesRegex(UserError, 'cot-00000.* cannot be written'):
        job.run(spec(folder), work)
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    job.run(spec(folder), work)
    self.assertEqual(contents(folder), contents(self.made))


if __name__ == '__main__':
  absltest.main()
