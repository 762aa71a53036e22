"""What the retriever costs by users and items, on made logs of any size.

Run: python -m experiments.benchmarks.retrieve --sizes=10000,100000,1000000

As many users as items, seven clicks each (`retrieve_log`). Each size, in a
process of its own: counts of the whole log but the last clicks, beside the
same by sums of scipy.sparse matrices; weights fitted on 1,000 rows, compilation
included; lists of ten with the one answer, once it is compiled, beside numpy
that scores every item of every row. Ratios are of calls in turn, above 1 where
ours is faster. Neighbours by title, out of made vectors, only up to `TITLES`
items: finding them is quadratic in the items. Prints a line a size, then one
JSON object; a million users take some minutes and 4 GiB.
"""

import json
import subprocess
import sys
import time

from absl import flags
import numpy as np

from experiments import entry
from experiments.benchmarks import (
  memory,
  retrieve_log,
  retrieve_rival,
  saving,
  timing,
)
from taiji_jax.errors import UserError
from taiji_jax.retrieve import counts, features, neighbours
from taiji_jax.retrieve.config import RetrieveConfig
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.retriever import Retriever
from taiji_jax.types import Catalog, Log, Rows

FITTED, TIMED, FEW, MANY, LISTED = 1000, 2048, 1024, 8192, 10
TITLES, _WIDTH = 10_000, 16
# Scores that numpy makes a round, of at least and at most so many rows.
_SCORES, _LEAST, _MOST = 2_560_000, 16, 256
# A log of so many users is timed in one round.
_LARGE, _ROUNDS = 1_000_000, 3
_LOWEST = 1000

_SIZES = flags.DEFINE_list(
  'sizes', ['10000', '100000', '1000000'], 'Users, and items, of each log.'
)
_ONE = flags.DEFINE_bool('one', False, 'Internal: this process measures one.')


def main() -> None:
  """Measures each size in a process of its own, or is one of them."""
  sizes = [_size(text) for text in _SIZES.value]
  if _ONE.value:
    print(json.dumps(measure(sizes[0])))
    return
  found = []
  for size in sizes:
    found.append(_in_process(size))
    print(f'{size:,}: {found[-1]}', flush=True)
  saving.tell({'sizes': found}, 'numpy', 'scipy')


def _size(text: str) -> int:
  if not text.isdigit() or int(text) < _LOWEST:
    raise UserError(
      f'--sizes holds {text!r}; give numbers from {_LOWEST:,} on.'
    )
  return int(text)


def measure(size: int) -> dict[str, float]:
  """Returns what one size takes; memory first, then ours and theirs in turn."""
  log, catalog = retrieve_log.log(size), retrieve_log.catalog(size)
  events, rows = retrieve_log.held_out(log)
  made = memory.peak_mib()
  title_nd = None
  if size <= TITLES:
    title_nd = np.random.default_rng(1).normal(size=(size, _WIDTH))
  retriever = Retriever(
    log, catalog, events, title_nd=title_nd, consumed_once=True
  )
  asked = rows.take(np.arange(len(rows))[::-1])
  none = np.zeros(len(features.NAMES))
  # Counts, and compiles for one row.
  retriever.retrieve(_first(asked, 1), none, LISTED)
  counted = memory.peak_mib()
  begin = time.perf_counter()
  weight_f = retriever.fit(_first(rows, FITTED)).weight_f
  seconds = time.perf_counter() - begin
  peaks = []
  for many in (FEW, MANY):
    memory.forget_peak()
    retriever.retrieve(_first(asked, many), weight_f, LISTED)
    peaks.append(memory.peak_mib())
  return {
    'users': size,
    'items': size,
    'titles': title_nd is not None,
    'made_mib': round(made),
    'counted_mib': round(counted),
    'fit_seconds': round(seconds, 2),
    'peak_mib_1024': round(peaks[0]),
    'peak_mib_8192': round(peaks[1]),
    **_counting(log, events, size),
    **_listing(log, catalog, events, title_nd, retriever, asked, weight_f),
  }


def _counting(log: Log, events: np.ndarray, size: int) -> dict[str, float]:
  """Returns the seconds of all counts, ours and by scipy."""
  seconds = timing.interleave(
    {
      'ours': lambda: counts.count(log, events, size),
      'scipy': lambda: retrieve_rival.count(log, events, size),
    },
    _rounds(size),
  )
  return {
    'count_seconds': round(float(np.median(seconds['ours'])), 3),
    'count_scipy_seconds': round(float(np.median(seconds['scipy'])), 3),
    'count_against_scipy': round(
      timing.ratio(seconds['scipy'], seconds['ours']), 2
    ),
  }


def _listing(
  log: Log,
  catalog: Catalog,
  events: np.ndarray,
  title_nd: np.ndarray | None,
  retriever: Retriever,
  rows: Rows,
  weight_f: np.ndarray,
) -> dict[str, float]:
  """Returns the rows a second of lists with their answers, ours and dense."""
  size, config = len(catalog), RetrieveConfig()
  near = neighbours.none(size)
  if title_nd is not None:
    near = neighbours.nearest(title_nd, config.neighbours)
  dense = retrieve_rival.Dense(
    retrieve_rival.count(log, events, size),
    near,
    Items.of(catalog),
    weight_f,
    config.decay,
    config.candidates,
  )
  fewer = min(max(_SCORES // size, _LEAST), _MOST)
  ours, theirs = _first(rows, TIMED), _first(rows, fewer)
  seconds = timing.interleave(
    {
      'ours': lambda: retriever.retrieve(ours, weight_f, LISTED),
      'numpy': lambda: dense.lists(theirs.history_rs, LISTED),
    },
    _rounds(size),
  )
  per_row = {
    'ours': seconds['ours'] / len(ours),
    'numpy': seconds['numpy'] / len(theirs),
  }
  rate = float(1 / np.median(per_row['ours']))
  return {
    'rows_per_second': round(rate, 1),
    'numpy_rows': fewer,
    'numpy_rows_per_second': round(float(1 / np.median(per_row['numpy'])), 1),
    'against_numpy': round(timing.ratio(per_row['numpy'], per_row['ours']), 2),
    'farthest_log_p': farthest(retriever, dense, theirs, weight_f),
    'all_users_seconds': round(size / rate),
  }


def farthest(
  retriever: Retriever,
  dense: retrieve_rival.Dense,
  rows: Rows,
  weight_f: np.ndarray,
) -> float:
  """Returns how far log P of the two lists is apart at most, in nats."""
  found = retriever.retrieve(rows, weight_f, LISTED)
  _, logp_rc, _ = dense.lists(rows.history_rs, LISTED)
  return float(f'{np.abs(found.logp_rc - logp_rc).max():.2g}')


def _rounds(size: int) -> int:
  return 1 if size >= _LARGE else _ROUNDS


def _first(rows: Rows, count: int) -> Rows:
  """Returns so many rows, the first ones again where there are fewer."""
  return rows.take(np.arange(count) % len(rows))


def _in_process(size: int) -> dict[str, float]:
  command = (
    *(sys.executable, '-m', 'experiments.benchmarks.retrieve'),
    *(f'--sizes={size}', '--one'),
  )
  done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    raise UserError(f'{" ".join(command)} failed; its reason is above.')
  return json.loads(done.stdout.splitlines()[-1])


if __name__ == '__main__':
  entry.run(main)
