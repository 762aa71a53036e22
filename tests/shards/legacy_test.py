"""A data set of version 0.1.0 is read, and goes on, as it was."""

import gzip
import pathlib
import shutil

from absl.testing import absltest

from taiji_jax import shards
from taiji_jax.cot.record import CODEC, KEPT, PREFIX, CotRecord
from taiji_jax.errors import UserError

# See tests/legacy/make_0_1_0.py, which wrote it.
WRITTEN = pathlib.Path(__file__).parents[1] / 'legacy' / 'shards_0_1_0'
TITLES = 'Blue Bench Saw', 'Quiet Drill $5', 'Caf\u00e9 Clamp, 2 inches'
PROVENANCE = {'teacher': {'name': 'template', 'seed': 7}, 'bound': 1.5}


def record(row: int, sample: int) -> CotRecord:
  kept = (row + sample) % 2 == 0
  return CotRecord(
    row=row,
    sample=sample,
    user=f'u{row}',
    target='123'[row % 3],
    prompt=f'User: age {20 + row}\nHistory: "Quiet Drill", \u00e9 \ud800\n',
    think=f'They like tools, {sample}.',
    answer=f'Item title: {TITLES[row % 3]}',
    teacher='template',
    prompt_version='',
    seed=7,
    ppl=1.5 + row + sample / 3 if sample else None,
    gain=-0.125 * row if kept else None,
    kept=kept,
    reason='' if kept else 'ppl',
    leak='title: Blue Bench Saw' if row == 2 else '',
  )


def work(rows: range) -> list[CotRecord]:
  return [record(r, s) for r in rows if r != 3 for s in range(2)]


def unpack(folder: pathlib.Path) -> None:
  shutil.copytree(WRITTEN, folder)
  for path in folder.glob('*.gz'):
    path.with_suffix('').write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()


class LegacyShardsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.root / 'written'
    unpack(self.folder)

  def spec(self, folder: pathlib.Path, **changes) -> shards.JobSpec:
    fields = {'provenance': PROVENANCE, 'codec': CODEC}
    fields |= {'prefix': PREFIX, 'kept': KEPT}
    return shards.JobSpec(folder, 5, 3, **(fields | changes))

  def contents(self, folder: pathlib.Path) -> dict[str, bytes]:
    return {
      path.name: path.read_bytes()
      for path in folder.iterdir()
      if path.suffix != '.lock'
    }

  def test_every_record_is_read(self):
    self.assertEqual(list(shards.read(self.folder, CODEC)), work(range(5)))
    source = shards.Source(self.folder, CODEC)
    self.assertEqual([source[i] for i in range(8)], work(range(5)))

  def test_the_stamp_is_that_of_the_same_job(self):
    found = shards.manifest(self.folder, CODEC)
    self.assertEqual(found.stamp, self.spec(self.folder).stamp)
    self.assertEqual((found.records, found.kept), (8, 4))

  def test_a_job_goes_on(self):
    before = self.contents(self.folder)
    (self.folder / 'manifest.json').unlink()
    (self.folder / 'cot-00001-of-00002.json').unlink()
    made = []
    shards.run(
      self.spec(self.folder), lambda rows: made.append(rows) or work(rows)
    )
    self.assertEqual(made, [range(3, 5)])
    self.assertEqual(list(shards.read(self.folder, CODEC)), work(range(5)))
    after = self.contents(self.folder)
    self.assertEqual(after.keys(), before.keys())
    for name in before:
      if name.startswith('cot-00000'):
        self.assertEqual(after[name], before[name])

  def test_another_job_is_refused(self):
    before = self.contents(self.folder)
    other = PROVENANCE | {'teacher': {'name': 'template', 'seed': 8}}
    with self.assertRaisesRegex(
      UserError,
      'cot-00000-of-00002.json is of another job: provenance.teacher.seed is 7'
      ' there and 8 now. Give a new folder, or delete this one',
    ):
      shards.run(self.spec(self.folder, provenance=other), work)
    self.assertEqual(self.contents(self.folder), before)


if __name__ == '__main__':
  absltest.main()
