"""How arrays lie on a mesh: the table, the mesh, constraints inside a step.

Stages call these functions; a new parameter gets its row in `rules.RULES`.
"""

from taiji_jax.sharding.inside import (
  by_rows_and_heads,
  constrain_embedded,
  constrain_gradients,
  constrain_heads,
  constrain_rows,
  gramian,
)
from taiji_jax.sharding.mesh import (
  MeshConfig,
  check_batch,
  jit_init,
  jit_step,
  on,
  place,
  place_batch,
)
from taiji_jax.sharding.rules import (
  AXES,
  BATCH,
  LOGICAL,
  RULES,
  check_sharded,
  path_text,
  spec_of,
  state_sharding,
)

__all__ = [
  'AXES',
  'BATCH',
  'LOGICAL',
  'MeshConfig',
  'RULES',
  'by_rows_and_heads',
  'check_batch',
  'check_sharded',
  'constrain_embedded',
  'constrain_gradients',
  'constrain_heads',
  'constrain_rows',
  'gramian',
  'jit_init',
  'jit_step',
  'on',
  'path_text',
  'place',
  'place_batch',
  'spec_of',
  'state_sharding',
]
