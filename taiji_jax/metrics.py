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
    return list(files.read_whole_lines(self._path, _REMEDY))

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


class Progress:
  """A bar with the time left; without a terminal a plain line now and then."""

  def __init__(self, stage: str, total: int, done: int = 0):
    self._stage, self._total, self._done = stage, total, done
    self._first, self._begin = done, time.monotonic()
    self._told = self._begin
    self._bar = None
    if sys.stderr.isatty():
      self._bar = tqdm.tqdm(
        total=total, initial=done, desc=stage, dynamic_ncols=True
      )

  def advance(self, count: int = 1, **values: float) -> None:
    """Counts `count` more done and shows `values`."""
    self._done += count
    text = ', '.join(f'{k} {v:.4g}' for k, v in values.items())
    if self._bar is not None:
      self._bar.set_postfix_str(text, refresh=False)
      self._bar.update(count)
      return
    now = time.monotonic()
    if now - self._told < PLAIN_SECONDS and self._done < self._total:
      return
    self._told = now
    rate = (now - self._begin) / max(self._done - self._first, 1)
    left = rate * (self._total - self._done)
    LOG.info(
      '%s %d/%d, %.0f s left%s',
      self._stage,
      self._done,
      self._total,
      left,
      f', {text}' if text else '',
    )

  def close(self) -> None:
    """Takes the bar off."""
    if self._bar is not None:
      self._bar.close()
