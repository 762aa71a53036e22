"""The mesh, and where every parameter lies on it: one strict table."""

from collections.abc import Callable
import dataclasses
import functools
import math
import re
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np

from taiji_jax.errors import UserError

AXES = ('data', 'fsdp', 'tensor')
BATCH = P(('data', 'fsdp'))

# Logical axis -> mesh axis.
LOGICAL = {
  'layers': None,
  'width': 'fsdp',
  'heads': 'tensor',
  'mlp': 'tensor',
  'vocab': 'tensor',
  'rows': 'fsdp',
  'rank': None,
  'whole': None,
}

# Parameter path (its end, so that optimiser moments match too) -> logical axes.
# The first match counts. Scalars need no rule: they are whole everywhere.
RULES = (
  (r'blocks/attention/(query|key|value)/kernel', ('layers', 'width', 'heads')),
  (r'blocks/attention/out/kernel', ('layers', 'heads', 'width')),
  (r'blocks/mlp/(gate|up)/kernel', ('layers', 'width', 'mlp')),
  (r'blocks/mlp/down/kernel', ('layers', 'mlp', 'width')),
  (r'blocks/attention/(query|key|value)/bias', ('layers', 'heads')),
  (r'blocks/attention/(query|key)_norm/scale', ('layers', 'whole')),
  (r'blocks/(attention|mlp)_norm/scale', ('layers', 'whole')),
  (r'blocks/.*/(query|key|value)/lora_a', ('layers', 'width', 'rank')),
  (r'blocks/.*/(query|key|value)/lora_b', ('layers', 'rank', 'heads')),
  (r'blocks/.*/out/lora_a', ('layers', 'heads', 'rank')),
  (r'blocks/.*/(gate|up)/lora_a', ('layers', 'width', 'rank')),
  (r'blocks/.*/(gate|up)/lora_b', ('layers', 'rank', 'mlp')),
  (r'blocks/.*/down/lora_a', ('layers', 'mlp', 'rank')),
  (r'blocks/.*/(out|down)/lora_b', ('layers', 'rank', 'width')),
  (r'final_norm/scale', ('whole',)),
  (r'embedding', ('vocab', 'width')),
  (r'head', ('width', 'vocab')),
  (r'weighting(/.*)?', ('whole',)),
  # The ID tower is small: whole on every device.
  (r'item_embedding', ('whole', 'whole')),
  (r'(category|profile)_embedding_\d+', ('whole', 'whole')),
  (r'item_bias', ('whole', 'whole')),
  (r'(user|item)_(mlp_\d+|head|bias_head)/kernel', ('whole', 'whole')),
  (r'(user|item)_(mlp_\d+|head|bias_head)/bias', ('whole',)),
)


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
          f'mesh.{name} is {getattr(self, name)}; it must be at least 1.'
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


def path_text(path: tuple[Any, ...]) -> str:
  """Returns a pytree path as 'a/b/c'."""
  return jax.tree_util.keystr(path, simple=True, separator='/')


def spec_of(path: str, shape: tuple[int, ...], mesh: Mesh) -> P:
  """Returns the partition of one array.

  Raises:
    UserError: no rule matches, the rule has another number of axes, an axis of
      the mesh would be used twice, or a dimension does not divide.
  """
  if not shape:
    return P()
  block = re.search(r'(^|/)blocks_\d+/', path)
  stacked = re.sub(r'(^|/)blocks_\d+/', r'\1blocks/', path)
  logical = next(
    (axes for rule, axes in RULES if re.search(rf'(^|/){rule}$', stacked)), None
  )
  if block and logical:
    logical = logical[1:]
  if logical is None:
    raise UserError(
      f'parameter {path} {shape} matches no rule of sharding.RULES; add one.'
    )
  if len(logical) != len(shape):
    raise UserError(
      f'parameter {path} has {len(shape)} axes, its sharding rule'
      f' {len(logical)} {logical}; mend sharding.RULES.'
    )
  axes = [LOGICAL[name] for name in logical]
  used = [a for a in axes if a]
  if len(set(used)) < len(used):
    raise UserError(
      f'parameter {path}: {logical} puts two axes on one mesh axis; mend'
      ' sharding.RULES.'
    )
  for size, axis in zip(shape, axes, strict=True):
    if axis and size % mesh.shape[axis]:
      raise UserError(
        f'parameter {path} {shape}: {size} does not divide by'
        f' mesh.{axis}={mesh.shape[axis]}; change the mesh or the width.'
      )
  return P(*axes)


def constrain_rows(x: jax.Array) -> jax.Array:
  """Returns `x`, its first axis split over data and fsdp; inside a jit_step."""
  mesh = jax.sharding.get_abstract_mesh()
  if mesh.empty or mesh.size == 1:
    return x
  return jax.lax.with_sharding_constraint(x, BATCH)


def constrain_embedded(x_btd: jax.Array) -> jax.Array:
  """Returns rows of a table as the table lies: each device its own width.

  The rows are then sent to where they are needed, a part each. Otherwise every
  device would gather the table and, for its gradient, hold a whole one.

  Args:
    x_btd: looked up in a table whose width is split over fsdp.
  """
  mesh = jax.sharding.get_abstract_mesh()
  b, d = x_btd.shape[0], x_btd.shape[-1]
  if mesh.empty or mesh.shape['fsdp'] == 1 or d % mesh.shape['fsdp']:
    return x_btd
  if b % mesh.shape['data']:
    return x_btd
  return jax.lax.with_sharding_constraint(x_btd, P('data', None, 'fsdp'))


