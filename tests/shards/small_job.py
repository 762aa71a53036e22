"""A small job for tests; as a program, the same job killed again and again.

python small_job.py FOLDER: see `main`.
"""

from collections.abc import Iterator
import hashlib
import inspect
import json
import os
import pathlib
import signal
import sys

import numpy as np

from taiji_jax import files
from taiji_jax.cot.record import CODEC, KEPT, PREFIX, CotRecord
from taiji_jax.shards import dataset, job, shard

ROWS, SHARD_ROWS, SAMPLES = 23, 4, 3
SHORT = 7  # Rows of the job that is killed: two shards.
WATCHED = tuple(map(inspect.getfile, (job, shard, dataset, job.JobSpec, files)))


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
    'codec': CODEC,
    'prefix': PREFIX,
    'kept': KEPT,
  }
  return job.JobSpec(folder, **(fields | changes))


def contents(folder: pathlib.Path) -> dict[str, str]:
  """Returns name -> hash of the bytes of what a job leaves, but its locks."""
  return {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
    for path in folder.iterdir()
    if path.suffix != '.lock'
  }


def traced_run(folder: pathlib.Path, kill_at: int = -1) -> list[tuple]:
  """Returns which lines of the job's code were run, (file, number), in order.

  Kills the process before the line at index `kill_at` of them.
  """
  lines = []

  def trace(frame, event, arg):
    del arg
    if frame.f_code.co_filename not in WATCHED:
      return None
    if event == 'line':
      if len(lines) == kill_at:
        signal.raise_signal(signal.SIGKILL)
      lines.append((frame.f_code.co_filename, frame.f_lineno))
    return trace

  sys.settrace(trace)
  try:
    job.run(spec(folder, rows=SHORT), work)
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


def main(folder: str) -> None:
  """Leaves a whole run, and many that were killed, every fourth one twice.

  Each line of the job's code has its own, killed at a random one of the times
  that it is run. Prints the names of their folders.
  """
  root, rng = pathlib.Path(folder), np.random.default_rng(0)
  lines = traced_run(root / 'whole')
  names = []
  for number, line in enumerate(sorted(set(lines))):
    points = [i for i, other in enumerate(lines) if other == line]
    point = int(rng.choice(points))
    names.append(f'{pathlib.Path(line[0]).stem}_{line[1]}_{point}')
    if not killed_run(root / names[-1], point):
      raise RuntimeError(f'{names[-1]} was never reached')
    if number % 4 == 0:
      killed_run(root / names[-1], int(rng.integers(len(lines))))
  print(json.dumps(names))


if __name__ == '__main__':
  main(*sys.argv[1:])
