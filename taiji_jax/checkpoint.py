"""Checkpoints of a training stage: state, data position, seconds so far."""

from collections.abc import Mapping
import json
import math
import os
import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from taiji_jax import files
from taiji_jax.errors import UserError

IDENTITY = 'identity.json'


class Checkpointer:
  """Saves and restores (state, data position) of one training stage.

  Saving happens in the background; a process killed while it saves leaves the
  step before as the last whole one.
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
      identity: JSON of what the training is; noted in a new folder, compared
        with the note of an old one. Numbers may differ by a thousandth.

    Raises:
      UserError: the folder is of another training.
    """
    self._folder = pathlib.Path(folder).absolute()
    if identity is not None:
      _check_identity(self._folder, identity)
    self._manager = ocp.CheckpointManager(
      self._folder,
      options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True),
      item_names=('state', 'position'),
    )

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
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state),
          position=ocp.args.JsonSave(position),
        ),
      )
    except (OSError, ValueError) as error:
      raise self._unwritable(error) from error

  def wait(self) -> None:
    """Returns when all that was begun is on disk."""
    try:
      self._manager.wait_until_finished()
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
    self._manager.close()

  def _unwritable(self, error: Exception) -> UserError:
    return UserError(
      f"can't write a checkpoint to {self._folder}"
      f' ({str(error).splitlines()[0]}); free some space or check the rights,'
      ' then the same command goes on from the last whole one.'
    )


def _check_identity(folder: pathlib.Path, identity: Mapping[str, Any]) -> None:
  """Notes what a training is; raises UserError where the note is another."""
  wanted = json.loads(json.dumps(identity, default=str))
  path = folder / IDENTITY
  if not path.exists():
    with files.writing(folder, 'give another folder'):
      folder.mkdir(parents=True, exist_ok=True)
    files.write_json(path, wanted, f'.{os.getpid()}')
    return
  found = files.read_json(path)
  for name in wanted.keys() | found.keys():
    now, then = wanted.get(name), found.get(name)
    if not _same(now, then):
      raise UserError(
        f'{folder} holds the checkpoints of another training: its {name} was'
        f' {_brief(then)}, here it is {_brief(now)}; give another folder, or'
        ' delete this one to begin anew.'
      )


def _same(a: Any, b: Any) -> bool:
  if isinstance(a, float) and isinstance(b, float):
    return math.isclose(a, b, rel_tol=1e-3)
  return a == b


def _brief(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) < 200 else f'{text[:200]}...'
