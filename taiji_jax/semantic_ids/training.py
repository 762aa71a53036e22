"""Training of the residual-quantised autoencoder, resumable."""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import tempfile
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics, sharding
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.config import deviations
from taiji_jax.data.batches import Positions
from taiji_jax.modules.rq_vae import RqVae, RqVaeConfig
from taiji_jax.semantic_ids import rq_vae_step
from taiji_jax.semantic_ids.config import SemanticIdConfig

STAGE = 'rq_vae'


@dataclasses.dataclass(frozen=True)
class TrainedRqVae:
  """What training gave: the step with the fewest collisions.

  Attributes:
    params: of `RqVae`, on the host.
    codebook_lkd: float32.
    collisions: share of the checked items that another one has the ID of.
    seconds: that it took.
  """

  params: dict[str, Any]
  codebook_lkd: np.ndarray
  collisions: float
  seconds: float


class VectorBatches:
  """Batches of vectors: batch i is a pure function of i, so runs resume.

  Every epoch has an order of its own; its last items that fill no batch are
  left out (others in each epoch, since the order differs).
  """

  def __init__(self, vector_nd: np.ndarray, batch: int, seed: int):
    """Draws nothing yet.

    Args:
      vector_nd: float32.
      batch: rows of a batch, at most N.
      seed: of the orders.
    """
    self._vector_nd, self._batch, self._seed = vector_nd, batch, seed
    self._order = functools.lru_cache(maxsize=1)(self._drawn)

  def batch_at(self, step: int) -> dict[str, np.ndarray]:
    """Returns batch number `step`: 'vector_bd', float32."""
    epoch, position = divmod(step, len(self._vector_nd) // self._batch)
    start = position * self._batch
    index_b = self._order(epoch)[start : start + self._batch]
    return {'vector_bd': self._vector_nd[index_b]}

  def _drawn(self, epoch: int) -> np.ndarray:
    rng = np.random.default_rng((self._seed, epoch))
    return rng.permutation(len(self._vector_nd))


def fit(
  vector_nd: np.ndarray,
  config: SemanticIdConfig,
  *,
  mesh: jax.sharding.Mesh,
  scratch: str | os.PathLike[str] | None = None,
  writer: metrics.Writer | None = None,
  saving: loop.Saving = loop.SAVING,
) -> TrainedRqVae:
  """Returns the trained autoencoder and its codebooks.

  Args:
    vector_nd: float32, of about unit variance.
    config: sizes, losses and optimiser.
    mesh: where it is trained, each device a part of every batch.
    scratch: of this training alone: where checkpoints go; an interrupted one
      goes on from there. None keeps none.
    writer: where metrics go; None for nowhere.
    saving: when checkpoints are saved.

  Raises:
    UserError: the batch does not divide over the mesh, a folder of another
      training, a loss that became NaN or infinite.
    Interrupted: a signal came; what was done is saved.
  """
  network = RqVae(
    RqVaeConfig(vector_nd.shape[1], config.hidden, config.code_width)
  )
  batches = VectorBatches(
    vector_nd, batch_size(len(vector_nd), config, mesh), config.seed
  )
  tx = config.optimizer().make()
  state = sharding.jit_init(
    functools.partial(rq_vae_step.begin, network, config, tx),
    mesh,
    batches.batch_at(0)['vector_bd'],
  )
  check_nd, rows = _checked_rows(vector_nd, config, mesh)
  step = sharding.jit_step(
    rq_vae_step.rq_vae_step(network, config, tx, rows), state, mesh
  )
  with contextlib.ExitStack() as stack:
    if scratch is None:
      scratch = stack.enter_context(tempfile.TemporaryDirectory())
      saving = dataclasses.replace(saving, seconds=float('inf'), steps=0)
    checkpointer = Checkpointer(scratch, identity=_identity(vector_nd, config))
    state, seconds = loop.run(
      lambda state, batch: step(
        state, sharding.place_batch(batch, mesh), check_nd
      ),
      state,
      Positions(batches.batch_at),
      checkpointer,
      writer or _Silent(pathlib.Path(scratch)),
      loop.LoopConfig(STAGE, config.steps, saving, write_every=10),
    )
    checkpointer.close()
  best = jax.device_get(state.best)
  return TrainedRqVae(
    best['network'],
    np.asarray(best['codebook_lkd']),
    float(state.best_share),
    seconds,
  )


def batch_size(
  items: int, config: SemanticIdConfig, mesh: jax.sharding.Mesh
) -> int:
  """Returns the rows of a batch: all items, over whole devices, or fewer.

  Args:
    items: that are trained on.
    config: of the batch.
    mesh: where it is trained.

  Raises:
    UserError: `batch` does not divide over the mesh, or the mesh has more parts
      than there are items.
  """
  sharding.check_batch(config.batch, mesh, 'batch')
  parts = mesh.shape['data'] * mesh.shape['fsdp']
  fits = min(config.batch, items // parts * parts)
  if not fits:
    sharding.check_batch(items, mesh, 'the number of items')
  return fits


def _checked_rows(
  vector_nd: np.ndarray, config: SemanticIdConfig, mesh: jax.sharding.Mesh
) -> tuple[jax.Array, int]:
  """Returns the vectors among which collisions are counted, and how many."""
  rows = min(len(vector_nd), config.check_rows)
  if rows < len(vector_nd):
    rng = np.random.default_rng((config.seed, 1))
    taken = np.sort(rng.choice(len(vector_nd), rows, replace=False))
    vector_nd = vector_nd[taken]
  parts = mesh.shape['data'] * mesh.shape['fsdp']
  padded_nd = np.pad(vector_nd, ((0, -rows % parts), (0, 0)))
  return sharding.place_batch(padded_nd, mesh), rows


def _identity(
  vector_nd: np.ndarray, config: SemanticIdConfig
) -> dict[str, Any]:
  """Returns of what a training is, for the note beside its checkpoints."""
  bytes_ = np.ascontiguousarray(vector_nd).view(np.uint8).data
  return {
    'stage': STAGE,
    'config': deviations(config),
    'hash of the vectors': hashlib.sha256(bytes_).hexdigest()[:16],
  }


class _Silent(metrics.Writer):
  """Takes metrics and keeps none."""

  def begin(self, stage: str, step: int) -> None:
    del stage, step

  def write(self, stage: str, step: int, values: dict[str, float]) -> None:
    del stage, step, values
