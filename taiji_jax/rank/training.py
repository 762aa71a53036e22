"""The training of one tower, with checkpoints."""

from collections.abc import Callable
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data.batches import Positions
from taiji_jax.rank.batches import ExposureBatches
from taiji_jax.train_state import OptimizerConfig


def fit(
  config: loop.LoopConfig,
  optimizer: OptimizerConfig,
  init: Callable[[], Any],
  loss_fn: Callable[[Any, Any], tuple[jax.Array, dict[str, jax.Array]]],
  batches: ExposureBatches,
  seed: int,
  mesh: jax.sharding.Mesh,
  scratch: pathlib.Path,
  writer: metrics.Writer,
) -> tuple[Any, float]:
  """Returns the trained parameters, on the host, and the seconds it took.

  Args:
    config: how many steps, and when it saves.
    optimizer: how parameters are updated.
    init: the parameters before training.
    loss_fn: (params, batch) -> (loss, metrics).
    batches: what it learns from.
    seed: of the state.
    mesh: where it is trained.
    scratch: where checkpoints go; an interrupted training goes on from there.
    writer: where metrics go.

  Raises:
    UserError: a loss became NaN or infinite.
    Interrupted: a signal came; what was done is saved.
  """
  tx = optimizer.make()
  state = sharding.jit_init(lambda: train_state.create(init(), tx, seed), mesh)
  step = sharding.jit_step(functools.partial(_update, loss_fn, tx), state, mesh)
  checkpointer = Checkpointer(scratch)
  state, seconds = loop.run(
    step, state, Positions(batches.batch_at), checkpointer, writer, config
  )
  checkpointer.close()
  return jax.device_get(state.params), seconds


def _update(loss_fn, tx, state, batch):
  (loss, values), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
    state.params, batch
  )
  finite = jnp.isfinite(loss)
  return train_state.advance(state, tx, gradient, finite), values
