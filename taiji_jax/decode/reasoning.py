"""Greedy reasoning up to where the answer begins, with the prompts' cache."""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.data.markers import ANSWER_OPEN
from taiji_jax.decode.sample import Decoding, advance, start
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import Slots

# Rows that go on move to a smaller batch once they are this part of it.
_PART = 4


class Tokenizer(Protocol):
  """What is asked of a tokenizer."""

  pad_id: int
  eos_id: int

  def encode(self, text: str) -> list[int]:
    """Returns the ids of `text`, without bos and eos."""
    ...

  def decode(self, ids: Sequence[int]) -> str:
    """Returns the text of ids."""
    ...


class Reasoner:
  """Writes greedily until a tag opens the answer, and then no more.

  Where that tag is one token the loop ends there. Else the text is looked at
  now and then, so that some tokens of the answer may be written as well.
  """

  def __init__(
    self,
    decoder: Decoder,
    tokenizer: Tokenizer,
    max_tokens: int,
    mesh: Mesh,
    check_every: int = 8,
  ):
    """Makes the functions.

    Args:
      decoder: the network, its blocks unstacked.
      tokenizer: text to ids and back.
      max_tokens: the longest reasoning, tags counted.
      mesh: where it runs.
      check_every: tokens between two looks at which rows are done.
    """
    tag = tokenizer.encode(ANSWER_OPEN)
    self._one_token = len(tag) == 1
    self._config = SampleConfig(
      max_tokens=max_tokens,
      temperature=0.0,
      eos_id=tokenizer.eos_id,
      pad_id=tokenizer.pad_id,
      stop_ids=tuple(tag) if self._one_token else (),
    )
    self._decoder, self._decode = decoder, tokenizer.decode
    self._mesh, self._every = mesh, check_every
    self._parts = mesh.shape['data'] * mesh.shape['fsdp']
    self._start = jax.jit(sharding.on(self._first, mesh))
    self._advance = jax.jit(sharding.on(self._next, mesh), donate_argnums=2)

  def __call__(
    self,
    params: Any,
    prompt_bp: np.ndarray,
    length_b: np.ndarray,
    count: int,
  ) -> tuple[list[list[int]], tuple[Slots, ...]]:
    """Returns what is written to each prompt, and the prompts' cache.

    Args:
      params: of the decoder, on the mesh.
      prompt_bp: int32, padded on the right.
      length_b: int32, at least 1.
      count: how many of them count; the others fill the batch up.
    """
    limit = self._config.max_tokens
    limit_b = np.where(np.arange(len(length_b)) < count, limit, 0)
    batch = (prompt_bp, length_b, limit_b.astype(np.int32))
    cached, now = self._start(params, *sharding.place_batch(batch, self._mesh))
    written: list[list[int]] = [[] for _ in length_b]
    own_n, prompts = np.arange(len(length_b)), cached
    while True:
      now = self._advance(params, prompts, now)
      done_n = self._look(now, own_n, written)
      if done_n.all():
        return written[:count], cached
      rows = len(done_n)
      going_n = np.flatnonzero(~done_n)
      least = max(len(going_n), self._parts)
      while rows % _PART == 0 and rows // _PART >= least:
        rows //= _PART
      if rows < len(done_n) or not self._one_token:
        # Filled up with rows that are done.
        rest = np.flatnonzero(done_n)[: rows - len(going_n)]
        index_n = np.sort(np.r_[going_n, rest])
        prompts, now = _keep(prompts, now, index_n, done_n)
        own_n = own_n[index_n]

  def _look(
    self, now: Decoding, own_n: np.ndarray, written: list[list[int]]
  ) -> np.ndarray:
    """Returns which rows are done, and notes what they have written."""
    sampled, done_n = jax.device_get((now.sampled, now.done_n))
    done_n = np.array(done_n)
    for n, i in enumerate(own_n):
      written[i] = sampled.token_nc[n, : sampled.length_n[n]].tolist()
      if not self._one_token and not done_n[n]:
        done_n[n] = ANSWER_OPEN in self._decode(written[i])
    return done_n

  def _first(self, params, prompt_bp, length_b, limit_b):
    seed_b = np.zeros(len(length_b), np.uint32)
    config = self._config
    now = start(
      self._decoder, params, prompt_bp, length_b, seed_b, config, limit_b
    )
    return now.cache.prompts, _with_prompts(now, ())

  def _next(self, params, prompts, now: Decoding) -> Decoding:
    now = _with_prompts(now, prompts)
    now = advance(self._decoder, params, now, self._config, self._every)
    return _with_prompts(now, ())


def _with_prompts(now: Decoding, prompts: tuple[Slots, ...]) -> Decoding:
  return now.replace(cache=now.cache.replace(prompts=prompts))


@jax.jit
def _keep(
  prompts: tuple[Slots, ...],
  now: Decoding,
  index_n: jax.Array,
  done_n: jax.Array,
) -> tuple[tuple[Slots, ...], Decoding]:
  """Returns the rows at `index_n` alone, those of `done_n` at their end."""
  now = now.replace(limit_n=jnp.where(done_n, 0, now.limit_n))
  filled = now.cache.filled
  # Every array but that one has the rows first.
  now = now.replace(cache=now.cache.replace(filled=None))
  prompts, now = jax.tree.map(lambda x: x[index_n], (prompts, now))
  return prompts, now.replace(cache=now.cache.replace(filled=filled))
