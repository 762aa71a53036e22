"""What a weighting rule is, and what it may look at."""

from collections.abc import Callable
import dataclasses
from typing import Any, NamedTuple

import jax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
  """What a rule may need; a caller fills in what it has.

  Attributes:
    gramian_kk: float `[K, K]`, <g_i, g_j> of the objectives' gradients.
    alignment_k: float `[K]`, I_k = <g_k, sum_j g_j>.
    reward_bgk: float `[b, g, K]`, rewards of g rollouts of b prompts.
    loss_k: float `[K]`.
    preference_k: float `[K]`, >= 0, sums to 1; other values are repaired as
      `preference.preferred` says.
  """

  gramian_kk: jax.Array | None = None
  alignment_k: jax.Array | None = None
  reward_bgk: jax.Array | None = None
  loss_k: jax.Array | None = None
  preference_k: jax.Array | None = None


class Weighting(NamedTuple):
  """A rule that weighs K objectives, as a pair of pure functions.

  Attributes:
    init: `num_objectives -> state`, a pytree of arrays with explicit dtypes.
    update: `(observation, state) -> (weights_k, state)`; jit-able, vmap-able.
    reads: what the rule looks at, so that a caller makes no more: 'gradients'
      (Gramian or alignment), 'rewards', 'losses' or 'nothing'.
  """

  init: Callable[[int], Any]
  update: Callable[[Observation, Any], tuple[jax.Array, Any]]
  reads: str = 'gradients'


def require(value: jax.Array | None, rule: str, field: str) -> jax.Array:
  """Returns `value`; raises ValueError naming the missing field where None."""
  if value is None:
    raise ValueError(
      f'{rule} needs Observation.{field}, which is None; fill it in.'
    )
  return value


def check_count(rule: str, num_objectives: int) -> None:
  """Returns nothing; raises ValueError where there is no objective."""
  if num_objectives < 1:
    raise ValueError(
      f'{rule}: {num_objectives} objectives; there must be at least one.'
    )
