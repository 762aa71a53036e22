"""Supervised training on labelled rows, with early stopping, resumable."""

from collections.abc import Callable
import dataclasses
import hashlib
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.config import deviations
from taiji_jax.errors import UserError
from taiji_jax.sft import rows as rows_lib
from taiji_jax.sft.best import Best
from taiji_jax.sft.row_step import Loss, row_step
from taiji_jax.sft.rows import LabelledRows
from taiji_jax.train_state import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class RowFitConfig:
  """Supervised training on labelled rows.

  Attributes:
    opt: the optimiser and the number of updates.
    batch: rows of an update.
    rounds: how often it is judged, after every `opt.steps / rounds` updates; 0
      never, and then the last parameters are taken.
    patience: it ends where that many rounds one after the other were no better
      than the best; 0 never ends it early.
  """

  opt: OptimizerConfig
  batch: int = 256
  rounds: int = 0
  patience: int = 0

  def __post_init__(self):
    if self.batch < 1:
      raise UserError(f'batch is {self.batch}; it must be at least 1.')
    for name in ('rounds', 'patience'):
      if getattr(self, name) < 0:
        raise UserError(f'{name} is {getattr(self, name)}; give 0 or more.')
    if self.rounds > self.opt.steps:
      raise UserError(
        f'rounds is {self.rounds}, above the {self.opt.steps} updates that'
        ' there are.'
      )


@dataclasses.dataclass(frozen=True)
class Fitted:
  """What came of a training.

  Attributes:
    params: those of the round with the best value, on the mesh.
    seconds: that it took, judging left out.
    values: of each round, what `judge` returned.
  """

  params: Any
  seconds: float
  values: tuple[float, ...]


def fit(
  loss: Loss,
  rows: LabelledRows,
  config: RowFitConfig,
  *,
  start: Any,
  mesh: Mesh,
  scratch: str | os.PathLike[str],
  writer: metrics.Writer,
  judge: Callable[[Any], float] | None = None,
  seed: int = 0,
  stage: str = 'sft',
  saving: loop.Saving = loop.SAVING,
) -> Fitted:
  """Returns the best of what was trained.

  Args:
    loss: see `row_step.Loss`.
    rows: what to train on.
    config: sizes and optimiser.
    start: the parameters before, on the mesh.
    mesh: where they lie.
    scratch: of this training alone; an interrupted one goes on from there.
    writer: where metrics go.
    judge: parameters -> a value on rows that are not trained on, the higher the
      better; the parameters of the best round are returned.
    seed: of the order of the rows and of dropout.
    stage: its name in logs and metrics.
    saving: when checkpoints are saved.

  Raises:
    UserError: the batch does not divide over the mesh, rounds without a judge,
      a folder of another training, a loss that became NaN or infinite.
  """
  if config.rounds and judge is None:
    raise UserError('rounds are judged; give `judge`, or rounds=0.')
  sharding.check_batch(config.batch, mesh, f'{stage}.batch')
  scratch = pathlib.Path(scratch)
  tx = config.opt.make()
  state = sharding.jit_init(
    lambda params: train_state.create(jax.tree.map(jnp.copy, params), tx, seed),
    mesh,
    start,
  )
  update = sharding.jit_step(row_step(loss, tx), state, mesh)
  batches = rows_lib.batches(rows, config.batch, seed)
  identity = {'stage': stage, 'config': deviations(config), 'seed': seed}
  identity |= {
    'rows': _digest(rows),
    'start': train_state.digest(start),
  }
  checkpointer = Checkpointer(scratch / 'steps', identity=identity)
  best = Best(scratch, config.patience, start)
  seconds = 0.0
  for number in range(1, max(config.rounds, 1) + 1):
    steps = config.opt.steps * number // max(config.rounds, 1)
    state, seconds = loop.run(
      lambda state, batch: update(state, sharding.place_batch(batch, mesh)),
      state,
      batches,
      checkpointer,
      writer,
      loop.LoopConfig(stage, steps, saving, write_every=10),
    )
    if config.rounds and best.take(number, state.params, judge, stage):
      break
  checkpointer.close()
  if not config.rounds:
    return Fitted(state.params, seconds, ())
  return Fitted(
    sharding.place(best.load(), sharding.state_sharding(start, mesh)),
    seconds,
    tuple(best.values),
  )


def _digest(rows: LabelledRows) -> str:
  """Returns a hash of all rows."""
  found = hashlib.sha256()
  for field in dataclasses.fields(rows):
    found.update(np.ascontiguousarray(getattr(rows, field.name)).tobytes())
  return found.hexdigest()[:16]
