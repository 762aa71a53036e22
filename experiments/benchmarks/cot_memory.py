"""Memory of the CoT data job against the number of examples.

Run: python -m experiments.benchmarks.cot_memory --examples=10000,100000,1000000

Made-up users with 20 items each, three template-like texts a prompt, drawn
perplexities, and ORFT's rule on them: what the job itself costs, without a
model. Each size is written, then read to the end, each in a process of its own
whose peak resident memory is taken from the kernel; a job of one shard is the
base. Prints a Markdown table; cot_memory.json and .png go to --workdir.
"""

from collections.abc import Iterator, Mapping, Sequence
import json
import pathlib
import shutil
import subprocess
import sys
import time

from absl import flags
import numpy as np

from experiments import entry
from experiments.benchmarks import memory, memory_plot, saving
from taiji_jax.cot import orft
from taiji_jax.cot.record import CODEC, KEPT, PREFIX, CotRecord
from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.evaluate import plots
from taiji_jax.shards import dataset, job
from taiji_jax.types import Catalog

SAMPLES, HISTORY, ITEMS, SHARD_ROWS, BOUND = 3, 20, 2000, 1000, 2.0
BASE = SAMPLES * SHARD_ROWS
_WORDS = ('Solar', 'Kit', 'Lab', 'Glass', 'Clear', 'Steel', 'Pack', 'Digital')

_EXAMPLES = flags.DEFINE_list(
  'examples', ['10000', '100000', '1000000'], 'Sizes, in examples.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/cot_memory', 'Where the results go, and shards for a while.'
)
_PART = flags.DEFINE_enum(
  'part', None, ['write', 'read'], 'Internal: what this process measures.'
)


class SyntheticWork:
  """The rows of a block to made-up records; each depends on its row alone."""

  def __init__(self):
    rng = np.random.default_rng(0)
    self._catalog = Catalog(
      tuple(str(n) for n in range(ITEMS)),
      tuple(f'{" ".join(rng.choice(_WORDS, 6))} {n}' for n in range(ITEMS)),
      tuple(
        (f'Group {n % 9}', f'Part {n % 40}', f'Kind {n % 200}')
        for n in range(ITEMS)
      ),
    )
    self._prompt = prompts.PromptConfig(profile_fields=('age',))

  def __call__(self, rows: range) -> Iterator[CotRecord]:
    for row in rows:
      yield from self._records(row)

  def _records(self, row: int) -> Iterator[CotRecord]:
    rng = np.random.default_rng((1, row))
    target, *history = rng.integers(0, ITEMS, 1 + HISTORY).tolist()
    prompt = prompts.prompt(
      {'age': str(18 + row % 60)}, history, self._catalog, self._prompt
    )
    ppl_k = 1 + rng.exponential(size=SAMPLES)
    gain_k = rng.normal(size=SAMPLES)
    kept_k = orft.keep('ppl', ppl_k[None], gain_k[None], BOUND)[0]
    for sample in range(SAMPLES):
      kept = bool(kept_k[sample])
      title = self._catalog.titles[history[sample]]
      path = self._catalog.categories[target]
      yield CotRecord(
        row=row,
        sample=sample,
        user=f'u{row}',
        target=str(target),
        prompt=prompt,
        think=f'Recent: {path[-1]}. Fans of {title} pick {path[1]}.',
        answer=prompts.item_text(self._catalog, target),
        teacher='synthetic',
        prompt_version='',
        seed=0,
        ppl=float(ppl_k[sample]),
        gain=float(gain_k[sample]),
        kept=kept,
        reason='' if kept else 'ppl',
      )


def main() -> None:
  """Measures each size in processes of their own, or is one of them."""
  workdir = pathlib.Path(_WORKDIR.value)
  sizes = [_size(text) for text in _EXAMPLES.value]
  if _PART.value:
    print(json.dumps(_measure(workdir / 'data', sizes[0], _PART.value)))
    return
  workdir = entry.workdir(_WORKDIR.value, '')
  found = [_in_processes(workdir, size) for size in sorted({BASE, *sizes})]
  print(_markdown(found))
  (workdir / 'cot_memory.json').write_text(json.dumps(found, indent=1) + '\n')
  plots.save(memory_plot.figure(found), workdir / 'cot_memory.png')
  saving.tell(found)


def _size(text: str) -> int:
  if not text.isdigit() or int(text) < 1:
    raise UserError(f'--examples holds {text!r}; give numbers from 1 on.')
  return int(text)


def _measure(
  folder: pathlib.Path, examples: int, part: str
) -> dict[str, float]:
  """Returns what one process took to write or read so many examples."""
  begin = time.perf_counter()
  if part == 'write':
    spec = job.JobSpec(
      folder,
      -(-examples // SAMPLES),
      SHARD_ROWS,
      codec=CODEC,
      prefix=PREFIX,
      kept=KEPT,
    )
    count = job.run(spec, SyntheticWork()).records
  else:
    count = sum(1 for _ in dataset.read(folder, CODEC))
  return {
    'examples': count,
    'seconds': round(time.perf_counter() - begin, 2),
    'peak_mib': round(memory.peak_mib(), 1),
  }


def _in_processes(workdir: pathlib.Path, examples: int) -> dict[str, float]:
  """Returns the figures of writing and of reading one size."""
  data = workdir / 'data'
  shutil.rmtree(data, ignore_errors=True)
  try:
    write, read = (
      _process(workdir, examples, part) for part in ('write', 'read')
    )
    size = sum(path.stat().st_size for path in data.iterdir())
  finally:
    shutil.rmtree(data, ignore_errors=True)
  count = write['examples']
  return {
    'examples': count,
    'write_peak_mib': write['peak_mib'],
    'read_peak_mib': read['peak_mib'],
    'written_per_second': round(count / max(write['seconds'], 0.01)),
    'read_per_second': round(count / max(read['seconds'], 0.01)),
    'disk_mib': round(size / 2**20, 1),
  }


def _process(workdir: pathlib.Path, examples: int, part: str) -> dict:
  command = (
    *(sys.executable, '-m', 'experiments.benchmarks.cot_memory'),
    *(f'--workdir={workdir}', f'--examples={examples}', f'--part={part}'),
  )
  done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    raise UserError(f'{" ".join(command)} failed; its reason is above.')
  return json.loads(done.stdout.splitlines()[-1])


def _markdown(found: Sequence[Mapping[str, float]]) -> str:
  lines = [
    '| examples | peak MiB, writing | peak MiB, reading | examples/s, writing'
    ' | examples/s, reading | MiB on disk |',
    '|---|---|---|---|---|---|',
  ]
  lines += [
    f'| {row["examples"]:,} | {row["write_peak_mib"]:.0f}'
    f' | {row["read_peak_mib"]:.0f} | {row["written_per_second"]:,}'
    f' | {row["read_per_second"]:,} | {row["disk_mib"]:,.0f} |'
    for row in found
  ]
  return '\n'.join(lines)


if __name__ == '__main__':
  entry.run(main)
