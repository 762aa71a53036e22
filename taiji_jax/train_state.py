"""What a training step changes, and the optimiser it changes it with."""

import dataclasses
import hashlib
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import sharding
from taiji_jax.errors import UserError

_TAKEN = 64


@chex.dataclass(frozen=True)
class TrainState:
  """All that changes from step to step, and so all that is checkpointed.

  Attributes:
    step: int32 scalar, updates done.
    params: the network's parameters, plain arrays.
    opt_state: optax's.
    weighting: the weighting rule's state; `()` outside RL.
    seed: uint32 scalar, the root of the randomness; step and row are folded in.
  """

  step: jax.Array
  params: Any
  opt_state: Any
  weighting: Any
  seed: jax.Array


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """AdamW with a warm-up, then constant or cosine to zero.

  Attributes:
    lr: peak learning rate.
    steps: updates in all.
    warmup: updates over which the rate rises from 0.
    schedule: after the warm-up, 'constant' or 'cosine' (to zero).
    weight_decay: AdamW's, on matrices only.
    clip_norm: gradients are scaled down to this global norm.
    b2: decay of AdamW's second moment.
  """

  lr: float
  steps: int
  warmup: int = 0
  schedule: str = 'cosine'
  weight_decay: float = 0.0
  clip_norm: float = 1.0
  b2: float = 0.99

  def __post_init__(self):
    for name in ('lr', 'steps', 'clip_norm'):
      if not getattr(self, name) > 0:
        raise UserError(f'{name} is {getattr(self, name)}; it must be above 0.')
    if not self.weight_decay >= 0:
      raise UserError(
        f'weight_decay is {self.weight_decay}; it must be 0 or more.'
      )
    if not 0 <= self.b2 < 1:
      raise UserError(f'b2 is {self.b2}; it must lie in [0, 1).')
    if not 0 <= self.warmup <= self.steps:
      raise UserError(
        f'warmup is {self.warmup}; it must lie between 0 and'
        f' steps={self.steps}.'
      )
    if self.schedule not in ('constant', 'cosine'):
      raise UserError(
        f"schedule is {self.schedule!r}; choose 'constant' or 'cosine'."
      )

  def make(self) -> optax.GradientTransformation:
    """Returns the optimiser."""
    after = max(self.steps - self.warmup, 1)
    rate = (
      optax.cosine_decay_schedule(self.lr, after)
      if self.schedule == 'cosine'
      else optax.constant_schedule(self.lr)
    )
    if self.warmup:
      rise = optax.linear_schedule(
        self.lr / (self.warmup + 1), self.lr, self.warmup
      )
      rate = optax.join_schedules([rise, rate], [self.warmup])
    return optax.chain(
      optax.clip_by_global_norm(self.clip_norm),
      optax.adamw(
        rate,
        b2=self.b2,
        weight_decay=self.weight_decay,
        mask=decayed,
      ),
    )


def decayed(params: Any) -> Any:
  """Returns which parameters weight decay draws to zero: the matrices.

  Norm scales and biases are none, also where they are stacked over layers.
  """
  return jax.tree_util.tree_map_with_path(
    lambda path, x: (
      x.ndim > 1 and not sharding.path_text(path).endswith(('/scale', '/bias'))
    ),
    params,
  )


def create(
  params: Any,
  tx: optax.GradientTransformation,
  seed: int,
  weighting: Any = (),
) -> TrainState:
  """Returns the state before the first step."""
  return TrainState(
    step=jnp.int32(0),
    params=params,
    opt_state=tx.init(params),
    weighting=weighting,
    seed=jnp.uint32(seed),
  )


def joined(params: Any, frozen: Any = None) -> Any:
  """Returns all variables of a network: the trained ones and the others.

  Args:
    params: what is trained, `{collection: ...}` where something is frozen.
    frozen: other collections, None where everything is trained.
  """
  return params if frozen is None else {**frozen, **params}


def advance(
  state: TrainState,
  tx: optax.GradientTransformation,
  gradient: Any,
  finite: jax.Array,
  weighting: Any = (),
) -> TrainState:
  """Returns the state after one update; as it was where not `finite`.

  So a NaN never reaches the parameters; the loop reads the flag and stops.
  """
  updates, opt_state = tx.update(gradient, state.opt_state, state.params)
  new = state.replace(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    opt_state=opt_state,
    weighting=weighting,
  )
  return jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)


def digest(tree: Any) -> str:
  """Returns a hash of some numbers of every array, and of all shapes.

  The same wherever the arrays lie. Two trainings' parameters differ nearly
  everywhere, so a few numbers of each array tell them apart.

  Args:
    tree: a pytree of arrays, or None.
  """
  flat = jax.tree_util.tree_leaves_with_path(tree)
  taken = jax.device_get(jax.jit(_some)([x for _, x in flat]))
  found = hashlib.sha256()
  for (path, leaf), numbers in zip(flat, taken, strict=True):
    found.update(f'{jax.tree_util.keystr(path)} {jnp.shape(leaf)}'.encode())
    found.update(np.ascontiguousarray(numbers).tobytes())
  return found.hexdigest()[:16]


def _some(leaves: list[jax.Array]) -> list[jax.Array]:
  """Returns up to `_TAKEN` numbers of each array, evenly spaced."""
  found = []
  for x in leaves:
    at = np.linspace(0, max(x.size - 1, 0), min(_TAKEN, x.size)).astype(int)
    found.append(x[np.unravel_index(at, x.shape)] if x.ndim else x)
  return found
