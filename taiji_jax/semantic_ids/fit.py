"""A quantiser fitted on item vectors."""

import dataclasses
import functools
import os

import jax
import numpy as np

from taiji_jax import metrics, sharding
from taiji_jax.quantize import balanced, kmeans, residual
from taiji_jax.semantic_ids import quantiser as quantiser_lib
from taiji_jax.semantic_ids import training, vectors
from taiji_jax.semantic_ids.config import SemanticIdConfig
from taiji_jax.semantic_ids.quantiser import Quantiser

_ROWS = ('data', 'fsdp')


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """A quantiser, and the codes of the items that it was fitted on.

  Attributes:
    quantiser: encodes any vector.
    code_nl: int32 in [0, K), before any repair. Those of `quantiser.encode`,
      but for 'balanced': there each cluster has its exact size.
  """

  quantiser: Quantiser
  code_nl: np.ndarray


def fit(
  vector_nd: np.ndarray,
  config: SemanticIdConfig,
  *,
  mesh: jax.sharding.Mesh | None = None,
  scratch: str | os.PathLike[str] | None = None,
  writer: metrics.Writer | None = None,
) -> Fitted:
  """Returns a quantiser and the codes of all items.

  Vectors are moved to mean 0 and scaled to mean variance 1 first, all alike.
  Of more than `config.fit_rows` items a part is fitted on and all are encoded,
  a part at a time, so that the vectors may lie in a file (`np.memmap`).

  Args:
    vector_nd: float, finite, a row an item.
    config: what is fitted and how.
    mesh: where, each device a part of the rows ('balanced' is fitted on one
      device); None for one device.
    scratch: of this training alone, where checkpoints of 'rq_vae' go; None
      keeps none.
    writer: where its metrics go; None for nowhere.

  Raises:
    UserError: the vectors are none, or not finite; as `training.fit`.
    Interrupted: a signal came; what was done is saved in `scratch`.
  """
  vectors.check(vector_nd)
  mesh = sharding.MeshConfig().make() if mesh is None else mesh
  taken_m = _taken(len(vector_nd), config)
  part_md = quantiser_lib.finite(
    vector_nd if taken_m is None else vector_nd[taken_m]
  )
  shift_d, scale = _standard(part_md)
  shape = (config.levels, config.codes)
  plain = Quantiser(
    method=config.method,
    shift_d=shift_d,
    scale=scale,
    codebook_lkd=np.zeros((*shape, 1), np.float32),
    price_lk=np.zeros(shape, np.float32),
  )
  found, own_ml = _fitted(
    plain, ((part_md - shift_d) * scale).astype(np.float32), config, mesh,
    scratch, writer,
  )  # fmt: skip
  code_nl = found.encode(
    vector_nd, mesh=mesh, rows=config.encode_rows, chunk=config.chunk
  )
  if own_ml is not None:
    code_nl[slice(None) if taken_m is None else taken_m] = own_ml
  return Fitted(found, code_nl)


def _taken(items: int, config: SemanticIdConfig) -> np.ndarray | None:
  """Returns the items to fit on, rising, None for all: one of each stretch."""
  many = config.fit_rows
  if not many or items <= many:
    return None
  edge = np.arange(many + 1) * items // many
  rng = np.random.default_rng((config.seed, 2))
  return rng.integers(edge[:-1], edge[1:])


def _standard(part_md: np.ndarray) -> tuple[np.ndarray, float]:
  """Returns the mean, and what makes the mean variance 1."""
  shift_d = part_md.mean(0, dtype=np.float64)
  variance = float(np.mean((part_md - shift_d) ** 2))
  # Of equal vectors only rounding is left.
  small = 1e-12 * max(float(np.mean(part_md**2)), 1e-30)
  scale = 1.0 if variance <= small else variance**-0.5
  return shift_d.astype(np.float32), float(np.float32(scale))


def _fitted(
  plain: Quantiser,
  x_md: np.ndarray,
  config: SemanticIdConfig,
  mesh: jax.sharding.Mesh,
  scratch: str | os.PathLike[str] | None,
  writer: metrics.Writer | None,
) -> tuple[Quantiser, np.ndarray | None]:
  """Returns the quantiser, and codes that `encode` does not give again."""
  if config.method == 'random':
    return _random(plain, config), None
  if config.method == 'rq_vae':
    trained = training.fit(
      x_md, config, mesh=mesh, scratch=scratch, writer=writer
    )
    return dataclasses.replace(
      plain, params=trained.params, codebook_lkd=trained.codebook_lkd
    ), None
  fit_codebooks = _balanced if config.method == 'balanced' else _kmeans
  found = jax.device_get(fit_codebooks(x_md, config, mesh))
  quantiser = dataclasses.replace(
    plain, codebook_lkd=found.codebook_lkd, price_lk=found.price_lk
  )
  return quantiser, found.code_nl if config.method == 'balanced' else None


def _random(plain: Quantiser, config: SemanticIdConfig) -> Quantiser:
  rng = np.random.default_rng((config.seed, 3))
  salt_ld = rng.integers(
    1 << 31, size=(config.levels, plain.width), dtype=np.uint32
  )
  grid_k = (np.arange(config.codes, dtype=np.float32) + 0.5) / config.codes
  return dataclasses.replace(
    plain,
    codebook_lkd=np.tile(grid_k[:, None], (config.levels, 1, 1)),
    salt_ld=2 * salt_ld + 1,
  )


def _kmeans(
  x_md: np.ndarray, config: SemanticIdConfig, mesh: jax.sharding.Mesh
) -> residual.Residual:
  """Returns codebooks of k-means, the rows split over the devices."""
  rows = len(x_md)
  parts = mesh.shape['data'] * mesh.shape['fsdp']
  cluster = functools.partial(
    kmeans.fit,
    codes=config.codes,
    start=config.start,
    start_rows=config.start_rows,
    iterations=config.iterations,
    tolerance=config.tolerance,
    chunk=config.chunk,
    rows=rows,
    axis=_ROWS,
  )
  whole, split = jax.P(), sharding.BATCH
  fitted = jax.jit(
    jax.shard_map(
      lambda key, x_nd: residual.fit(key, x_nd, config.levels, cluster),
      mesh=mesh,
      in_specs=(whole, split),
      out_specs=residual.Residual(whole, split, whole),
      check_vma=False,
    )
  )
  padded_nd = np.pad(x_md, ((0, -rows % parts), (0, 0)))
  return fitted(
    jax.random.key(config.seed), sharding.place_batch(padded_nd, mesh)
  )


def _balanced(
  x_md: np.ndarray, config: SemanticIdConfig, mesh: jax.sharding.Mesh
) -> residual.Residual:
  """Returns codebooks of equally large clusters, on one device."""
  del mesh
  cluster = functools.partial(
    balanced.fit,
    codes=config.codes,
    start=config.start,
    start_rows=config.start_rows,
    iterations=config.balanced_iterations,
    temperature=config.balance_temperature,
    chunk=config.chunk,
  )
  return jax.jit(
    lambda key, x_nd: residual.fit(key, x_nd, config.levels, cluster)
  )(jax.random.key(config.seed), x_md)
