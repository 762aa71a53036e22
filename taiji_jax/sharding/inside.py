"""Constraints and reductions inside a jitted step."""

from collections.abc import Callable
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from taiji_jax.sharding.rules import AXES, BATCH, path_text, spec_of


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
        x,
        x,
        axes=(axes, axes),
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
      )
      # A leaf that is whole along an axis is there that many times.
      copies = [mesh.shape[a] for a in AXES if a not in spec]
      total += product_kk / math.prod(copies)
    return jax.lax.psum(total, AXES)

  total = jax.shard_map(
    local, mesh=mesh, in_specs=tuple(specs), out_specs=P(), check_vma=False
  )(*(x for _, x in leaves))
  return (total + total.T) / 2
