"""Programs that are solved one after the other where a caller batches them."""

from collections.abc import Callable
from typing import Any

import jax

# The most objectives whose programs are solved side by side under `vmap`.
SIDE_BY_SIDE = 8

Solve = Callable[..., jax.Array]


def in_turns(solve: Solve) -> Solve:
  """Returns `solve`, whose `vmap` is a loop beyond `SIDE_BY_SIDE` objectives.

  Side by side, all programs of a batch go on until the slowest has ended, and
  XLA's CPU runtime hangs in nested loops over a batch of large matrices (a
  batch of 32 at K = 24 to 30). One by one, each ends when it ends.

  Args:
    solve: pytrees of arrays to weights; the first array is `[K, ...]`.
  """
  alone = jax.custom_batching.sequential_vmap(solve)

  def either(*arrays: Any) -> jax.Array:
    large = jax.tree.leaves(arrays)[0].shape[0] > SIDE_BY_SIDE
    return (alone if large else solve)(*arrays)

  return either
