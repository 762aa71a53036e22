"""Cells of a table: what one arm scored with one seed, as a small JSON."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.errors import UserError
from taiji_jax.evaluate import packed
from taiji_jax.evaluate.answers import Metrics

_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Stamp:
  """What a cell's numbers follow from.

  Attributes:
    key: hash of the recipe's fields that differ from their defaults, and of the
      revisions of the stages that made it.
    data: hash of the data; '' where it is not known, which fits all.
  """

  key: str
  data: str = ''

  def to_json(self) -> dict[str, str]:
    """Returns the fields."""
    return dataclasses.asdict(self)

  @classmethod
  def of(cls, record: Mapping[str, Any], path: pathlib.Path) -> 'Stamp':
    """Returns the stamp of a file, its data '' where it names none.

    Raises:
      UserError: it has no key.
    """
    try:
      return cls(record['key'], record.get('data', ''))
    except KeyError as error:
      raise UserError(_damaged(path, error)) from error

  def fits(self, found: 'Stamp') -> bool:
    """Returns whether a file of that stamp is one of this."""
    return self.key == found.key and self.data in ('', found.data)

  def check(self, found: 'Stamp', path: pathlib.Path) -> None:
    """Raises UserError where a file is of another recipe or other data."""
    if not self.fits(found):
      what = 'another recipe' if self.key != found.key else 'other data'
      raise UserError(
        f'{path} was made with {what}; delete it or give another --results.'
      )


@dataclasses.dataclass(frozen=True)
class Cell:
  """One arm with one seed.

  Attributes:
    arm, seed: which.
    seconds: of training (or 0) and of answering.
    peak_rss_gib: memory of the process that made it, up to then; 0 unknown.
    values: metric -> float `[R]`, one an evaluation row, NaN where none.
    item_r: int32 `[R]`, the item that each answer names, -1 where none: what
      judging it anew needs. None where an older cell, or no text, has none.
  """

  arm: str
  seed: int
  seconds: dict[str, float]
  values: Metrics
  peak_rss_gib: float = 0.0
  item_r: np.ndarray | None = None


class Cells:
  """The folder of cells of one table."""

  def __init__(
    self,
    folder: pathlib.Path,
    stamps: Mapping[str, Stamp],
    metrics: Sequence[str] = (),
    shown: Sequence[str] = (),
    remake: bool = False,
  ):
    """Opens a folder, which need not be there yet.

    Args:
      folder: `ARM-SEED.json` are in it.
      stamps: arm -> what its cells must follow from.
      metrics: what every cell must have a value of.
      shown: metrics that are logged of a new cell.
      remake: whether a cell of another stamp, or without one of the metrics, is
        made anew; else it is refused.
    """
    self._folder, self._stamps, self._metrics = folder, stamps, metrics
    self._shown, self._remake = shown, remake

  def make(self, arm: str, seed: int, build: Callable[[], Cell]) -> Cell:
    """Returns the cell: read where it stands, else made and written."""
    if (cell := self.find(arm, seed)) is not None:
      return cell
    self._write(build())
    # As it stands there, rounded: a table is a function of its files.
    cell = self.find(arm, seed)
    means = _means({name: cell.values[name] for name in self._shown})
    told = ', '.join(f'{name} {mean:.3f}' for name, mean in means.items())
    if told:
      metrics.LOG.info('%s, seed %d: %s', arm, seed, told)
    return cell

  def find(self, arm: str, seed: int) -> Cell | None:
    """Returns the cell that stands, None where it is still to be made.

    Raises:
      UserError: it is damaged, of another recipe or other data, or lacks a
        metric.
    """
    path = self._path(arm, seed)
    if not path.exists():
      return None
    record = _read(path)
    # First of all whose it is: cells of another recipe may be of another form.
    found = Stamp.of(record, path)
    if self._remake and not self._stamps[arm].fits(found):
      return None
    if not found.data:
      raise UserError(_old(path))
    self._stamps[arm].check(found, path)
    cell = _cell(record, path)
    lacking = [name for name in self._metrics if name not in cell.values]
    if lacking and self._remake:
      return None
    if lacking:
      raise UserError(
        f'{path} has no {lacking[0]}: it was made before there was such a'
        ' metric; delete it or give another --results.'
      )
    return cell

  def _path(self, arm: str, seed: int) -> pathlib.Path:
    return _path(self._folder, arm, seed)

  def _write(self, cell: Cell) -> None:
    means = _means(cell.values)
    record = {
      'arm': cell.arm,
      'seed': cell.seed,
      **self._stamps[cell.arm].to_json(),
      'seconds': {k: round(v, 1) for k, v in cell.seconds.items()},
      'peak_rss_gib': round(cell.peak_rss_gib, 3),
      'mean': {name: round_to(mean) for name, mean in means.items()},
      'values': {name: packed.pack(v) for name, v in cell.values.items()},
    }
    if cell.item_r is not None:
      record['item_r'] = packed.pack_integers(cell.item_r)
    self._folder.mkdir(parents=True, exist_ok=True)
    files.write_text(self._path(cell.arm, cell.seed), text(record))


def data_of(folder: pathlib.Path, places: Sequence[tuple[str, int]]) -> str:
  """Returns the hash of the data that the cells were made of, '' without one.

  Args:
    folder: of the cells.
    places: (arm, seed) of each that counts, there or not.

  Raises:
    UserError: they are of several, one is of version 0.1.0, or damaged.
  """
  found: dict[str, pathlib.Path] = {}
  for arm, seed in places:
    path = _path(folder, arm, seed)
    if path.exists():
      found.setdefault(_read(path).get('data', ''), path)
  if old := found.get(''):
    raise UserError(_old(old))
  if len(found) > 1:
    a, b = list(found.values())[:2]
    raise UserError(
      f'{a} and {b} were made of different data; delete one kind.'
    )
  return next(iter(found), '')


def stamp_of(folder: pathlib.Path, arm: str, seed: int) -> Stamp | None:
  """Returns what the cell that stands followed from, None where there is none.

  Raises:
    UserError: it is damaged.
  """
  path = _path(folder, arm, seed)
  return Stamp.of(_read(path), path) if path.exists() else None


def _cell(record: Mapping[str, Any], path: pathlib.Path) -> Cell:
  """Returns the cell of a record."""
  try:
    values = {name: packed.unpack(v) for name, v in record['values'].items()}
    item_r = record.get('item_r')
    if item_r is not None:
      item_r = packed.unpack_integers(item_r).astype(np.int32)
    columns = [*values.values(), *([] if item_r is None else [item_r])]
    if len({len(column_r) for column_r in columns}) > 1:
      raise ValueError('its columns differ in length')
    return Cell(
      record['arm'],
      record['seed'],
      record['seconds'],
      values,
      record.get('peak_rss_gib', 0.0),
      item_r,
    )
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise UserError(_damaged(path, error)) from error


def _means(values: Metrics) -> dict[str, float]:
  """Returns the means of the metrics that have any value."""
  return {
    name: float(np.nanmean(value_r))
    for name, value_r in values.items()
    if not np.isnan(value_r).all()
  }


def _path(folder: pathlib.Path, arm: str, seed: int) -> pathlib.Path:
  return folder / f'{arm}-{seed}.json'


def _read(path: pathlib.Path) -> dict[str, Any]:
  return files.read_json(path, 'delete it, and its experiment makes it anew')


def _damaged(path: pathlib.Path, error: Exception) -> str:
  return (
    f'{path} is damaged ({error}); delete it, and its experiment makes it anew.'
  )


def _old(path: pathlib.Path) -> str:
  return (
    f'{path} was written by taiji_jax 0.1.0, whose key says nothing of stages;'
    ' delete it or give another --results.'
  )


@dataclasses.dataclass(frozen=True)
class Line:
  """A list that `text` writes on one line: small, and still readable."""

  values: list


def text(record: Mapping[str, Any], indent: str = '') -> str:
  """Returns JSON, indented by one space, every `Line` on a line."""
  inner = indent + ' '
  parts = []
  for name, value in record.items():
    if isinstance(value, Line):
      told = json.dumps(value.values, separators=(',', ':'))
    elif isinstance(value, Mapping) and value:
      told = text(value, inner).rstrip('\n')
    else:
      told = json.dumps(value)
    parts.append(f'{inner}{json.dumps(name)}: {told}')
  return '{\n' + ',\n'.join(parts) + f'\n{indent}}}\n'


def round_to(value: float) -> float | int:
  """Returns a number of few digits, for JSON."""
  rounded = float(f'{value:.{_DIGITS}g}')
  return int(rounded) if rounded.is_integer() else rounded
