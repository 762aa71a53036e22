"""Answers held to candidates: the likeliest of them behind a reasoning."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.data import prompts as prompts_lib
from taiji_jax.data.markers import ANSWER_CLOSE, ANSWER_OPEN, TAGS, without_tags
from taiji_jax.data.padding import padded
from taiji_jax.decode import branches as branches_lib
from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.reasoning import Reasoner, Tokenizer
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.kv_cache import Slots


@dataclasses.dataclass(frozen=True)
class Answers:
  """What was answered to b prompts.

  Attributes:
    texts: the completions; without a candidate the model's own.
    choice_b: int32, which of its candidates, -1 where a row has none.
    logp_bc: float32 `[b, C]`, log P(candidate and closing tag | prompt,
      reasoning) in nats, -inf where there is none. Their softmax is the policy
      that is held to the candidates.
    well_formed_b: bool, whether the model wrote its reasoning in the format;
      elsewhere `head` mended it.
  """

  texts: tuple[str, ...]
  choice_b: np.ndarray
  logp_bc: np.ndarray
  well_formed_b: np.ndarray


def head(written: str) -> tuple[str, bool]:
  """Returns the completion up to its answer, and whether it was written so.

  `Choice:` what is no reasoning and then the tag that opens an answer, within
  the limit, is mended: all that was written, its tags left out, is the
  reasoning, and 'No reasoning.' where nothing is left. So a held answer always
  has the format, and whose reasoning had not is told.

  Args:
    written: by the model, up to the first tag that opens an answer, which is a
      part of it, or up to the limit.

  >>> head('<think>Why not.</think><answer>')
  ('<think>Why not.</think><answer>', True)
  >>> head('<think>On and on')
  ('<think>On and on</think><answer>', False)
  """
  if prompts_lib.parse(f'{written}.{ANSWER_CLOSE}').well_formed:
    return written, True
  for tag in TAGS:
    written = written.replace(tag, ' ')
  think = ' '.join(written.split()) or prompts_lib.NO_REASONING
  return prompts_lib.opening(think), False


class Held:
  """A decoder that answers by one of the candidates of each prompt.

  It writes its reasoning greedily. Then the candidates of a prompt are read in
  one forward behind the cache of the prompt, so that the prompt is read once;
  they see prompt, reasoning and themselves. What a row says depends on its own
  prompt and candidates alone.
  """

  def __init__(
    self,
    decoder: Decoder,
    tokenizer: Tokenizer,
    max_tokens: int,
    mesh: Mesh | None = None,
    batch: BatchConfig | None = None,
  ):
    """Makes the functions; they are compiled once for all parameters.

    Args:
      decoder: the network.
      tokenizer: text to ids and back.
      max_tokens: the longest reasoning, and the longest free completion.
      mesh: where it runs; one device where None.
      batch: how prompts are put together.
    """
    config = dataclasses.replace(decoder.config, stacked=False)
    self._decoder, self._tokenizer = Decoder(config), tokenizer
    self._mesh = mesh or sharding.MeshConfig().make()
    self._parts = self._mesh.shape['data'] * self._mesh.shape['fsdp']
    self._batch = batch or BatchConfig(rows=64, check_every=8)
    self._most = max_tokens
    self._reason = Reasoner(
      self._decoder, tokenizer, max_tokens, self._mesh, self._batch.check_every
    )
    self._read = self._jit(self._prompts)
    self._free = self._jit(self._complete)
    self._logp = self._jit(
      lambda *args: branches_lib.cached_logp(self._decoder, *args)
    )
    self._encode = tokenizer.encode
    self._ids = functools.cache(
      lambda answer: tuple(tokenizer.encode(answer + ANSWER_CLOSE))
    )

  def __call__(
    self,
    params: Any,
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[str]],
    written: Sequence[str] | None = None,
  ) -> Answers:
    """Returns the answers.

    Args:
      params: of the decoder, stacked or not, on the mesh.
      prompts: token ids, at least one each.
      candidates: answers that each may give; '' is none. C is the most that a
        row has.
      written: of each row what its completion begins with, up to the tag that
        opens the answer, in the place of what the decoder would write; mended
        by `head` as well.

    Raises:
      UserError: not as many candidates as prompts, or an empty prompt.
    """
    self._check(prompts, candidates, written)
    if 'blocks' in params['params']:
      layers = self._decoder.config.num_layers
      params = decoder_lib.unstack(params, layers)
    candidates = [[without_tags(c) for c in own] for own in candidates]
    ids = [[self._ids(c) if c else () for c in own] for own in candidates]
    rows, count = len(prompts), max([1, *map(len, ids)])
    texts, choice_b = [''] * rows, np.full(rows, -1, np.int32)
    logp_bc = np.full((rows, count), -np.inf, np.float32)
    well_formed_b = np.zeros(rows, bool)
    scored = np.array([sum(map(len, own)) for own in ids], int)
    for index_b, batch in self._batches(prompts, scored, scored > 0):
      begun = [written[i] for i in index_b] if written else None
      heads, cache = self._heads(params, batch, begun, len(index_b))
      own = [ids[i] for i in index_b]
      logp_bc[index_b] = self._score(params, cache, batch, heads, own, count)
      for i, (text, _, well_formed) in zip(index_b, heads, strict=True):
        choice_b[i] = logp_bc[i].argmax()
        texts[i] = text + candidates[i][choice_b[i]] + ANSWER_CLOSE
        well_formed_b[i] = well_formed
    for i, text in self._freely(params, prompts, written, scored):
      texts[i] = text
      well_formed_b[i] = prompts_lib.parse(text).well_formed
    return Answers(tuple(texts), choice_b, logp_bc, well_formed_b)

  def _check(self, prompts, candidates, written) -> None:
    """Raises UserError where the arguments don't fit."""
    for name, given in (('candidates', candidates), ('written', written)):
      if given is not None and len(given) != len(prompts):
        raise UserError(
          f'{len(given)} {name} for {len(prompts)} prompts; give one entry for'
          ' each.'
        )
    for i, prompt in enumerate(prompts):
      if not len(prompt):
        raise UserError(f'prompt {i} has no token; give it at least one.')
    for i, own in enumerate(candidates):
      if isinstance(own, str):
        raise UserError(f'the candidates of row {i} are a text; give a list.')

  def _batches(
    self,
    prompts: Sequence[Sequence[int]],
    scored: np.ndarray,
    which: np.ndarray,
  ) -> Iterator[tuple[list[int], tuple[np.ndarray, np.ndarray]]]:
    """Yields (which rows, their prompts and lengths) of all rows of `which`.

    Prompts of like length come together, the longest first, and of these rows
    with as many tokens to be scored. All batches have as many rows, so that few
    programs are compiled; the last is filled up with repeats.
    """
    bucket = self._batch.bucket
    order = np.flatnonzero(which).tolist()
    order.sort(key=lambda i: (-bucket(len(prompts[i])), -scored[i]))
    if not order:
      return
    longest = bucket(len(prompts[order[0]]))
    own = self._most + int(scored.max())
    rows = self._batch.rows_of(len(order), longest, own, self._parts)
    for at in range(0, len(order), rows):
      index_b = order[at : at + rows]
      ids = [prompts[i] for i in index_b]
      ids += ids[:1] * (rows - len(ids))
      length = max(bucket(len(own)) for own in ids)
      yield index_b, padded(ids, length, self._tokenizer.pad_id)

  def _heads(
    self, params: Any, batch: tuple, written: list[str] | None, count: int
  ) -> tuple[list[tuple[str, list[int], bool]], tuple[Slots, ...]]:
    """Returns (text, ids, whether written so) of each, and the cache."""
    if written is not None:
      placed = sharding.place_batch(batch, self._mesh)
      found = [head(text) for text in written]
      heads = [(text, self._encode(text), good) for text, good in found]
      return heads, self._read(params, *placed)
    tokens, cache = self._reason(params, *batch, count)
    return [self._head(ids) for ids in tokens], cache

  def _head(self, ids: list[int]) -> tuple[str, list[int], bool]:
    """Returns the same of what was written."""
    whole = self._tokenizer.decode(ids)
    before, tag, _ = whole.partition(ANSWER_OPEN)
    text, well_formed = head(before + tag)
    if text != whole:
      ids = self._encode(text)
    return text, ids, well_formed

  def _score(
    self,
    params: Any,
    cache: tuple[Slots, ...],
    batch: tuple,
    heads: list,
    own: list,
    count: int,
  ) -> np.ndarray:
    """Returns log P of the candidates of the rows that count, `[b, C]`."""
    head_ids = [ids for _, ids, _ in heads]
    fill = len(batch[0]) - len(heads)
    packed = branches_lib.pack(
      head_ids + head_ids[:1] * fill, own + own[:1] * fill, count
    )
    length_b, packed = sharding.place_batch((batch[1], packed), self._mesh)
    logp_bc = self._logp(params, cache, length_b, packed)
    return np.asarray(logp_bc)[: len(heads)]

  def _freely(
    self, params: Any, prompts, written, scored: np.ndarray
  ) -> Iterator[tuple[int, str]]:
    """Yields (row, what the decoder writes) of rows without candidates."""
    if written:
      prompts = [
        [*prompt, *self._encode(text)]
        for prompt, text in zip(prompts, written, strict=True)
      ]
    for index_b, batch in self._batches(prompts, scored, scored == 0):
      seed_b = np.zeros(len(batch[0]), np.uint32)
      placed = sharding.place_batch((*batch, seed_b), self._mesh)
      token_bc, length_b = map(np.asarray, self._free(params, *placed))
      for at, i in enumerate(index_b):
        text = self._tokenizer.decode(token_bc[at, : length_b[at]].tolist())
        yield i, (written[i] if written else '') + text

  def _jit(self, function: Callable) -> Callable:
    return jax.jit(sharding.on(function, self._mesh))

  def _prompts(self, params, prompt_bp, length_b) -> tuple[Slots, ...]:
    dtype = jnp.dtype(self._decoder.config.dtype)
    _, cache = self._decoder.apply(
      params, prompt_bp, length_b, 1, 1, dtype, method='prefill'
    )
    return cache.prompts

  def _complete(self, params, prompt_bp, length_b, seed_b):
    tokenizer = self._tokenizer
    config = SampleConfig(self._most, 0.0, tokenizer.eos_id, tokenizer.pad_id)
    done = sample(self._decoder, params, prompt_bp, length_b, seed_b, config)
    return done.token_nc, done.length_n
