"""One token from logits: temperature, top-k, top-p, min-p, and its log p."""

import dataclasses

import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.modules import kv_cache

# Numbers of the vocabulary whose masses are summed first; see `draw`.
_BLOCK = 256


@dataclasses.dataclass(frozen=True)
class SampleConfig:
  """How completions are drawn.

  The order is that of `transformers`: temperature, then top-k, top-p, min-p.

  Attributes:
    max_tokens: the longest completion, its end token counted.
    temperature: logits are divided by it; 0 takes the likeliest token.
    eos_id: the token that ends a completion.
    pad_id: fills what lies behind the end.
    top_k: only the k likeliest tokens (and those level with the k-th); 0 takes
      all.
    top_p: only the likeliest tokens that together reach this mass.
    min_p: only tokens at least this times as likely as the likeliest.
    stop_ids: more tokens that end a completion.
    cache_dtype: what keys and values are stored in: 'model' (as computed),
      'bfloat16', 'float32' or 'int8' (with a scale each, a quarter of float32).
  """

  max_tokens: int
  temperature: float
  eos_id: int
  pad_id: int
  top_k: int = 0
  top_p: float = 1.0
  min_p: float = 0.0
  stop_ids: tuple[int, ...] = ()
  cache_dtype: str = 'model'

  def __post_init__(self):
    if self.max_tokens < 1:
      raise UserError(
        f'the completion limit is {self.max_tokens} tokens; it must be at'
        ' least 1.'
      )
    if not self.temperature >= 0:
      raise UserError(
        f'the sampling temperature is {self.temperature}; it must be 0'
        ' (greedy) or more.'
      )
    if self.top_k < 0:
      raise UserError(f'top_k is {self.top_k}; give 0 (all) or more.')
    if not 0 < self.top_p <= 1:
      raise UserError(f'top_p is {self.top_p}; it must lie in (0, 1].')
    if not 0 <= self.min_p <= 1:
      raise UserError(f'min_p is {self.min_p}; it must lie in [0, 1].')
    kv_cache.dtype_of(self.cache_dtype, 'float32')

  @property
  def filters(self) -> bool:
    """Returns whether some tokens are left out."""
    return self.top_k > 0 or self.top_p < 1 or self.min_p > 0

  def ends(self, token_n: jax.Array) -> jax.Array:
    """Returns which tokens end a completion, bool."""
    end_n = token_n == self.eos_id
    for stop in self.stop_ids:
      end_n |= token_n == stop
    return end_n


def draw(
  logits_nv: jax.Array, seed_n: jax.Array, i: jax.Array, config: SampleConfig
) -> tuple[jax.Array, jax.Array]:
  """Returns token i of each row, int32, and its log-probability, `[n]` each.

  The log-probability is the one under the policy that drew: temperature and
  filters included, so that it sums to 1 over what could have been drawn. Greedy
  rows have that of temperature 1.

  One uniform number a row is looked up in the distribution function: block sums
  first, then inside one block, which needs no random numbers and no sort over
  the vocabulary.

  Args:
    logits_nv: float32.
    seed_n: uint32, a seed a row.
    i: int32 scalar, which token of the completion it is.
    config: how to draw.
  """
  if config.temperature == 0:
    token_n = logits_nv.argmax(-1).astype(jnp.int32)
    return token_n, _log_softmax_at(logits_nv, token_n)
  logits_nv = logits_nv / config.temperature
  mass_nv = jnp.exp(logits_nv - logits_nv.max(-1, keepdims=True))
  if config.filters:
    mass_nv = jnp.where(kept(mass_nv, config), mass_nv, 0.0)
  u_n = jax.vmap(
    lambda seed: jax.random.uniform(
      jax.random.fold_in(jax.random.key(seed), i), dtype=jnp.float32
    )
  )(seed_n)
  token_n, total_n = _look_up(mass_nv, u_n)
  own_n = jnp.take_along_axis(mass_nv, token_n[:, None], -1)[:, 0]
  return token_n, jnp.log(own_n) - jnp.log(total_n)


