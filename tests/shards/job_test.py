import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import weakref

from absl.testing import absltest, parameterized

from taiji_jax import interrupt
from taiji_jax.cot.record import CODEC
from taiji_jax.errors import UserError
from taiji_jax.shards import dataset, job
from taiji_jax.shards.codec import Codec
from tests.shards import small_job
from tests.shards.small_job import contents, spec, work

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 120


class JobTest(parameterized.TestCase):
  def folder(self) -> pathlib.Path:
    return pathlib.Path(self.create_tempdir().full_path)

  def whole(self) -> dict[str, str]:
    folder = self.folder()
    job.run(spec(folder), work)
    return contents(folder)

  def test_makes_every_record_once_in_order(self):
    folder = self.folder()
    manifest = job.run(spec(folder), work)
    wanted = small_job.everything()
    self.assertEqual(list(dataset.read(folder, CODEC)), wanted)
    self.assertEqual(manifest.records, len(wanted))
    self.assertEqual(manifest.kept, sum(r.kept for r in wanted))
    # 23 rows by 4: five shards of 4 and one of 3.
    self.assertEqual([s.rows for s in manifest.shards], [4, 4, 4, 4, 4, 3])
    self.assertEqual(dataset.manifest(folder, CODEC), manifest)

  def test_a_job_without_any_record_is_refused(self):
    folder = self.folder()
    for _ in range(2):
      with self.assertRaisesRegex(UserError, 'no record of its 23 rows'):
        job.run(spec(folder), lambda rows: [])
      with self.assertRaisesRegex(UserError, 'has not finished'):
        dataset.manifest(folder, CODEC)
    folder = self.folder()
    made = job.run(spec(folder), lambda rows: work(rows) if 22 in rows else [])
    self.assertEqual(made.records, 6)

  def test_killed_anywhere_it_goes_on_to_the_same_bytes(self):
    folder = self.folder()
    process = subprocess.run(
      (sys.executable, small_job.__file__, str(folder)),
      env=os.environ | {'PYTHONPATH': str(ROOT)},
      capture_output=True,
      text=True,
      timeout=SECONDS,
    )
    self.assertEqual(process.returncode, 0, process.stderr[-2000:])
    whole = contents(folder / 'whole')
    left = set()
    for name in json.loads(process.stdout):
      there = folder / name
      left.add(frozenset(contents(there)) if there.exists() else None)
      job.run(spec(there, rows=small_job.SHORT), work)
      self.assertEqual(contents(there), whole, name)
    # They were killed at really different places.
    self.assertGreater(len(left), 5)

  @parameterized.parameters((2, (0, 1)), (2, (1, 0)), (4, (3, 1, 0, 2)))
  def test_hosts_together_make_what_one_makes(self, hosts, order):
    folder = self.folder()
    for host in order[:-1]:
      self.assertIsNone(job.run(spec(folder, host=host, hosts=hosts), work))
      with self.assertRaisesRegex(UserError, 'has not finished'):
        dataset.manifest(folder, CODEC)
    self.assertIsNotNone(
      job.run(spec(folder, host=order[-1], hosts=hosts), work)
    )
    self.assertEqual(contents(folder), self.whole())

  def test_another_number_of_hosts_goes_on(self):
    folder = self.folder()
    job.run(spec(folder, host=1, hosts=3), work)
    job.run(spec(folder), work)
    self.assertEqual(contents(folder), self.whole())

  def test_what_stands_is_not_made_again(self):
    folder, asked = self.folder(), []

    def note(rows: range):
      asked.append(rows)
      return work(rows)

    job.run(spec(folder, host=0, hosts=2), note)
    job.run(spec(folder), note)
    job.run(spec(folder), note)
    self.assertEqual(
      sorted(asked, key=lambda rows: rows.start),
      [range(i, min(i + 4, 23)) for i in range(0, 23, 4)],
    )

  @parameterized.parameters(signal.SIGTERM, signal.SIGINT)
  def test_a_signal_ends_it_between_shards(self, number):
    folder = self.folder()

    def told_to_stop(rows: range):
      for record in work(rows):
        if (record.row, record.sample) == (6, 1):
          signal.raise_signal(number)
        yield record

    with self.assertRaises(interrupt.Interrupted) as caught:
      job.run(spec(folder), told_to_stop)
    self.assertEqual(caught.exception.signal_number, number)
    # The second block, rows 4 to 7, was finished, and no other begun.
    self.assertLen(list(folder.glob('*.array_record')), 2)
    self.assertEmpty(list(folder.glob('*.part')))
    job.run(spec(folder), work)
    self.assertEqual(contents(folder), self.whole())

  def test_a_signal_that_the_work_heeds_ends_it_within_a_shard(self):
    folder, seen = self.folder(), []

    def heeding(rows: range):
      with interrupt.deferred() as stop:
        for record in work(rows):
          if stop:
            raise interrupt.Interrupted(stop.signal_number, 'a record')
          seen.append(record)
          if len(seen) == 14:
            signal.raise_signal(signal.SIGTERM)
          yield record

    with self.assertRaisesRegex(interrupt.Interrupted, 'a record'):
      job.run(spec(folder), heeding)
    self.assertLen(seen, 14)
    self.assertEmpty(list(folder.glob('*.part')))
    job.run(spec(folder), work)
    self.assertEqual(contents(folder), self.whole())

  def test_leftovers_of_a_killed_run_are_removed_and_no_other(self):
    folder = self.folder()
    own = [
      'cot-00002-of-00006.array_record.host-1.part',
      'cot-00003-of-00006.json.host-1.part',
      'manifest.json.host-1.part',
    ]
    another_host = 'cot-00000-of-00006.array_record.host-0.part'
    theirs = [
      'cot-notes.part',
      'cot-1.host-1.part',
      'cot-00002-of-00006.array_record.host-1',
      'cot-00002-of-00006.txt.host-1.part',
      'my-cot-00002-of-00006.json.host-1.part',
      'notes.json.host-1.part',
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*own, another_host, *theirs):
      (folder / name).write_text('x')
    left = []

    def look(rows: range):
      left.append({path.name for path in folder.iterdir()})
      return work(rows)

    job.run(spec(folder, host=1, hosts=2), look)
    self.assertNoCommonElements(own, left[0])
    self.assertContainsSubset([another_host, *theirs], left[0])
    # Once all is finished nobody writes: the others' are removed as well.
    job.run(spec(folder, host=0, hosts=2), work)
    names = {path.name for path in folder.iterdir()}
    self.assertNoCommonElements([*own, another_host], names)
    self.assertContainsSubset(theirs, names)

  def test_a_failure_is_handed_on_and_mended(self):
    folder = self.folder()

    def fail(rows: range):
      yield from work(range(rows.start, rows.start + 2))
      raise KeyError('the teacher is gone')

    with self.assertRaisesRegex(KeyError, 'the teacher is gone'):
      job.run(spec(folder), fail)
    job.run(spec(folder), work)
    self.assertEqual(contents(folder), self.whole())

  @parameterized.parameters(
    (lambda r: [r[1], r[0]],),
    (lambda r: [r[0], r[0]],),
    (lambda r: [dataclasses.replace(r[0], row=22)],),
    (lambda r: [dataclasses.replace(r[0], sample=-1)],),
  )
  def test_refuses_what_is_out_of_order(self, change):
    with self.assertRaisesRegex(ValueError, 'order of'):
      job.run(spec(self.folder()), lambda rows: change(list(work(rows))))

  def test_holds_one_record_at_a_time(self):
    alive, most = weakref.WeakSet(), []

    def watched(rows: range):
      for row in rows:
        record = small_job.record(row, 0)
        alive.add(record)
        most.append(len(alive))
        yield record

    job.run(spec(self.folder(), shard_rows=23), watched)
    self.assertLessEqual(max(most), 3)

  @parameterized.parameters(
    ({'provenance': {'teacher': {'name': 'template', 'seed': 4}}}, 'seed is 3'),
    ({'rows': 24}, 'rows_in_all is 23'),
    ({'shard_rows': 5}, 'shard_rows is 4'),
  )
  def test_another_job_in_the_folder(self, changes: dict, said: str):
    folder = self.folder()
    job.run(spec(folder), work)
    before = contents(folder)
    with self.assertRaisesRegex(UserError, f'another job.*{said}'):
      job.run(spec(folder, **changes), work)
    self.assertEqual(contents(folder), before)

  def test_two_writers_of_one_host(self):
    folder = self.folder()

    def second(rows: range):
      with self.assertRaisesRegex(UserError, 'is host 0 of .* already'):
        job.run(spec(folder), work)
      job.run(spec(folder, host=1, hosts=2), work)
      return work(rows)

    job.run(spec(folder), second)
    self.assertEqual(contents(folder), self.whole())

  @parameterized.parameters(
    {'rows': 0}, {'shard_rows': 0}, {'hosts': 0}, {'host': 1}, {'host': -1}
  )
  def test_a_field_out_of_range(self, **changes):
    (name,) = changes
    with self.assertRaisesRegex(UserError, f'{name} is'):
      spec(self.folder(), **changes)

  def test_a_folder_that_is_a_file(self):
    path = self.folder() / 'file'
    path.touch()
    with self.assertRaisesRegex(UserError, "can't make .*file"):
      job.run(spec(path), work)

  def test_other_records_under_another_name(self):
    @dataclasses.dataclass(frozen=True)
    class Square:
      number: int
      square: float

    def squares(rows: range):
      return [Square(n, float(n * n)) for n in rows]

    folder, codec = self.folder(), Codec(Square)
    fields = {'codec': codec, 'prefix': 'squares', 'place': ('number',)}
    squares_of = job.JobSpec(folder, 5, 2, **fields)
    manifest = job.run(squares_of, squares)
    self.assertEqual(list(dataset.read(folder, codec)), squares(range(5)))
    # All count as kept where nothing else is said.
    self.assertEqual((manifest.records, manifest.kept), (5, 5))
    self.assertEqual(manifest.shards[2].file[:14], 'squares-00002-')
    with self.assertRaisesRegex(UserError, 'another version'):
      dataset.manifest(folder, CODEC)
    with self.assertRaisesRegex(UserError, 'schema.version is 1 there'):
      job.prepare(dataclasses.replace(squares_of, codec=Codec(Square, 2)))
    with self.assertRaisesRegex(ValueError, 'order of .number.'):
      job.run(
        dataclasses.replace(squares_of, folder=self.folder()),
        lambda rows: squares(rows)[::-1],
      )


if __name__ == '__main__':
  absltest.main()
