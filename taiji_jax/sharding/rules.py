"""Where every parameter lies on the mesh: one strict table."""

import math
import re
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

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
  (
    r'(user|item)_(mlp_\d+|(click|conversion|bias)_head)/kernel',
    ('whole', 'whole'),
  ),
  (r'(user|item)_(mlp_\d+|(click|conversion|bias)_head)/bias', ('whole',)),
  # Semantic IDs: networks and codebooks are small.
  (r'(encoder|decoder)_\d+/kernel', ('whole', 'whole')),
  (r'(encoder|decoder)_\d+/bias', ('whole',)),
  (r'(codebook|sum)_lkd', ('whole', 'whole', 'whole')),
  (r'(use|count)_lk', ('whole', 'whole')),
)
# So is what lies below a node `recommender`: models over items (`spec_of`).


def path_text(path: tuple[Any, ...]) -> str:
  """Returns a pytree path as 'a/b/c'."""
  return jax.tree_util.keystr(path, simple=True, separator='/')


def spec_of(path: str, shape: tuple[int, ...], mesh: Mesh) -> P:
  """Returns the partition of one array.

  Raises:
    UserError: no rule matches, the rule has another number of axes, an axis of
      the mesh would be used twice, or a dimension does not divide.
  """
  if not shape or re.search(r'(^|/)recommender/', path):
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
      f'parameter {path} {shape} matches no rule of sharding.rules.RULES; add'
      ' one.'
    )
  if len(logical) != len(shape):
    raise UserError(
      f'parameter {path} has {len(shape)} axes, its sharding rule'
      f' {len(logical)} {logical}; mend sharding.rules.RULES.'
    )
  axes = [LOGICAL[name] for name in logical]
  used = [a for a in axes if a]
  if len(set(used)) < len(used):
    raise UserError(
      f'parameter {path}: {logical} puts two axes on one mesh axis; mend'
      ' sharding.rules.RULES.'
    )
  for size, axis in zip(shape, axes, strict=True):
    if axis and size % mesh.shape[axis]:
      raise UserError(
        f'parameter {path} {shape}: {size} does not divide by'
        f' mesh.{axis}={mesh.shape[axis]}; change the mesh or the width.'
      )
  return P(*axes)


def state_sharding(state: Any, mesh: Mesh) -> Any:
  """Returns a NamedSharding for every leaf of `state` (arrays or shapes)."""
  return jax.tree_util.tree_map_with_path(
    lambda path, x: NamedSharding(
      mesh, spec_of(path_text(path), tuple(x.shape), mesh)
    ),
    state,
  )


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
        ' in sharding.rules.RULES or LOGICAL, or choose another mesh.'
      )