def kept(mass_nv: jax.Array, config: SampleConfig) -> jax.Array:
  """Returns which tokens top-k, top-p and min-p leave, bool `[n, v]`.

  Thresholds are found by bisection over the bits of a float, which is exact and
  needs no sort. The likeliest token always stays.

  Args:
    mass_nv: float32, probabilities times any number.
    config: the limits.
  """
  if 0 < config.top_k < mass_nv.shape[-1]:
    enough = lambda at_least_nv: (  # noqa: E731
      at_least_nv.sum(-1) >= config.top_k
    )
    mass_nv = jnp.where(_above(mass_nv, enough), mass_nv, 0.0)
  if config.top_p < 1:
    goal_n = config.top_p * mass_nv.sum(-1)
    reaches = lambda at_least_nv: (  # noqa: E731
      jnp.where(at_least_nv, mass_nv, 0.0).sum(-1) >= goal_n
    )
    mass_nv = jnp.where(_above(mass_nv, reaches), mass_nv, 0.0)
  keep_nv = mass_nv >= config.min_p * mass_nv.max(-1, keepdims=True)
  return keep_nv & (mass_nv > 0)


def _above(mass_nv: jax.Array, holds) -> jax.Array:
  """Returns mass >= the largest threshold for which `holds` does, `[n, v]`."""
  bits_nv = jax.lax.bitcast_convert_type(mass_nv, jnp.int32)

  def halve(_, bounds):
    low_n, high_n = bounds  # `holds` at low, not at high.
    middle_n = low_n + (high_n - low_n) // 2
    yes_n = holds(bits_nv >= middle_n[:, None])
    return jnp.where(yes_n, middle_n, low_n), jnp.where(yes_n, high_n, middle_n)

  high_n = bits_nv.max(-1) + 1
  low_n, _ = jax.lax.fori_loop(0, 31, halve, (jnp.zeros_like(high_n), high_n))
  return bits_nv >= low_n[:, None]


def _look_up(mass_nv: jax.Array, u_n: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns the token whose stretch of the masses holds u, and the sum."""
  n, v = mass_nv.shape
  mass_nkw = jnp.pad(mass_nv, ((0, 0), (0, -v % _BLOCK))).reshape(n, -1, _BLOCK)
  block_nk = mass_nkw.sum(-1)
  upto_nk = jnp.cumsum(block_nk, -1)
  total_n = upto_nk[:, -1]
  goal_n = u_n * total_n
  block_n = _first_above(block_nk, upto_nk, goal_n)
  before_n = jnp.where(
    block_n > 0,
    jnp.take_along_axis(upto_nk, jnp.maximum(block_n - 1, 0)[:, None], -1)[
      :, 0
    ],
    0.0,
  )
  own_nw = jnp.take_along_axis(mass_nkw, block_n[:, None, None], 1)[:, 0]
  upto_nw = jnp.cumsum(own_nw, -1)
  inner_n = _first_above(own_nw, upto_nw, goal_n - before_n)
  return block_n * _BLOCK + inner_n, total_n


def _first_above(
  mass_nk: jax.Array, upto_nk: jax.Array, goal_n: jax.Array
) -> jax.Array:
  """Returns the first index above the goal, of those that have a mass, int32.

  Rounding may leave none above; then it is the last that has a mass. Where the
  sums are of many, they may also grow where there is no mass.

  Args:
    mass_nk: >= 0, one above 0 in each row.
    upto_nk: their sums up to each.
    goal_n: in [0, sum).
  """
  some_nk = mass_nk > 0
  above_nk = some_nk & (upto_nk > goal_n[:, None])
  last_n = some_nk.shape[-1] - 1 - some_nk[:, ::-1].argmax(-1)
  found_n = jnp.where(above_nk.any(-1), above_nk.argmax(-1), last_n)
  return found_n.astype(jnp.int32)


def _log_softmax_at(logits_nv: jax.Array, token_n: jax.Array) -> jax.Array:
  own_n = jnp.take_along_axis(logits_nv, token_n[:, None], -1)[:, 0]
  return own_n - jax.nn.logsumexp(logits_nv, -1)
