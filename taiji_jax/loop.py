"""The training loop that every trained stage shares."""

from collections.abc import Callable
import dataclasses
import math
import time
from typing import Any, Protocol

import jax

from taiji_jax import interrupt, metrics
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.errors import UserError


class Batches(Protocol):
  """An endless source of batches whose position can be saved as JSON."""

  def __next__(self) -> Any: ...

  def get_state(self) -> Any: ...

  def set_state(self, state: Any) -> None: ...


@dataclasses.dataclass(frozen=True)
class Saving:
  """When a stage saves a checkpoint, beside its end and its interruption.

  Attributes:
    seconds: that long after the one before, which is what a kill can cost; 0
      after every step.
    steps: also after every so many steps, 0 for none.
    share: the most of the time that goes into writing by `seconds`: a
      checkpoint that took t seconds to write is followed by none for t / share.
      At 7B parameters one holds 91 GB.
  """

  seconds: float = 20.0
  steps: int = 0
  share: float = 0.1

  def __post_init__(self):
    if not self.seconds >= 0:
      raise UserError(
        f'save_seconds is {self.seconds}; give 0 (every step) or more.'
      )
    if self.steps < 0:
      raise UserError(f'save_steps is {self.steps}; give 0 (none) or more.')
    if not 0 < self.share <= 1:
      raise UserError(
        f'save_share is {self.share}; give more than 0 and at most 1.'
      )

  def due(self, step: int, since: float, writing: float) -> bool:
    """Returns whether a checkpoint is saved after a step.

    Args:
      step: how many were done.
      since: seconds since the last one was begun, or the stage.
      writing: seconds that the last one took to write, 0 where unknown.
    """
    if self.steps and not step % self.steps:
      return True
    least = writing / self.share if self.seconds else 0.0
    return since > max(self.seconds, least)


SAVING = Saving()


@dataclasses.dataclass(frozen=True)
class LoopConfig:
  """How a stage is run.

  Attributes:
    stage: its name, in logs and metrics.
    steps: updates in all.
    saving: when it saves.
    write_every: a metrics row every so many steps.
    show: names of the metrics that the progress shows.
  """

  stage: str
  steps: int
  saving: Saving = SAVING
  write_every: int = 1
  show: tuple[str, ...] = ('loss',)


def run(
  step: Callable[[Any, Any], tuple[Any, dict[str, Any]]],
  state: Any,
  batches: Batches,
  checkpointer: Checkpointer,
  writer: metrics.Writer,
  config: LoopConfig,
) -> tuple[Any, float]:
  """Returns the state after `config.steps` updates and the seconds it took.

  Goes on from the last checkpoint where there is one. The metrics of a step are
  read once the next step is under way, so that the devices never wait for the
  host. A signal ends the step in progress, saves, and raises `Interrupted`. A
  metric that is not finite raises before anything is saved; `step` is to keep
  its state as it was then.

  Args:
    step: (state, batch) -> (state, metrics); `state.step` counts updates.
    state: before the first update; its layout is kept on restore.
    batches: where batches come from.
    checkpointer: of this stage.
    writer: for metrics rows.
    config: how to run.

  Raises:
    UserError: a loss or reward became NaN or infinite.
    Interrupted: a signal came.
  """
  state, spent = _resume(state, batches, checkpointer, config.stage)
  first = int(state.step)
  writer.begin(config.stage, first)
  rows = _Rows(writer, checkpointer, config, first)
  clock = _Clock(spent)
  with interrupt.deferred() as stop:
    try:
      for i in range(first + 1, config.steps + 1):
        state, values = step(state, next(batches))
        rows.take(i, values)
        last = i == config.steps
        writing = checkpointer.writing_seconds
        due = config.saving.due(i, clock.since_save(), writing)
        if last or stop or due:
          rows.finish()
          position = {'batches': batches.get_state(), 'seconds': clock.spent()}
          checkpointer.save(i, state, position)
          clock.saved()
        if stop and not last:
          raise interrupt.Interrupted(
            stop.signal_number,
            f'{config.stage} step {i} of {config.steps}, saved',
          )
    except Exception:
      rows.finish()  # Those of the step before the one that failed.
      raise
    finally:
      checkpointer.wait()
      rows.close()
    if stop:
      raise interrupt.Interrupted(
        stop.signal_number, f'the end of {config.stage}, saved'
      )
  return state, clock.spent()


def _resume(
  state: Any, batches: Batches, checkpointer: Checkpointer, stage: str
) -> tuple[Any, float]:
  """Returns the state to go on from, and the seconds that it took so far."""
  if checkpointer.latest() is None:
    return state, 0.0
  state, position = checkpointer.restore(state)
  batches.set_state(position['batches'])
  metrics.LOG.info('%s goes on after step %d', stage, int(state.step))
  return state, position['seconds']


class _Clock:
  """The seconds of a stage, those before a restart counted."""

  def __init__(self, spent: float):
    self._begin = self._saved = time.monotonic()
    self._before = spent

  def spent(self) -> float:
    return self._before + time.monotonic() - self._begin

  def since_save(self) -> float:
    return time.monotonic() - self._saved

  def saved(self) -> None:
    self._saved = time.monotonic()


class _Rows:
  """The metrics of the steps, each read when the next step is under way."""

  def __init__(
    self,
    writer: metrics.Writer,
    checkpointer: Checkpointer,
    config: LoopConfig,
    first: int,
  ):
    self._writer, self._checkpointer = writer, checkpointer
    self._config = config
    self._progress = metrics.Progress(config.stage, config.steps, first, True)
    self._waiting: tuple[int, dict[str, Any]] | None = None

  def take(self, i: int, values: dict[str, Any]) -> None:
    """Keeps the metrics of step i, and reads those of the step before."""
    before, self._waiting = self._waiting, (i, values)
    if before is not None:
      self._read(*before)

  def finish(self) -> None:
    """Reads what waits; raises UserError where it is not finite."""
    if self._waiting is not None:
      waiting, self._waiting = self._waiting, None
      self._read(*waiting)

  def close(self) -> None:
    """Closes the files."""
    self._progress.close()
    self._writer.close()

  def _read(self, i: int, values: dict[str, Any]) -> None:
    config = self._config
    values = {k: float(v) for k, v in jax.device_get(values).items()}
    try:
      refuse_nonfinite(values, i, config.stage, self._checkpointer)
    except UserError:
      self._waiting = None  # Made from a state that was not updated.
      raise
    if i % config.write_every == 0 or i == config.steps:
      self._writer.write(config.stage, i, values)
    self._progress.advance(1, **{k: values[k] for k in config.show})


def refuse_nonfinite(
  values: dict[str, float], step: int, stage: str, checkpointer: Checkpointer
) -> None:
  """Raises UserError that names the metrics that are NaN or infinite."""
  bad = [name for name, value in values.items() if not math.isfinite(value)]
  if bad:
    at = checkpointer.latest()
    kept = (
      f'the checkpoint of step {at} is kept'
      if at is not None
      else 'no checkpoint was made yet'
    )
    raise UserError(
      f'{stage} step {step}: {", ".join(bad)} became NaN or infinite; the'
      f' parameters were not updated and {kept}. Lower the'
      ' learning rate, or look at the data of that step, and run again.'
    )
