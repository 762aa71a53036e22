"""Completions of any number of prompts: stop strings, rows let go."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.sample import Decoding, advance, start
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder


@dataclasses.dataclass(frozen=True)
class Generation:
  """One completion.

  Attributes:
    tokens: its ids, without the end token and cut before a stop string's first
      token where that is a token's border, else behind the token that made it.
    text: the decoded ids, cut before the stop string; '' without a tokenizer.
    logp: log-probability of each of `tokens` under the policy that drew it.
    reason: why it ended: 'end' (an end token), 'stop' (a stop string) or
      'length'.
  """

  tokens: tuple[int, ...]
  text: str
  logp: tuple[float, ...]
  reason: str


class Sampler:
  """A decoder ready to complete prompts of any length and number.

  Prompts of like length are decoded together; the G completions of a prompt
  share its cache; rows that are done are let go while the others go on. What a
  row draws depends on its prompt and its seed alone.
  """

  def __init__(
    self,
    decoder: Decoder,
    params: Any,
    config: SampleConfig,
    batch: BatchConfig | None = None,
    mesh: Mesh | None = None,
    decode: Callable[[Sequence[int]], str] | None = None,
  ):
    """Puts the blocks' parameters into arrays of their own.

    Args:
      decoder: the network.
      params: its variables.
      config: how to draw.
      batch: how prompts are put together; `BatchConfig()` where None.
      mesh: where it runs; one device where None.
      decode: ids -> text, for stop strings and `Generation.text`.
    """
    self._decoder, self._params = decoder_lib.unstacked(decoder, params)
    self._config, self._decode = config, decode
    self._batch = batch or BatchConfig()
    self._mesh = mesh or sharding.MeshConfig().make()
    parts = self._mesh.shape['data'] * self._mesh.shape['fsdp']
    self._parts = parts
    self._start = jax.jit(sharding.on(self._first, self._mesh))
    self._advance = jax.jit(
      sharding.on(self._next, self._mesh), donate_argnums=1
    )
    self._keep = jax.jit(_keep)

  def __call__(
    self,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    stop: Sequence[str] = (),
    limits: Sequence[int] | None = None,
    told: Callable[[int, int], None] | None = None,
  ) -> list[Generation]:
    """Returns the completions, those of a prompt next to each other.

    Args:
      prompts: token ids, at least one each.
      seeds: one a completion; G times as many as prompts.
      stop: texts that end a completion; they are not part of it.
      limits: the most tokens of each completion, up to `config.max_tokens`.
      told: called with (tokens drawn of the rows in progress, completions that
        are done) now and then: the first time once prompts are read.

    Raises:
      UserError: an empty prompt, a limit out of range, not one limit for each
        completion, stop strings without a tokenizer or not in a list.
    """
    group = self._check(prompts, seeds, stop, limits)
    found: list[Generation | None] = [None] * len(seeds)
    limit_n = np.full(len(seeds), self._config.max_tokens, np.int32)
    if limits is not None:
      limit_n[:] = limits
    lengths = [len(prompt) for prompt in prompts]
    own = group * self._config.max_tokens
    for index_b, count, bucket in self._batch.batches(
      lengths, own, self._parts
    ):
      prompt_bp = np.full((len(index_b), bucket), self._config.pad_id, np.int32)
      for row, i in zip(prompt_bp, index_b, strict=True):
        row[: len(prompts[i])] = prompts[i]
      length_b = np.array([lengths[i] for i in index_b], np.int32)
      own_n = (index_b[:, None] * group + np.arange(group)).reshape(-1)
      seed_n = np.array([seeds[i] for i in own_n], np.uint32)
      # What fills the batch up is finished before it begins.
      fill_n = np.repeat(np.arange(len(index_b)) >= count, group)
      batch = (prompt_bp, length_b, seed_n, np.where(fill_n, 0, limit_n[own_n]))
      own_n = np.where(fill_n, -1, own_n)

      def tell(decoding: Decoding) -> None:
        if told is not None:
          drawn = int(decoding.cache.filled)  # Waits for the devices.
          told(drawn, sum(x is not None for x in found))

      for i, generation in self._run(batch, own_n, tuple(stop), tell):
        found[i] = generation
    return found

  def _check(self, prompts, seeds, stop, limits) -> int:
    """Returns the group's size; raises where the arguments don't fit."""
    if not len(prompts):
      return 1
    if not len(seeds) or len(seeds) % len(prompts):
      raise ValueError(
        f'{len(seeds)} seeds for {len(prompts)} prompts; give a multiple.'
      )
    for i, prompt in enumerate(prompts):
      if isinstance(prompt, str):
        raise UserError(
          f'prompt {i} is a text; give its token ids, as'
          ' data.texts.encode(tokenizer, text) makes them.'
        )
      if not len(prompt):
        raise UserError(f'prompt {i} has no token; give it at least one.')
    self._check_stop(stop)
    if limits is not None:
      self._check_limits(limits, len(seeds))
    return len(seeds) // len(prompts)

  def _check_stop(self, stop: Sequence[str]) -> None:
    """Raises UserError where these are no stop strings."""
    if isinstance(stop, str):
      raise UserError(f'stop is the text {stop!r}; give [{stop!r}].')
    if stop and self._decode is None:
      raise UserError('stop strings need a tokenizer; give one as `decode`.')
    if '' in stop:
      raise UserError("'' as stop string would end every text; leave it out.")

  def _check_limits(self, limits: Sequence[int], count: int) -> None:
    """Raises UserError where there is not one for each, or one is too large."""
    if len(limits) != count:
      raise UserError(
        f'{len(limits)} limits for {count} completions; give one for each.'
      )
    for limit in limits:
      if not 1 <= limit <= self._config.max_tokens:
        raise UserError(
          f'a limit of {limit} tokens; give 1 to {self._config.max_tokens}'
          ' (max_tokens).'
        )

  def _run(
    self,
    batch: tuple,
    own_n: np.ndarray,
    stop: tuple[str, ...],
    tell: Callable[[Decoding], None],
  ) -> Iterator[tuple[int, Generation]]:
    """Yields (index, completion) of one batch, as rows finish."""
    placed = sharding.place_batch(batch, self._mesh)
    decoding = self._start(self._params, *placed)
    tell(decoding)
    while True:
      decoding = self._advance(self._params, decoding)
      tell(decoding)
      done_n, cuts = self._look(decoding, stop)
      if done_n.all():
        yield from self._finished(decoding, own_n, done_n, cuts)
        return
      group = len(own_n) // len(decoding.cache.prompt_length_b)
      going_b = np.flatnonzero(~done_n.reshape(-1, group).all(1))
      rows = self._parts
      while rows < len(going_b):
        rows *= 2
      if rows * 2 <= len(decoding.cache.prompt_length_b):
        yield from self._finished(decoding, own_n, done_n, cuts)
        # Filled up with rows that are done.
        rest = np.setdiff1d(np.arange(len(done_n) // group), going_b)
        going_b = np.sort(np.r_[going_b, rest[: rows - len(going_b)]])
        index_n = (going_b[:, None] * group + np.arange(group)).reshape(-1)
        decoding = self._keep(decoding, going_b, index_n, done_n)
        own_n = own_n[index_n]
      else:
        decoding = _end(decoding, done_n)

  def _look(
    self, decoding: Decoding, stop: tuple[str, ...]
  ) -> tuple[np.ndarray, dict[int, tuple[int, str]]]:
    """Returns which rows are done, and where stop strings cut which."""
    done_n = np.array(decoding.done_n)
    cuts = {}
    if not stop:
      return done_n, cuts
    token_nc = np.asarray(decoding.sampled.token_nc)
    length_n = np.asarray(decoding.sampled.length_n)
    for n, length in enumerate(length_n):
      cut = self._cut(token_nc[n, :length].tolist(), stop)
      if cut is not None:
        cuts[n], done_n[n] = cut, True
    return done_n, cuts

  def _cut(
    self, tokens: list[int], stop: tuple[str, ...]
  ) -> tuple[int, str] | None:
    """Returns (tokens to keep, text before the first stop string)."""
    text = self._decode(tokens)
    places = [p for p in (text.find(s) for s in stop) if p >= 0]
    if not places:
      return None
    before = text[: min(places)]
    low, high = 0, len(tokens)
    # The fewest tokens whose text begins with all before the stop. Of a letter
    # whose bytes are not all there the text has a mark, so lengths do not tell.
    while low < high:
      middle = (low + high) // 2
      if self._decode(tokens[:middle]).startswith(before):
        high = middle
      else:
        low = middle + 1
    return low, before

  def _finished(
    self, decoding: Decoding, own_n: np.ndarray, done_n: np.ndarray, cuts: dict
  ) -> Iterator[tuple[int, Generation]]:
    sampled = jax.device_get(decoding.sampled)
    for n in np.flatnonzero(done_n & (own_n >= 0)):
      length, reason = int(sampled.length_n[n]), 'length'
      text = None
      if n in cuts:
        (length, text), reason = cuts[n], 'stop'
      elif sampled.ended_n[n]:
        length, reason = length - 1, 'end'
      tokens = tuple(sampled.token_nc[n, :length].tolist())
      if text is None:
        text = self._decode(tokens) if self._decode else ''
      logp = tuple(sampled.logp_nc[n, :length].tolist())
      yield int(own_n[n]), Generation(tokens, text, logp, reason)

  def _first(self, params, prompt_bp, length_b, seed_n, limit_n) -> Decoding:
    return start(
      self._decoder, params, prompt_bp, length_b, seed_n, self._config, limit_n
    )

  def _next(self, params, decoding: Decoding) -> Decoding:
    return advance(
      self._decoder, params, decoding, self._config, self._batch.check_every
    )


@functools.partial(jax.jit, donate_argnums=0)
def _end(decoding: Decoding, done_n: jax.Array) -> Decoding:
  """Returns the completions with the rows of `done_n` ended."""
  limit_n = jnp.where(done_n, 0, decoding.limit_n)
  return decoding.replace(limit_n=limit_n)


def _keep(
  decoding: Decoding, index_b: jax.Array, index_n: jax.Array, done_n: jax.Array
) -> Decoding:
  """Returns the completions of some prompts only."""
  take_n = lambda x: x[index_n]  # noqa: E731
  cache = decoding.cache
  return decoding.replace(
    sampled=jax.tree.map(take_n, decoding.sampled),
    limit_n=take_n(jnp.where(done_n, 0, decoding.limit_n)),
    seed_n=take_n(decoding.seed_n),
    logits_nv=take_n(decoding.logits_nv),
    cache=cache.replace(
      prompts=jax.tree.map(lambda x: x[index_b], cache.prompts),
      completions=jax.tree.map(take_n, cache.completions),
      prompt_length_b=cache.prompt_length_b[index_b],
    ),
  )
