"""Checkpoints of a training stage: state, data position, seconds so far."""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from taiji_jax.errors import UserError


class Checkpointer:
  """Saves and restores (state, data position) of one training stage.

  Saving happens in the background; a process killed while it saves leaves the
  step before as the last whole one.
  """

  def __init__(self, folder: pathlib.Path, keep: int = 2):
    self._folder = folder.absolute()
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
