"""Cells of a table: what one arm scored with one seed, as a small JSON."""

from collections.abc import Callable
import dataclasses
import json
import pathlib

import numpy as np

from taiji_jax import metrics
from taiji_jax.errors import UserError
from taiji_jax.evaluate import answers as arms_lib
from taiji_jax.evaluate import result as result_lib

_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Cell:
  """One arm with one seed.

  Attributes:
    arm, seed: which.
    seconds: of training (or 0) and of answering.
    peak_rss_gib: memory of the process that made it, up to then; 0 unknown.
    values: metric -> float `[R]`, one an evaluation row, NaN where none.
  """

  arm: str
  seed: int
  seconds: dict[str, float]
  values: arms_lib.Metrics
  peak_rss_gib: float = 0.0


class Cells:
  """The folder of cells of one table."""

  def __init__(self, folder: pathlib.Path, key: str):
    """Args:
    folder: `ARM-SEED.json` are in it.
    key: hash of the recipe and the data; a cell of another key is refused.
    """
    self._folder, self._key = folder, key

  def make(self, arm: str, seed: int, build: Callable[[], Cell]) -> Cell:
    """Returns the cell: read where it stands, else made and written."""
    path = self._folder / f'{arm}-{seed}.json'
    if path.exists():
      return self._read(path)
    self._write(path, build())
    # As it stands there, rounded: a table is a function of its files.
    cell = self._read(path)
    shown = ('category_l1_acc', 'category_l3_acc', 'reward_id', 'format_rate')
    metrics.LOG.info(
      '%s, seed %d: %s',
      arm,
      seed,
      ', '.join(
        f'{name} {np.nanmean(cell.values[name]):.3f}' for name in shown
      ),
    )
    return cell

  def _write(self, path: pathlib.Path, cell: Cell) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
      name: [None if np.isnan(v) else _short(v) for v in value_r.tolist()]
      for name, value_r in cell.values.items()
    }
    means = {
      name: _short(float(np.nanmean(value_r)))
      for name, value_r in cell.values.items()
      if not np.isnan(value_r).all()
    }
    record = {
      'arm': cell.arm,
      'seed': cell.seed,
      'key': self._key,
      'seconds': {k: round(v, 1) for k, v in cell.seconds.items()},
      'peak_rss_gib': round(cell.peak_rss_gib, 3),
      'mean': means,
    }
    text = json.dumps(record, indent=1).removesuffix('\n}')
    # One line a metric: small, and still readable.
    rows = ',\n  '.join(
      f'{json.dumps(name)}: {json.dumps(v, separators=(",", ":"))}'
      for name, v in values.items()
    )
    result_lib.write_text(path, f'{text},\n "values": {{\n  {rows}\n }}\n}}\n')

  def _read(self, path: pathlib.Path) -> Cell:
    try:
      record = json.loads(path.read_text())
      cell = Cell(
        arm=record['arm'],
        seed=record['seed'],
        seconds=record['seconds'],
        values={
          name: np.array(v, np.float32) for name, v in record['values'].items()
        },
      )
      cell = dataclasses.replace(
        cell, peak_rss_gib=record.get('peak_rss_gib', 0.0)
      )
      key = record['key']
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise UserError(
        f'{path} is damaged ({error}); delete it, and the same command makes it'
        ' anew.'
      ) from error
    if key != self._key:
      raise UserError(
        f'{path} was made with another recipe or other data; delete it or give'
        ' another --results.'
      )
    return cell


def _short(value: float) -> float | int:
  """Returns a number of few digits, for JSON."""
  rounded = float(f'{value:.{_DIGITS}g}')
  return int(rounded) if rounded.is_integer() else rounded
