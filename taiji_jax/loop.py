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
class LoopConfig:
  """How a stage is run.

  Attributes:
    stage: its name, in logs and metrics.
    steps: updates in all.
    save_seconds: a checkpoint at least this often; what a kill can cost.
    write_every: a metrics row every so many steps.
    show: names of the metrics that the progress shows.
  """

  stage: str
  steps: int
  save_seconds: float = 20.0
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

  Goes on from the last checkpoint where there is one. A signal ends the step in
  progress, saves, and raises `Interrupted`. A metric that is not finite raises
  before anything is saved; `step` is to keep its state as it was then.

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
  spent = 0.0
  if checkpointer.latest() is not None:
    state, position = checkpointer.restore(state)
    batches.set_state(position['batches'])
    spent = position['seconds']
    metrics.LOG.info('%s goes on after step %d', config.stage, int(state.step))
  first = int(state.step)
  writer.begin(config.stage, first)
  progress = metrics.Progress(config.stage, config.steps, first)
  begin = saved = time.monotonic()

  def seconds() -> float:
    return spent + time.monotonic() - begin

  def save(i: int) -> None:
    position = {'batches': batches.get_state(), 'seconds': seconds()}
    checkpointer.save(i, state, position)

  with interrupt.deferred() as stop:
    try:
      for i in range(first + 1, config.steps + 1):
        state, values = step(state, next(batches))
        values = {k: float(v) for k, v in jax.device_get(values).items()}
        refuse_nonfinite(values, i, config.stage, checkpointer)
        if i % config.write_every == 0 or i == config.steps:
          writer.write(config.stage, i, values)
        progress.advance(1, **{k: values[k] for k in config.show})
        last = i == config.steps
        if last or stop or time.monotonic() - saved > config.save_seconds:
          save(i)
          saved = time.monotonic()
        if stop and not last:
          raise interrupt.Interrupted(
            stop.signal_number,
            f'{config.stage} step {i} of {config.steps}, saved',
          )
    finally:
      checkpointer.wait()
      progress.close()
      writer.close()
    if stop:
      raise interrupt.Interrupted(
        stop.signal_number, f'the end of {config.stage}, saved'
      )
  return state, seconds()


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
