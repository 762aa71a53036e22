import importlib
import importlib.util
import pathlib
import sys
from unittest import mock

from absl.testing import absltest

from taiji_jax.cot.record import CODEC
from taiji_jax.errors import UserError
from taiji_jax.shards import dataset, job
from tests.shards import small_job
from tests.shards.small_job import contents, spec, work

HAS_BEAM = importlib.util.find_spec('apache_beam') is not None
MODULE = 'taiji_jax.shards.beam_pipeline'
# In this process, and without the download of another runner, which
# DirectRunner otherwise tries; there are no triggers here.
OPTIONS = (
  '--runner=DirectRunner',
  '--direct_running_mode=in_memory',
  '--allow_unsafe_triggers',
)


def make_broken_work() -> job.Work:
  def broken(rows: range):
    if 9 in rows:
      raise UserError('the teacher has no key; set it.')
    return work(rows)

  return broken


@absltest.skipUnless(HAS_BEAM, 'apache-beam is not installed')
class BeamPipelineTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.run_job = importlib.import_module(MODULE).run
    self.root = pathlib.Path(self.create_tempdir().full_path)

  def whole(self) -> dict[str, str]:
    job.run(spec(self.root / 'whole'), work)
    return contents(self.root / 'whole')

  def test_makes_what_the_job_makes(self):
    folder = self.root / 'beam'
    manifest = self.run_job(spec(folder), small_job.make_work, OPTIONS)
    self.assertEqual(contents(folder), self.whole())
    self.assertEqual(manifest, dataset.manifest(self.root / 'whole', CODEC))

  def test_goes_on_where_another_stopped(self):
    folder = self.root / 'beam'
    job.run(spec(folder, host=1, hosts=2), work)
    (folder / 'cot-00000-of-00006.array_record.other.part').touch()
    with self.assertRaisesRegex(UserError, 'the teacher has no key'):
      self.run_job(spec(folder), make_broken_work, OPTIONS)
    with self.assertRaisesRegex(UserError, 'has not finished'):
      dataset.manifest(folder, CODEC)
    self.run_job(spec(folder), small_job.make_work, OPTIONS)
    self.assertEqual(contents(folder), self.whole())

  def test_another_job_in_the_folder(self):
    job.run(spec(self.root), work)
    with self.assertRaisesRegex(UserError, 'another job'):
      self.run_job(spec(self.root, provenance={}), small_job.make_work, OPTIONS)

  def test_hosts_are_the_runners_matter(self):
    with self.assertRaisesRegex(UserError, 'hosts is 2'):
      self.run_job(spec(self.root, hosts=2), small_job.make_work, OPTIONS)

  def test_through_a_store(self):
    folder, store = self.root / 'got', self.root / 'store'
    with self.assertRaisesRegex(UserError, 'the teacher has no key'):
      self.run_job(spec(folder), make_broken_work, OPTIONS, str(store))
    # What was put there before is not made again.
    stood = {p.name: p.stat().st_mtime_ns for p in store.iterdir()}
    self.assertEmpty(contents(folder))
    manifest = self.run_job(
      spec(folder), small_job.make_work, OPTIONS, str(store)
    )
    self.assertEqual(contents(folder), self.whole())
    self.assertEqual(manifest, dataset.manifest(folder, CODEC))
    for name, time in stood.items():
      self.assertEqual((store / name).stat().st_mtime_ns, time, name)

  def test_a_damaged_store_is_found_when_it_is_fetched(self):
    store = self.root / 'store'
    self.run_job(
      spec(self.root / 'one'), small_job.make_work, OPTIONS, str(store)
    )
    path = store / 'cot-00003-of-00006.array_record'
    path.write_bytes(path.read_bytes()[:-1] + b'?')
    with self.assertRaisesRegex(UserError, '00003.* is damaged'):
      self.run_job(
        spec(self.root / 'two'), small_job.make_work, OPTIONS, str(store)
      )

  def test_another_job_in_the_store(self):
    store = self.root / 'store'
    job.run(spec(store), work)
    with self.assertRaisesRegex(UserError, 'store/cot.* is of another job'):
      self.run_job(
        spec(self.root / 'got', provenance={}),
        small_job.make_work,
        OPTIONS,
        str(store),
      )

  def test_a_store_that_is_none(self):
    with self.assertRaisesRegex(UserError, 'nowhere://bucket.*check the URL'):
      self.run_job(
        spec(self.root / 'got'),
        small_job.make_work,
        OPTIONS,
        'nowhere://bucket',
      )


class WithoutBeamTest(absltest.TestCase):
  def test_the_extra_is_named(self):
    with mock.patch.dict(sys.modules, {'apache_beam': None}):
      sys.modules.pop(MODULE, None)
      with self.assertRaisesRegex(UserError, r'taiji_jax\[beam\]'):
        importlib.import_module(MODULE)


if __name__ == '__main__':
  absltest.main()
