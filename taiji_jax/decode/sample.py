"""Sampling completions from a decoder with a KV cache."""

import dataclasses

import chex
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import KVCache


@dataclasses.dataclass(frozen=True)
class SampleConfig:
  """How completions are drawn.

  Attributes:
    max_tokens: the longest completion, its end token counted.
    temperature: logits are divided by it; 0 takes the likeliest token.
    eos_id: the token that ends a completion.
    pad_id: fills what lies behind the end.
  """

  max_tokens: int
  temperature: float
  eos_id: int
  pad_id: int

  def __post_init__(self):
    if self.max_tokens < 1:
      raise UserError(
        f'the completion limit is {self.max_tokens} tokens; it must be at'
        ' least 1.'
      )
    if self.temperature < 0:
      raise UserError(
        f'the sampling temperature is {self.temperature}; it must be 0'
        ' (greedy) or more.'
      )


@chex.dataclass(frozen=True)
class Completions:
  """What was drawn.

  Attributes:
    token_nc: int32 `[n, C]`, padded behind the end token.
    length_n: int32, tokens of each, the end token counted.
    logp_nc: float32, log-probability of each token under the policy that drew
      it (temperature included; greedy: temperature 1); 0 behind the end.
    ended_n: bool, whether the end token was drawn within the limit.
  """

  token_nc: jax.Array
  length_n: jax.Array
  logp_nc: jax.Array
  ended_n: jax.Array


def sample(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  seed_n: jax.Array,
  config: SampleConfig,
) -> Completions:
  """Returns n = b * G completions, the G of a prompt next to each other.

  A prompt is read once and its cache shared by its G rollouts. Row i depends on
  its prompt and `seed_n[i]` alone, not on the rows beside it. The loop ends as
  soon as all rows have ended.

  Args:
    decoder: the network.
    params: its parameters.
    prompt_bp: int32 `[b, P]`, padded on the right.
    prompt_length_b: int32, each at least 1.
    seed_n: uint32 `[n]` seeds, n a multiple of b.
    config: how to draw.
  """
  b, p = prompt_bp.shape
  n, limit = seed_n.shape[0], config.max_tokens
  if n % b:
    raise ValueError(f'{n} seeds for {b} prompts; give a multiple.')
  logits_bv, cache = _prefill(
    decoder, params, prompt_bp, prompt_length_b, p + limit
  )
  key_n = jax.vmap(jax.random.key)(seed_n)
  length_n = jnp.repeat(prompt_length_b, n // b)

  def more(carry) -> jax.Array:
    i, out, _, _ = carry
    return (i < limit) & ~out.ended_n.all()

  def step(carry):
    i, out, logits_nv, cache = carry
    token_n, logp_n = _draw(logits_nv, key_n, i, config.temperature)
    alive_n = ~out.ended_n
    token_n = jnp.where(alive_n, token_n, config.pad_id)
    out = Completions(
      token_nc=out.token_nc.at[:, i].set(token_n),
      length_n=out.length_n + alive_n,
      logp_nc=out.logp_nc.at[:, i].set(jnp.where(alive_n, logp_n, 0.0)),
      ended_n=out.ended_n | (alive_n & (token_n == config.eos_id)),
    )
    hidden_n1d, cache = decoder.apply(
      params,
      token_n[:, None],
      (length_n + i)[:, None],
      alive_n[:, None],
      cache,
      p + i,
      method='extend',
    )
    logits_nv = decoder.apply(params, hidden_n1d[:, 0], method='logits')
    return i + 1, out, logits_nv, cache

  out = Completions(
    token_nc=jnp.full((n, limit), config.pad_id, jnp.int32),
    length_n=jnp.zeros(n, jnp.int32),
    logp_nc=jnp.zeros((n, limit), jnp.float32),
    ended_n=jnp.zeros(n, bool),
  )
  start = (
    jnp.int32(0),
    out,
    jnp.repeat(logits_bv, n // b, 0),
    cache.repeat(n // b),
  )
  return jax.lax.while_loop(more, step, start)[1]


def _prefill(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  slots: int,
) -> tuple[jax.Array, KVCache]:
  """Returns the logits after each prompt `[b, v]`, and the prompts' cache."""
  b, p = prompt_bp.shape
  slot_p = jnp.arange(p)
  hidden_bpd, cache = decoder.apply(
    params,
    prompt_bp,
    jnp.minimum(slot_p[None], prompt_length_b[:, None] - 1),
    slot_p[None] < prompt_length_b[:, None],
    decoder.apply(params, b, slots, method='empty_cache'),
    jnp.int32(0),
    method='extend',
  )
  last_bd = jnp.take_along_axis(
    hidden_bpd, (prompt_length_b - 1)[:, None, None], axis=1
  )[:, 0]
  return decoder.apply(params, last_bd, method='logits'), cache


def _draw(
  logits_nv: jax.Array, key_n: jax.Array, i: jax.Array, temperature: float
) -> tuple[jax.Array, jax.Array]:
  """Returns token i of each row and its log-probability, `[n]` each."""
  if temperature == 0:
    token_n = logits_nv.argmax(-1)
  else:
    logits_nv = logits_nv / temperature
    token_n = jax.vmap(
      lambda key, x: jax.random.categorical(jax.random.fold_in(key, i), x)
    )(key_n, logits_nv)
  logp_nv = jax.nn.log_softmax(logits_nv)
  logp_n = jnp.take_along_axis(logp_nv, token_n[:, None], -1)[:, 0]
  return token_n.astype(jnp.int32), logp_n
