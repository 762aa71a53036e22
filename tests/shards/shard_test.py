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
from taiji_jax.shards import dataset, job
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
