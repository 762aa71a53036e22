"""Sampling completions from a decoder with a KV cache."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.decode.sampling import SampleConfig, draw
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import kv_cache
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import KVCache


@chex.dataclass(frozen=True)
class Completions:
  """What was sampled.

  Attributes:
    token_nc: int32 `[n, C]`, padded behind the end token.
    length_n: int32, tokens of each, the end token counted.
    logp_nc: float32, log-probability of each token under the policy that drew
      it (temperature and filters included; greedy: temperature 1); 0 behind the
      end.
    ended_n: bool, whether an end token was drawn within the limit.
  """

  token_nc: jax.Array
  length_n: jax.Array
  logp_nc: jax.Array
  ended_n: jax.Array


@chex.dataclass(frozen=True)
class Decoding:
  """Completions under way.

  Attributes:
    sampled: what was sampled so far.
    limit_n: int32, the most tokens of each row.
    seed_n: uint32, each row's own.
    logits_nv: of the next token.
    cache: keys and values of all before it.
  """

  sampled: Completions
  limit_n: jax.Array
  seed_n: jax.Array
  logits_nv: jax.Array
  cache: KVCache

  @property
  def done_n(self) -> jax.Array:
    """Returns which rows are finished, bool."""
    return self.sampled.ended_n | (self.sampled.length_n >= self.limit_n)


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
  decoder, params = decoder_lib.unstacked(decoder, params)
  decoding = start(decoder, params, prompt_bp, prompt_length_b, seed_n, config)
  return advance(decoder, params, decoding, config, config.max_tokens).sampled


def start(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  seed_n: jax.Array,
  config: SampleConfig,
  limit_n: jax.Array | None = None,
) -> Decoding:
  """Returns n completions of which nothing is drawn yet: the prompts are read.

  Args:
    decoder: the network, its blocks unstacked (`modules.decoder.unstacked`).
    params, prompt_bp, prompt_length_b, seed_n, config: as for `sample`.
    limit_n: int32, the most tokens of each row, at most `config.max_tokens`,
      which it is where None.
  """
  b, n, limit = len(prompt_bp), len(seed_n), config.max_tokens
  if n % b:
    raise ValueError(f'{n} seeds for {b} prompts; give a multiple.')
  last_bd, cache = decoder.apply(
    params,
    prompt_bp,
    prompt_length_b,
    n // b,
    limit,
    kv_cache.dtype_of(config.cache_dtype, decoder.config.dtype),
    method='prefill',
  )
  logits_bv = decoder.apply(params, last_bd, method='logits')
  return Decoding(
    sampled=Completions(
      token_nc=jnp.full((n, limit), config.pad_id, jnp.int32),
      length_n=jnp.zeros(n, jnp.int32),
      logp_nc=jnp.zeros((n, limit), jnp.float32),
      ended_n=jnp.zeros(n, bool),
    ),
    limit_n=jnp.full(n, limit, jnp.int32) if limit_n is None else limit_n,
    seed_n=jnp.asarray(seed_n, jnp.uint32),
    logits_nv=sharding.constrain_rows(jnp.repeat(logits_bv, n // b, 0)),
    cache=cache,
  )


def advance(
  decoder: Decoder,
  params: dict,
  decoding: Decoding,
  config: SampleConfig,
  tokens: int,
) -> Decoding:
  """Returns the completions up to `tokens` tokens longer.

  It ends as soon as all rows are finished.

  Args:
    decoder, params: as for `start`.
    decoding: to go on from; donate it where it isn't needed any more.
    config: the one it was started with.
    tokens: at most what the cache still holds.
  """
  first = decoding.cache.filled
  last = jnp.minimum(first + tokens, config.max_tokens)

  def more(now: Decoding) -> jax.Array:
    return (now.cache.filled < last) & ~now.done_n.all()

  def step(now: Decoding) -> Decoding:
    i, out = now.cache.filled, now.sampled
    token_n, logp_n = draw(now.logits_nv, now.seed_n, i, config)
    alive_n = ~now.done_n
    token_n = jnp.where(alive_n, token_n, config.pad_id)
    out = Completions(
      token_nc=out.token_nc.at[:, i].set(token_n),
      length_n=out.length_n + alive_n,
      logp_nc=out.logp_nc.at[:, i].set(jnp.where(alive_n, logp_n, 0.0)),
      ended_n=out.ended_n | (alive_n & config.ends(token_n)),
    )
    hidden_nd, cache = decoder.apply(
      params, token_n, now.cache, method='extend'
    )
    logits_nv = decoder.apply(params, hidden_nd, method='logits')
    return now.replace(sampled=out, logits_nv=logits_nv, cache=cache)

  return jax.lax.while_loop(more, step, decoding)
