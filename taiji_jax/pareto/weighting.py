"""What a weighting rule is, and what it may look at."""

from collections.abc import Callable
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


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


def require(
  value: ArrayLike | None, rule: str, field: str, ndim: int | None = None
) -> jax.Array:
  """Returns an observation's field, float32, through which no gradient goes.

  Weights are constants of the step: inside a loss, their own slope would be
  taken for the objectives', and may turn its sign.

  Args:
    value: what the field holds; a list of numbers will do.
    rule: who asks; named in the error.
    field: of `Observation`.
    ndim: how many axes it must have; None where the caller looks itself.

  Raises:
    ValueError: the field is None, not an array of numbers, or has not `ndim`
      axes.
  """
  if value is None:
    raise ValueError(
      f'{rule} needs Observation.{field}, which is None; fill it in.'
    )
  array = as_array(value, rule, f'Observation.{field}')
  if ndim is not None and array.ndim != ndim:
    raise ValueError(
      f'{rule}: Observation.{field} has the shape {array.shape}; it must have'
      f' {ndim} {"axis" if ndim == 1 else "axes"}.'
    )
  return jax.lax.stop_gradient(array.astype(jnp.float32))


def as_array(value: ArrayLike, rule: str, name: str) -> jax.Array:
  """Returns `value` as an array.

  Raises:
    ValueError: it is none of numbers, or its rows differ in length.
  """
  try:
    return jnp.asarray(value)
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'{rule}: {name} is a {type(value).__name__} that makes no array of'
      f' numbers ({error}).'
    ) from error


def check_size(rule: str, found: int, state: int) -> None:
  """Returns nothing; raises ValueError where a state is of other objectives."""
  if found != state:
    raise ValueError(
      f'{rule}: {found} objectives observed, the state is of {state}; make it'
      f' by init({found}).'
    )


def check_count(rule: str, num_objectives: int) -> None:
  """Returns nothing; raises ValueError where there is no objective."""
  if num_objectives < 1:
    raise ValueError(
      f'{rule}: {num_objectives} objectives; there must be at least one.'
    )
