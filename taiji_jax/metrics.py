"""Where numbers and progress go: metrics.jsonl, TensorBoard, the terminal."""

import json
import logging
import os
import pathlib
import sys
import time
from typing import Any

import tqdm

from taiji_jax import files
from taiji_jax.errors import UserError

LOG = logging.getLogger('taiji_jax')
PLAIN_SECONDS = 10.0
_REMEDY = (
  'delete that line, which costs reports one point of a curve, and run the same'
  ' command again'
)


def show_progress() -> None:
  """Shows what trains, how far it is and how long it takes, on stderr."""
  LOG.setLevel(logging.INFO)
  LOG.propagate = False
  if not LOG.handlers:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
      logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S')
    )
    LOG.addHandler(handler)


class Writer:
  """Appends rows `{"stage", "step", ...}` to metrics.jsonl and TensorBoard."""

  def __init__(self, workdir: str | os.PathLike[str]):
    """Names the folder; it is made when something is written.

    Args:
      workdir: where metrics.jsonl and tensorboard/ lie.
    """
    self._workdir = pathlib.Path(workdir)
    self._path = self._workdir / 'metrics.jsonl'
    self._board_dir = self._workdir / 'tensorboard'
    self._board = None
    self._file = None

  def rows(self) -> list[dict[str, Any]]:
    """Returns all whole rows written so far, in order.

    Raises:
      UserError: a row is damaged; it says which.
    """
    rows = list(files.read_whole_lines(self._path, _REMEDY))
    for number, row in enumerate(rows, 1):
      if not _is_row(row):
        raise UserError(
          f"'{self._path}:{number}' is no row of a stage and its step;"
          f' {_REMEDY}.'
        )
    return rows

  def begin(self, stage: str, step: int) -> None:
    """Opens for `stage`, which goes on after `step`; later rows are dropped."""
    self.close()
    rows = self.rows() if self._path.exists() else []
    kept = [r for r in rows if r['stage'] != stage or r['step'] <= step]
    if not step and len(kept) < len(rows):
      LOG.warning(
        '%s: %d rows of an earlier %r are replaced; give another stage or'
        ' folder to keep such',
        self._path,
        len(rows) - len(kept),
        stage,
      )
    self._workdir.mkdir(parents=True, exist_ok=True)
    files.write_lines(self._path, kept)
    self._file = self._path.open('a')
    # It imports torch where that is installed, some seconds.
    import tensorboardX

    self._board = tensorboardX.SummaryWriter(
      str(self._board_dir / stage), purge_step=step + 1, flush_secs=10
    )

  def write(self, stage: str, step: int, values: dict[str, float]) -> None:
    """Appends one row."""
    row = {'stage': stage, 'step': step, **values}
    self._file.write(json.dumps(row) + '\n')
    self._file.flush()
    for name, value in values.items():
      self._board.add_scalar(name, value, step)

  def close(self) -> None:
    """Closes what `begin` opened."""
    if self._file:
      self._file.close()
      self._board.close()
    self._file = self._board = None


def _is_row(row: Any) -> bool:
  return (
    isinstance(row, dict)
    and isinstance(row.get('stage'), str)
    and type(row.get('step')) is int
  )


class Progress:
  """A bar with the time left; without a terminal a plain line now and then.

  The first step compiles what the others run, so that it counts for no time.
  """

  def __init__(
    self, stage: str, total: int, done: int = 0, compiles: bool = False
  ):
    """Takes the clock.

    Args:
      stage: what it is called.
      total: steps in all.
      done: steps that are done already.
      compiles: whether the first step takes long because it compiles, which is
        said at once.
    """
    self._stage, self._total, self._done = stage, total, done
    self._told = time.monotonic()
    # Where and when the clock began: once what compiles is done.
    self._first, self._begin = None, 0.0
    self._bar = None
    if compiles and done < total:
      LOG.info('%s: compiling, then %d of %d', stage, done + 1, total)

  def advance(self, count: int = 1, **values: float) -> None:
    """Counts `count` more done and shows `values`."""
    self._done += count
    text = ', '.join(f'{k} {v:.4g}' for k, v in values.items())
    if sys.stderr.isatty():
      self._draw(count, text)
      return
    now = time.monotonic()
    left = ''
    if self._first is None:
      self._first, self._begin = self._done, now
    else:
      rate = (now - self._begin) / (self._done - self._first)
      left = f', {rate * (self._total - self._done):.0f} s left'
    if now - self._told < PLAIN_SECONDS and self._done < self._total:
      return
    self._told = now
    LOG.info(
      '%s %d/%d%s%s',
      self._stage,
      self._done,
      self._total,
      left,
      f', {text}' if text else '',
    )

  def _draw(self, count: int, text: str) -> None:
    if self._bar is None:
      self._bar = tqdm.tqdm(
        total=self._total,
        initial=self._done,
        desc=self._stage,
        dynamic_ncols=True,
      )
      count = 0
    self._bar.set_postfix_str(text, refresh=False)
    self._bar.update(count)

  def close(self) -> None:
    """Takes the bar off."""
    if self._bar is not None:
      self._bar.close()
