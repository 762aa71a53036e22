import json
import logging
import pathlib
from unittest import mock

from absl.testing import absltest
import numpy as np

from taiji_jax import metrics
from taiji_jax.errors import UserError


class WriterTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.workdir / 'metrics.jsonl'

  def write(self, stage, first, last):
    writer = metrics.Writer(self.workdir)
    writer.begin(stage, first)
    for step in range(first + 1, last + 1):
      writer.write(stage, step, {'loss': 1 / step})
    writer.close()

  def steps(self, stage):
    rows = metrics.Writer(self.workdir).rows()
    return [r['step'] for r in rows if r['stage'] == stage]

  def test_one_object_a_line(self):
    self.write('sft', 0, 2)
    lines = self.path.read_text().splitlines()
    self.assertEqual(
      [json.loads(line) for line in lines],
      [
        {'stage': 'sft', 'step': 1, 'loss': 1.0},
        {'stage': 'sft', 'step': 2, 'loss': 0.5},
      ],
    )
    self.assertNotEmpty(list((self.workdir / 'tensorboard/sft').iterdir()))

  def test_each_row_is_on_disk_at_once(self):
    writer = metrics.Writer(self.workdir)
    writer.begin('sft', 0)
    writer.write('sft', 1, {'loss': 2.0})
    self.assertEqual(self.steps('sft'), [1])
    writer.close()

  def test_later_rows_of_that_stage_are_dropped(self):
    self.write('sft', 0, 5)
    self.write('rl', 0, 4)
    self.write('sft', 3, 4)
    self.assertEqual(self.steps('sft'), [1, 2, 3, 4])
    self.assertEqual(self.steps('rl'), [1, 2, 3, 4])

  def test_a_bad_byte_before_the_last_line_is_named(self):
    self.write('sft', 0, 28)
    text = self.path.read_bytes()
    lines = text.splitlines(keepends=True)
    self.path.write_bytes(
      b''.join([*lines[:11], b'\xff' + lines[11][1:], *lines[12:]])
    )
    writer = metrics.Writer(self.workdir)
    for use in (writer.rows, lambda: writer.begin('rl', 0)):
      with self.assertRaisesRegex(UserError, 'metrics.jsonl:12.*delete that'):
        use()
    # Nothing is lost: without that line all others are there.
    self.path.write_bytes(b''.join([*lines[:11], *lines[12:]]))
    self.assertLen(self.steps('sft'), 27)

  def test_no_row_is_named(self):
    self.write('sft', 0, 3)
    first, _, last = self.path.read_text().splitlines()
    for bad in ('42', 'null', '[]', '{}', last.replace('stage', 'qtage'),
                last.replace('3', '"a"', 1)):  # fmt: skip
      self.path.write_text(f'{first}\n{bad}\n{last}\n')
      with self.assertRaisesRegex(UserError, 'metrics.jsonl:2. is no row of'):
        metrics.Writer(self.workdir).begin('rl', 0)

  def test_a_partial_last_line_is_dropped(self):
    self.write('sft', 0, 3)
    text = self.path.read_text()
    for cut in range(1, len(text.splitlines()[-1])):
      self.path.write_text(text[: -1 - cut])
      self.assertEqual(self.steps('sft'), [1, 2])
    self.write('sft', 2, 3)
    self.assertEqual(self.path.read_text(), text)

  def test_nothing_yet(self):
    self.assertEqual(metrics.Writer(self.workdir).rows(), [])


class ProgressTest(absltest.TestCase):
  def advance(self, seconds, total=9, done=0):
    """Returns what is logged where each step took so many seconds."""
    clock = iter(np.cumsum([0.0, *seconds]))
    with (
      mock.patch.object(metrics.time, 'monotonic', lambda: next(clock)),
      self.assertLogs('taiji_jax', 'INFO') as logs,
    ):
      progress = metrics.Progress('sft', total, done, compiles=True)
      for _ in seconds:
        progress.advance(loss=0.5)
    return [record.getMessage() for record in logs.records]

  def test_compiling_counts_for_no_time(self):
    said = self.advance([300, 11, 11])
    self.assertEqual(
      said,
      [
        'sft: compiling, then 1 of 9',
        'sft 1/9, loss 0.5',
        'sft 2/9, 77 s left, loss 0.5',
        'sft 3/9, 66 s left, loss 0.5',
      ],
    )

  def test_after_a_restart(self):
    said = self.advance([300, 2, 2, 2, 2, 2], done=3)
    self.assertEqual(
      said,
      [
        'sft: compiling, then 4 of 9',
        'sft 4/9, loss 0.5',
        'sft 9/9, 0 s left, loss 0.5',
      ],
    )

  def test_what_is_done_compiles_nothing(self):
    with self.assertNoLogs('taiji_jax', 'INFO'):
      metrics.Progress('sft', 9, 9, compiles=True)
      metrics.Progress('shard', 9)

  def test_plain_lines_are_few_and_tell_the_end(self):
    with self.assertLogs(metrics.LOG, logging.INFO) as logs:
      progress = metrics.Progress('sft', 100, 90)
      for i in range(10):
        progress.advance(1, loss=float(i))
      progress.close()
    (record,) = logs.records
    self.assertRegex(record.getMessage(), 'sft 100/100, 0 s left, loss 9')


if __name__ == '__main__':
  absltest.main()
