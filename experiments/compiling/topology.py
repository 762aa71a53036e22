"""The devices of a TPU slice that is not there, and the mesh over them."""

import importlib.util
import math
import os
import re

import jax
from jax.experimental import mesh_utils, topologies
from jax.sharding import Mesh
import numpy as np

from experiments.compiling.chips import CHIPS, Chip
from taiji_jax.errors import UserError
from taiji_jax.sharding import AXES, MeshConfig

FLAT = ('1x1', '2x2', '2x4', '4x4', '4x8', '8x8', '8x16', '16x16')
SOLID = ('1x1x1', '2x2x1', '2x2x2', '2x2x4', '2x4x4', '4x4x4', '4x4x8', '4x8x8',
         '8x8x8')  # fmt: skip
# Without these libtpu looks for the machine that it would run on.
_ENVIRONMENT = {
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-4',
  'TPU_WORKER_ID': '0',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
}


def check_name(name: str, num_slices: int) -> Chip:
  """Returns the kind of chip that a topology is made of.

  Raises:
    UserError: there is no such topology.
  """
  family, _, shape = name.partition(':')
  known = [
    f'{chip}:{{{",".join(FLAT if CHIPS[chip].axes == 2 else SOLID)}}}'
    for chip in CHIPS
  ]
  if family not in CHIPS or shape not in (
    FLAT if CHIPS[family].axes == 2 else SOLID
  ):
    raise UserError(
      f'--topology={name} is unknown; choose one of {"; ".join(known)}.'
    )
  if num_slices < 1:
    raise UserError(f'--num_slices is {num_slices}; give 1 or more.')
  return CHIPS[family]


def check_compiler() -> None:
  """Raises UserError where there is no compiler for TPUs."""
  if importlib.util.find_spec('libtpu') is None:
    raise UserError(
      'libtpu, the compiler for TPUs, is not installed; run pip install'
      f" 'jax[tpu]=={jax.__version__}'."
    )


def devices(name: str, num_slices: int = 1) -> list[jax.Device]:
  """Returns the devices of a topology: they compile, but don't run.

  Args:
    name: 'FAMILY:SHAPE', for instance 'v5e:16x16'.
    num_slices: how many of it, joined by a network.

  Raises:
    UserError: there is no such topology, or no compiler.
  """
  check_name(name, num_slices)
  check_compiler()
  for key, value in _ENVIRONMENT.items():
    os.environ.setdefault(key, value)
  family, _, shape = name.partition(':')
  options = {}
  if family == 'v4':
    options['chip_config_name'] = 'megacore'
  if num_slices > 1:
    options['num_slices'] = num_slices
  if math.prod(map(int, shape.split('x'))) == 1:
    options['chips_per_host_bounds'] = (1, 1, 1)
  return topologies.get_topology_desc(
    topology_name=name, platform='tpu', **options
  ).devices


def mesh_of(
  config: MeshConfig, found: list[jax.Device], num_slices: int = 1
) -> Mesh:
  """Returns the recipe's mesh; with several slices 'data' goes over them.

  Raises:
    UserError: it has another number of devices, or 'data' does not divide over
      the slices.
  """
  shape = (config.data, config.fsdp, config.tensor)
  check_size(config, len(found), 'mesh')
  if config.data % num_slices:
    raise UserError(
      f'mesh.data is {config.data}, but {num_slices} slices are joined along'
      f' it; set --config.mesh.data={num_slices} or a multiple.'
    )
  if num_slices > 1:
    grid = mesh_utils.create_hybrid_device_mesh(
      (config.data // num_slices, *shape[1:]),
      (num_slices, 1, 1),
      found,
      allow_split_physical_axes=True,
    )
  else:
    grid = mesh_utils.create_device_mesh(
      shape, found, allow_split_physical_axes=True
    )
  return _mesh(grid)


def check_size(config: MeshConfig, size: int, section: str) -> None:
  """Raises UserError where a mesh has another number of devices."""
  shape = (config.data, config.fsdp, config.tensor)
  if math.prod(shape) == size:
    return
  rest = config.data * config.tensor
  hint = (
    f'--config.{section}.fsdp={size // rest}'
    if size % rest == 0
    else f'--config.{section}.data=1 --config.{section}.fsdp={size}'
    f' --config.{section}.tensor=1'
  )
  raise UserError(
    f'{section}.data * {section}.fsdp * {section}.tensor ='
    f' {" * ".join(map(str, shape))} = {math.prod(shape)}, but the topology has'
    f' {size} devices; set {hint}.'
  )


def again(mesh: Mesh, config: MeshConfig) -> Mesh:
  """Returns another mesh over the same devices in the same order.

  Raises:
    UserError: it has another number of devices.
  """
  check_size(config, mesh.size, 'rollout_mesh')
  shape = (config.data, config.fsdp, config.tensor)
  return _mesh(mesh.devices.reshape(shape))


def _mesh(grid: np.ndarray) -> Mesh:
  return Mesh(grid, AXES, axis_types=(jax.sharding.AxisType.Auto,) * len(AXES))


def brief(error: Exception) -> str:
  """Returns the first line of what the compiler refused."""
  return re.sub(r'\s+', ' ', str(error).splitlines()[0])[:300]
