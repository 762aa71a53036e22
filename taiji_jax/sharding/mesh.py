"""The mesh, and what is placed, made and stepped on it."""

from collections.abc import Callable
import dataclasses
import functools
import math
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.sharding.rules import AXES, BATCH, state_sharding


@dataclasses.dataclass(frozen=True)
class MeshConfig:
  """How many devices lie along each axis of the mesh.

  Attributes:
    data: copies of the parameters, each with a part of the batch.
    fsdp: parts of the parameters, gathered where needed, each with a part of
      the batch.
    tensor: parts of heads, MLP and vocabulary that work on the same batch.
  """

  data: int = 1
  fsdp: int = 1
  tensor: int = 1

  def __post_init__(self):
    for name in AXES:
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )

  def make(self) -> Mesh:
    """Returns the mesh over the first devices of this job."""
    shape = (self.data, self.fsdp, self.tensor)
    needed, devices = math.prod(shape), jax.devices()
    if needed > len(devices):
      raise UserError(
        f'mesh.data * mesh.fsdp * mesh.tensor = {needed}, but there are'
        f' {len(devices)} devices; make the mesh smaller.'
      )
    if needed < len(devices) and jax.process_count() > 1:
      raise UserError(
        f'mesh.data * mesh.fsdp * mesh.tensor = {needed} leaves'
        f' {len(devices) - needed} of {len(devices)} devices idle on some'
        ' host; make the mesh as large as the job.'
      )
    return jax.make_mesh(
      shape,
      AXES,
      devices=devices[:needed],
      axis_types=(jax.sharding.AxisType.Auto,) * 3,
    )


def check_batch(size: int, mesh: Mesh, field: str) -> None:
  """Raises UserError where the batch does not divide over the mesh."""
  parts = mesh.shape['data'] * mesh.shape['fsdp']
  if size % parts:
    raise UserError(
      f'{field} is {size}, which does not divide by mesh.data * mesh.fsdp ='
      f' {parts}; change one of them.'
    )


def place(tree: Any, shardings: Any) -> Any:
  """Returns `tree` on the devices, laid out by `shardings`."""
  return jax.tree.map(jax.device_put, tree, shardings)


def place_batch(batch: Any, mesh: Mesh) -> Any:
  """Returns `batch` on the devices, its first axis split over data and fsdp.

  With several hosts each gives its own part of the batch.
  """
  sharding = NamedSharding(mesh, BATCH)
  return jax.tree.map(
    lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)),
    batch,
  )


def jit_init(init: Callable[..., Any], mesh: Mesh, *args: Any) -> Any:
  """Returns `init(*args)`, each array made where it will live."""
  shapes = jax.eval_shape(init, *args)
  return jax.jit(init, out_shardings=state_sharding(shapes, mesh))(*args)


def jit_step(step: Callable[..., Any], state: Any, mesh: Mesh):
  """Returns `step` compiled: the state donated, laid out as it came.

  Args:
    step: `(state, batch, *more) -> (state, metrics)`, pure.
    state: an example (arrays or shapes).
    mesh: where it runs.
  """
  shardings = state_sharding(state, mesh)
  whole = NamedSharding(mesh, P())
  return jax.jit(
    on(step, mesh), donate_argnums=0, out_shardings=(shardings, whole)
  )


def on(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
  """Returns `function`, traced where `constrain_rows` knows the mesh."""

  @functools.wraps(function)
  def placed(*args: Any) -> Any:
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
      return function(*args)

  return placed
