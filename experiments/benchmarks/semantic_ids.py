"""What semantic IDs cost as a catalogue grows.

Run: python -m experiments.benchmarks.semantic_ids --sizes=4000,40000,400000

Vectors in groups of groups, three levels of 256 codes. Each size in a process
of its own: RQ-KMeans on all items, compilation included, beside plain numpy
with the same number of Lloyd's steps from as many random rows; encoding, once
it is compiled, beside the same in numpy; balanced clusters up to `BALANCED`
items; the seconds of a training step of the autoencoder. Then `--stream` items
are encoded a part at a time, without ever being in memory together. Ratios are
above 1 where ours is faster. Prints a line a size, then one JSON object.
"""

import dataclasses
import json
import subprocess
import sys
import time

from absl import flags
import numpy as np

from experiments import entry
from experiments.benchmarks import memory, saving, semantic_ids_rival, timing
from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import SemanticIdConfig, fit
from taiji_jax.semantic_ids.quantiser import Quantiser

ITERATIONS, BALANCED, STEPS = 20, 10_000, 100
# A catalogue of so many items is timed in one round.
_LARGE, _ROUNDS = 400_000, 3
_LOWEST = 1000

_SIZES = flags.DEFINE_list(
  'sizes', ['4000', '40000', '400000'], 'Items of each catalogue.'
)
_STREAM = flags.DEFINE_integer(
  'stream', 4_000_000, 'Items that are encoded a part at a time; 0 for none.'
)
_WIDTH = flags.DEFINE_integer('width', 128, 'Of the vectors.')
_ONE = flags.DEFINE_bool('one', False, 'Internal: this process measures one.')


@dataclasses.dataclass(frozen=True)
class Repeated:
  """Stands for a file of many vectors: the rows of a block, again and again.

  Attributes:
    block_nd: float32.
    items: how many there seem to be.
  """

  block_nd: np.ndarray
  items: int

  @property
  def shape(self) -> tuple[int, int]:
    """Returns the shape of the file."""
    return self.items, self.block_nd.shape[1]

  def __len__(self) -> int:
    return self.items

  def __getitem__(self, part: slice) -> np.ndarray:
    """Returns a part of the rows."""
    start, stop, _ = part.indices(self.items)
    return self.block_nd[np.arange(start, stop) % len(self.block_nd)]


def main() -> None:
  """Measures each size in a process of its own, or is one of them."""
  sizes = [_size(text) for text in _SIZES.value]
  if _WIDTH.value < 1 or _STREAM.value < 0:
    raise UserError(
      f'--width is {_WIDTH.value} and --stream {_STREAM.value}; give at least 1'
      ' and 0.'
    )
  if _ONE.value:
    print(json.dumps(measure(sizes[0], _WIDTH.value, _STREAM.value)))
    return
  found = []
  for size in sizes:
    # The largest catalogue's quantiser encodes the stream.
    found.append(_in_process(size, _STREAM.value if size == max(sizes) else 0))
    print(f'{size:,}: {found[-1]}', flush=True)
  saving.tell({'width': _WIDTH.value, 'sizes': found}, 'numpy', 'scipy')


def _size(text: str) -> int:
  if not text.isdigit() or int(text) < _LOWEST:
    raise UserError(
      f'--sizes holds {text!r}; give numbers from {_LOWEST:,} on.'
    )
  return int(text)


