"""A small job for tests; as a program, the same job killed again and again.

python small_job.py FOLDER RUNS: see `main`.
"""

from collections.abc import Iterator
import json
import os
import pathlib
import signal
import sys

import numpy as np

from taiji_jax.cot import dataset, job, shards
from taiji_jax.cot.record import CotRecord

ROWS, SHARD_ROWS, SAMPLES = 23, 4, 3
WATCHED = (job.__file__, shards.__file__, dataset.__file__)


def record(row: int, sample: int) -> CotRecord:
  rng = np.random.default_rng((row, sample))
  ppl = float(1 + rng.exponential())
  kept = ppl < 2
  return CotRecord(
    row=row,
    sample=sample,
    user=f'u{row}',
    target=f'i{row % 7}',
    prompt=f'User: age {row}\nHistory é \ud800 "{rng.integers(1000)}"\n',
    think=f'Recent: drama {sample}.',
    answer='Item title: A (1990)',
    teacher='template',
    prompt_version='',
    seed=3,
    ppl=ppl if sample else None,
    gain=None,
    kept=kept,
    reason='' if kept else 'perplexity',
  )


def work(rows: range) -> Iterator[CotRecord]:
  for row in rows:
    for sample in range(SAMPLES if row % 5 else 0):
      yield record(row, sample)


def make_work() -> job.Work:
  return work


def everything() -> list[CotRecord]:
  return list(work(range(ROWS)))


def spec(folder: pathlib.Path, **changes) -> job.JobSpec:
  fields = {
    'rows': ROWS,
    'shard_rows': SHARD_ROWS,
    'provenance': {'teacher': {'name': 'template', 'seed': 3}},
  }
  return job.JobSpec(folder, **(fields | changes))


def files(folder: pathlib.Path) -> dict[str, bytes]:
  """Returns name -> bytes of what a job leaves, without its locks."""
  return {
    path.name: path.read_bytes()
    for path in folder.iterdir()
    if path.suffix != '.lock'
  }


def traced_run(folder: pathlib.Path, kill_at: int = 0) -> int:
  """Returns how many lines of the job's code were run.

  Kills the process before line number `kill_at` of them.
  """
  lines = 0

  def trace(frame, event, arg):
    del arg
    nonlocal lines
    if frame.f_code.co_filename not in WATCHED:
      return None
    if event == 'line':
      lines += 1
      if lines == kill_at:
        signal.raise_signal(signal.SIGKILL)
    return trace

  sys.settrace(trace)
  try:
    job.run(spec(folder), work)
  finally:
    sys.settrace(None)
  return lines


def killed_run(folder: pathlib.Path, kill_at: int) -> bool:
  """Returns whether a process of its own was killed at that line."""
  child = os.fork()
  if not child:
    traced_run(folder, kill_at)
    os._exit(0)
  return os.waitpid(child, 0)[1] == signal.SIGKILL


def main(folder: str, runs: str) -> None:
  """Leaves a whole run, and `runs` more that were killed once or twice.

  Prints the numbers of lines: of a whole run, and where they were killed.
  """
  root, rng = pathlib.Path(folder), np.random.default_rng(0)
  lines = traced_run(root / 'whole')
  points = []
  for run in range(int(runs)):
    point = int(rng.integers(1, lines + 1))
    if not killed_run(root / str(run), point):
      raise RuntimeError(f'line {point} of {lines} was never reached')
    points.append(point)
    if run % 2:
      killed_run(root / str(run), int(rng.integers(1, lines + 1)))
  print(json.dumps([lines, points]))


if __name__ == '__main__':
  main(*sys.argv[1:])
