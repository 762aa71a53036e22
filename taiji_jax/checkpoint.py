"""Checkpoints of a training stage: state, data position, seconds so far."""

from collections.abc import Mapping
from concurrent import futures
import contextlib
import json
import os
import pathlib
import threading
import time
from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np
import orbax.checkpoint as ocp

from taiji_jax import files, metrics
from taiji_jax.errors import UserError

IDENTITY = 'identity.json'
SUMS = '{step}.sha256.json'
POLL_SECONDS = 0.02


class Checkpointer:
  """Saves and restores (state, data position) of one training stage.

  Saving happens in the background; a process killed while it saves leaves the
  step before as the last whole one. The sha256 of a step's files are noted
  beside it: a step whose files are others, or that a kill left without its
  note, is dropped when the folder is opened, so that the training goes on from
  the one before.

  Attributes:
    writing_seconds: how long the last step took from `save` until all of it was
      on disk, 0 before.
  """

  def __init__(
    self,
    folder: str | os.PathLike[str],
    keep: int = 2,
    identity: Mapping[str, Any] | None = None,
  ):
    """Opens the folder, made where it does not exist.

    Args:
      folder: of one training.
      keep: steps that stay.
      identity: JSON of what the training is; noted with the first checkpoint,
        compared with the note where there are checkpoints.

    Raises:
      UserError: the folder is of another training.
    """
    self._folder = pathlib.Path(folder).absolute()
    self._identity = json.loads(json.dumps(identity, default=str))
    self._noting: futures.Future | None = None
    self._given_up = threading.Event()
    self.writing_seconds = 0.0
    self._thread = futures.ThreadPoolExecutor(1, 'sums')
    self._manager = ocp.CheckpointManager(
      self._folder,
      options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True),
      item_names=('state', 'position'),
    )
    self._drop_damaged()
    if identity is not None and self.latest() is not None:
      _check_identity(self._folder, self._identity)

  @property
  def folder(self) -> pathlib.Path:
    return self._folder

  def latest(self) -> int | None:
    """Returns the last whole step, None where there is none."""
    return self._manager.latest_step()

  def save(self, step: int, state: Any, position: dict[str, Any]) -> None:
    """Begins to save; `position` is a JSON object.

    Raises:
      UserError: the disk is full or the folder can't be written.
    """
    try:
      self._finish()
      if self._identity is not None and self.latest() is None:
        _write_identity(self._folder, self._identity)
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state),
          position=ocp.args.JsonSave(position),
        ),
      )
    except (OSError, ValueError) as error:
      raise self._unwritable(error) from error
    if not jax.process_index():
      begin = time.monotonic()
      self._noting = self._thread.submit(self._note, step, begin)

  def wait(self) -> None:
    """Returns when all that was begun is on disk."""
    try:
      self._finish()
    except (OSError, ValueError) as error:
      raise self._unwritable(error) from error

  def restore(self, state: Any) -> tuple[Any, dict[str, Any]]:
    """Returns the last whole (state, position).

    Args:
      state: an example with shapes, dtypes and shardings to restore into.

    Raises:
      UserError: the checkpoint is damaged or of another shape.
    """
    step = self.latest()
    wanted = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    try:
      restored = self._manager.restore(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardRestore(wanted),
          position=ocp.args.JsonRestore(),
        ),
      )
    except Exception as error:  # orbax has no common class for damage.
      steps = sorted(s for s in self._manager.all_steps() if s != step)
      after = f'step {steps[-1]}' if steps else "the stage's beginning"
      raise UserError(
        f"the checkpoint {self._folder / str(step)} can't be read"
        f' ({type(error).__name__}); delete that folder and the same command'
        f' goes on from {after}.'
      ) from error
    return restored['state'], restored['position']

  def close(self) -> None:
    with contextlib.suppress(UserError):
      self._finish()
    self._thread.shutdown()
    self._manager.close()

  def _finish(self) -> None:
    """Returns when all is on disk and noted; drops notes of gone steps."""
    try:
      self._manager.wait_until_finished()
    finally:
      self._given_up.set()
      noting, self._noting = self._noting, None
      if noting is not None:
        noting.result()
      self._given_up.clear()
    if not jax.process_index():
      for path in self._folder.glob(SUMS.format(step='*')):
        if not (self._folder / path.name.partition('.')[0]).exists():
          path.unlink(missing_ok=True)

  def _note(self, step: int, begin: float) -> None:
    """Notes the sums of a step once it is whole, and how long that took."""
    own = self._folder / str(step)
    # It gets its name when all of it is there.
    while not own.exists():
      if self._given_up.wait(POLL_SECONDS) and not own.exists():
        return
    _write_sums(self._folder, step)
    self.writing_seconds = time.monotonic() - begin

  def _drop_damaged(self) -> None:
    """Drops the last steps as long as their files are not those noted."""
    while (step := self.latest()) is not None:
      bad = '' if jax.process_index() else damage(self._folder, step)
      if not _agreed(bool(bad)):
        self._note_first(step)
        return
      earlier = [s for s in self._manager.all_steps() if s != step]
      after = f'step {max(earlier)}' if earlier else 'the beginning'
      metrics.LOG.warning(
        'the checkpoint %s is damaged (%s) and is dropped; going on from %s',
        self._folder / str(step),
        bad or 'as the first process saw',
        after,
      )
      self._manager.delete(step)

  def _note_first(self, step: int) -> None:
    """Notes a step that is taken though nobody noted it."""
    noted = (self._folder / SUMS.format(step=step)).exists()
    # Where it can't be written all the same goes on.
    if not noted and not jax.process_index():
      with contextlib.suppress(UserError):
        _write_sums(self._folder, step)

  def _unwritable(self, error: Exception) -> UserError:
    return UserError(
      f"can't write a checkpoint to {self._folder}"
      f' ({str(error).splitlines()[0]}); free some space or check the rights,'
      ' then the same command goes on from the last whole one.'
    )