def measure(items: int, width: int, stream: int) -> dict[str, float]:
  """Returns what a catalogue takes.

  Args:
    items: of it.
    width: of their vectors.
    stream: items that are encoded a part at a time; 0 for none.
  """
  vector_nd = semantic_ids_rival.made(items, width)
  made_mib = memory.peak_mib()
  config = SemanticIdConfig(
    start='random', iterations=ITERATIONS, tolerance=0.0, fit_rows=0
  )
  begin = time.perf_counter()
  fitted = fit(vector_nd, config)
  fit_seconds = time.perf_counter() - begin
  begin = time.perf_counter()
  codebook_lkd = semantic_ids_rival.fit(
    vector_nd, config.levels, config.codes, ITERATIONS
  )
  numpy_seconds = time.perf_counter() - begin
  quantiser = fitted.quantiser
  wrong = vector_nd - quantiser.decode(fitted.code_nl)
  found = {
    'items': items,
    'fit_seconds': round(fit_seconds, 2),
    'fit_numpy_seconds': round(numpy_seconds, 2),
    'fit_against_numpy': round(numpy_seconds / fit_seconds, 2),
    'error': round(float((wrong**2).mean() / vector_nd.var(0).mean()), 4),
    'error_numpy': round(
      semantic_ids_rival.error(
        vector_nd,
        semantic_ids_rival.encode(vector_nd, codebook_lkd),
        codebook_lkd,
      ),
      4,
    ),
    'made_mib': round(made_mib),
    'fitted_mib': round(memory.peak_mib()),
  }
  found |= _encoding(quantiser, vector_nd, codebook_lkd)
  if items <= BALANCED:
    begin = time.perf_counter()
    fit(vector_nd, dataclasses.replace(config, method='balanced'))
    found['balanced_seconds'] = round(time.perf_counter() - begin, 2)
  found['rq_vae_step_seconds'] = _step_seconds(vector_nd, config)
  if stream:
    found |= _streaming(quantiser, vector_nd[: 1 << 16], stream)
  return found


def _encoding(
  quantiser: Quantiser, vector_nd: np.ndarray, codebook_lkd: np.ndarray
) -> dict[str, float]:
  """Returns the seconds of encoding all items, ours and numpy's in turn."""
  seconds = timing.interleave(
    {
      'ours': lambda: quantiser.encode(vector_nd),
      'numpy': lambda: semantic_ids_rival.encode(vector_nd, codebook_lkd),
    },
    1 if len(vector_nd) >= _LARGE else _ROUNDS,
  )
  return {
    'encode_seconds': round(float(np.median(seconds['ours'])), 3),
    'encode_against_numpy': round(
      timing.ratio(seconds['numpy'], seconds['ours']), 2
    ),
  }


def _step_seconds(vector_nd: np.ndarray, config: SemanticIdConfig) -> float:
  """Returns the seconds of a training step, compilation left out.

  A long training less a short one: both compile.
  """
  seconds = []
  for steps in (STEPS // 2, STEPS + STEPS // 2):
    begin = time.perf_counter()
    fit(
      vector_nd[: 1 << 14],
      dataclasses.replace(
        config, method='rq_vae', steps=steps, check_every=10 * STEPS
      ),
    )
    seconds.append(time.perf_counter() - begin)
  return round((seconds[1] - seconds[0]) / STEPS, 4)


def _streaming(
  quantiser: Quantiser, block_nd: np.ndarray, items: int
) -> dict[str, float]:
  """Returns what encoding takes of more items than are ever in memory."""
  memory.forget_peak()
  before = memory.peak_mib()
  begin = time.perf_counter()
  quantiser.encode(Repeated(block_nd, items))
  seconds = time.perf_counter() - begin
  return {
    'stream_items': items,
    'stream_seconds': round(seconds, 2),
    'stream_items_per_second': round(items / seconds),
    'stream_more_mib': round(memory.peak_mib() - before),
  }


def _in_process(size: int, stream: int) -> dict[str, float]:
  command = (
    *(sys.executable, '-m', 'experiments.benchmarks.semantic_ids'),
    *(f'--sizes={size}', f'--stream={stream}', f'--width={_WIDTH.value}'),
    '--one',
  )
  done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    raise UserError(f'{" ".join(command)} failed; its reason is above.')
  return json.loads(done.stdout.splitlines()[-1])


if __name__ == '__main__':
  entry.run(main)