def constrain_heads(tree: Any) -> Any:
  """Returns arrays `[rows, heads, ...]` with their heads split over tensor."""
  mesh = jax.sharding.get_abstract_mesh()
  if mesh.empty or mesh.size == 1:
    return tree
  return jax.tree.map(
    lambda x: jax.lax.with_sharding_constraint(
      x,
      P(
        ('data', 'fsdp'),
        'tensor' if x.shape[1] % mesh.shape['tensor'] == 0 else None,
      ),
    ),
    tree,
  )


def by_rows_and_heads(
  function: Callable[..., Any], heads: tuple[Any, ...], rows: tuple[Any, ...]
) -> Any:
  """Returns `function(*heads, *rows)`, each device with its rows and heads.

  For kernels, which the compiler can't split. What does not divide over the
  mesh is whole on every device; outside a jit_step the call is a plain one.

  Args:
    function: what it returns is `[rows, heads, ...]` as well.
    heads: pytrees of arrays `[rows, heads, ...]`.
    rows: pytrees of arrays `[rows, ...]`.
  """
  mesh = jax.sharding.get_abstract_mesh()
  if mesh.empty or mesh.size == 1:
    return function(*heads, *rows)
  leaves = jax.tree.leaves(heads)
  parts = mesh.shape['data'] * mesh.shape['fsdp']
  by_row = all(len(x) % parts == 0 for x in (*leaves, *jax.tree.leaves(rows)))
  by_head = all(x.shape[1] % mesh.shape['tensor'] == 0 for x in leaves)
  row = BATCH[0] if by_row else None
  own = P(row, 'tensor' if by_head else None)
  return jax.shard_map(
    function,
    in_specs=(*(own for _ in heads), *(P(row) for _ in rows)),
    out_specs=own,
    check_vma=False,
  )(*heads, *rows)


def check_sharded(shapes: Any, mesh: Mesh, limit_bytes: int) -> None:
  """Raises UserError where a large array would lie whole on every device.

  Args:
    shapes: parameters or a state, arrays or shapes.
    mesh: where they will lie; one that splits no parameter is not checked.
    limit_bytes: what may lie whole.
  """
  if mesh.shape['fsdp'] * mesh.shape['tensor'] == 1:
    return
  for path, x in jax.tree_util.tree_leaves_with_path(shapes):
    name, size = path_text(path), math.prod(x.shape) * x.dtype.itemsize
    split = [
      axis
      for axis in spec_of(name, tuple(x.shape), mesh)
      if axis and mesh.shape[axis] > 1
    ]
    if size > limit_bytes and not split:
      raise UserError(
        f'parameter {name} {tuple(x.shape)} of {size:,} bytes would lie whole'
        f' on every device, above the limit of {limit_bytes:,}; mend its rule'
        ' in sharding.RULES or LOGICAL, or choose another mesh.'
      )


def state_sharding(state: Any, mesh: Mesh) -> Any:
  """Returns a NamedSharding for every leaf of `state` (arrays or shapes)."""
  return jax.tree_util.tree_map_with_path(
    lambda path, x: NamedSharding(
      mesh, spec_of(path_text(path), tuple(x.shape), mesh)
    ),
    state,
  )


def constrain_gradients(gradients_k: Any, mesh: Mesh) -> Any:
  """Returns K gradients laid out as the parameters are, K whole on each device.

  Args:
    gradients_k: a pytree like the parameters, every leaf with a leading K;
      inside jit.
    mesh: where it runs.
  """
  return jax.tree_util.tree_map_with_path(
    lambda path, x: jax.lax.with_sharding_constraint(
      x,
      NamedSharding(
        mesh, P(None, *spec_of(path_text(path), tuple(x.shape[1:]), mesh))
      ),
    ),
    gradients_k,
  )


def gramian(gradients_k: Any, mesh: Mesh) -> jax.Array:
  """Returns <g_i, g_j>, float32 `[K, K]`, summed over the devices once.

  Every device contracts its own part of every leaf, and the K x K numbers of
  all leaves together are reduced; `pareto.gramian` reduces them leaf by leaf.

  Args:
    gradients_k: as `constrain_gradients` lays them out; inside jit.
    mesh: where it runs.
  """
  leaves = jax.tree_util.tree_flatten_with_path(gradients_k)[0]
  specs = [
    P(None, *spec_of(path_text(path), tuple(x.shape[1:]), mesh))
    for path, x in leaves
  ]

  def local(*parts: jax.Array) -> jax.Array:
    total = 0.0
    for x, spec in zip(parts, specs, strict=True):
      axes = tuple(range(1, x.ndim))
      product_kk = jnp.tensordot(
        x, x, axes=(axes, axes), preferred_element_type=jnp.float32
      )
      # A leaf that is whole along an axis is there that many times.
      copies = [mesh.shape[a] for a in AXES if a not in spec]
      total += product_kk / math.prod(copies)
    return jax.lax.psum(total, AXES)

  total = jax.shard_map(
    local, mesh=mesh, in_specs=tuple(specs), out_specs=P(), check_vma=False
  )(*(x for _, x in leaves))
  return (total + total.T) / 2


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