def damage(folder: pathlib.Path, step: int) -> str:
  """Returns what is wrong with a step: the first file not as noted, or why.

  '' where it is as noted, and where no step of the folder is.
  """
  note = folder / SUMS.format(step=step)
  if not note.exists():
    # Killed before it was noted: who knows. Where no step is noted it is of an
    # older version, or the first.
    noted = any(folder.glob(SUMS.format(step='*')))
    return 'a kill left it without its sums' if noted else ''
  try:
    sums = files.read_json(note)
  except UserError:
    return note.name
  own = folder / str(step)
  there = {str(path.relative_to(own)): path for path in _files_of(own)}
  for name in sorted(sums.keys() | there.keys()):
    if name not in there or files.sha256(there[name]) != sums.get(name):
      return name
  return ''


def _write_sums(folder: pathlib.Path, step: int) -> None:
  own = folder / str(step)
  sums = {str(p.relative_to(own)): files.sha256(p) for p in _files_of(own)}
  files.write_json(folder / SUMS.format(step=step), sums)


def _files_of(folder: pathlib.Path) -> list[pathlib.Path]:
  return [path for path in folder.rglob('*') if path.is_file()]


def _agreed(value: bool) -> bool:
  """Returns what the first process says."""
  if jax.process_count() == 1:
    return value
  return bool(multihost_utils.broadcast_one_to_all(np.bool_(value)))


def _write_identity(folder: pathlib.Path, identity: dict[str, Any]) -> None:
  if not jax.process_index():
    files.write_json(folder / IDENTITY, identity)


def _check_identity(folder: pathlib.Path, identity: dict[str, Any]) -> None:
  """Raises UserError where the checkpoints are of another training."""
  path = folder / IDENTITY
  if not path.exists():
    metrics.LOG.warning(
      '%s does not say of which training its checkpoints are; they are taken'
      ' for those of this one',
      folder,
    )
    return
  found = files.read_json(path)
  for name in identity.keys() | found.keys():
    now, then = identity.get(name), found.get(name)
    if now != then:
      raise UserError(
        f'{folder} holds the checkpoints of another training: its {name} was'
        f' {_brief(then)}, here it is {_brief(now)}; give another folder, or'
        ' delete this one to begin anew.'
      )


def _brief(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) < 200 else f'{text[:200]}...'
