"""Prompts a second of beams over a trie, against Hugging Face's `generate`.

Run: python -m experiments.benchmarks.beams

A Llama (4.6M parameters where no flag is given), random weights, the same in
both; 3,686 random sequences of three codes of 256; a history of ten items as
prompt; 50 beams, batch 8. `hugging_face` is `generate` with
`prefix_allowed_tokens_fn`, a look-up in a dict, as published generators do it.
Ours scores all tokens then (`normalize='vocabulary'`), as that does, and finds
the same sequences: `same` is the share of them, `difference` the largest of
their scores. `children` is our default, which multiplies the level's codes
alone. `free` is ours without a constraint on a trie of all sequences, so that
`constraint` is the share of a decode that the trie costs. A ratio above 1 means
that ours is faster. Last line: one JSON object.
"""

from collections.abc import Callable
import dataclasses
import importlib.util
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import (
  beams_torch,
  held_torch,
  saving,
  timing,
  torch_llama,
)
from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import code_steps
from taiji_jax.decode import trie as trie_lib
from taiji_jax.decode.trie import Trie
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

_LAYERS = flags.DEFINE_integer('layers', 4, 'Of the model.')
_WIDTH = flags.DEFINE_integer('width', 288, 'Of the model.')
_ITEMS = flags.DEFINE_integer('items', 3686, 'Sequences of the catalogue.')
_BATCH = flags.DEFINE_integer('batch', 8, 'Prompts at a time.')
_BEAMS = flags.DEFINE_integer('beams', 50, 'Beams of a prompt.')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'How often each is timed.')
_RIVAL = flags.DEFINE_bool('rival', True, 'Whether torch runs as well.')

LEVELS, CODES, HISTORY = 3, 256, 10


@dataclasses.dataclass(frozen=True)
class Work:
  """What is decoded.

  Attributes:
    prompt_bp: int32 token ids; token 0 begins a text, the others are codes.
    token_nl: int, the tokens of each sequence.
    beams: of a prompt.
  """

  prompt_bp: np.ndarray
  token_nl: np.ndarray
  beams: int

  @classmethod
  def draw(cls, items: int, batch: int, beams: int) -> 'Work':
    """Returns random histories of a random catalogue."""
    rng = np.random.default_rng(0)
    code_nl = np.unique(rng.integers(0, CODES, (items, LEVELS)), axis=0)
    token_nl = 1 + CODES * np.arange(LEVELS) + code_nl
    item_bs = rng.integers(0, len(token_nl), (batch, HISTORY))
    prompt_bp = token_nl[item_bs].reshape(batch, -1)
    return cls(np.pad(prompt_bp, ((0, 0), (1, 0))), token_nl, beams)


def main() -> None:
  """Times both and prints prompts a second and the ratio."""
  config = DecoderConfig(
    vocab_size=1 + LEVELS * CODES,
    num_layers=_LAYERS.value,
    width=_WIDTH.value,
    num_heads=_WIDTH.value // 32,
    num_kv_heads=_WIDTH.value // 32,
    mlp_width=_WIDTH.value * 8 // 3 // 32 * 32,
    stacked=False,
  )
  work = Work.draw(_ITEMS.value, _BATCH.value, _BEAMS.value)
  rival = _RIVAL.value and importlib.util.find_spec('torch') is not None
  model = torch_llama.make(config) if rival else None
  config, params = held_torch.weights(config, model)
  contenders = {
    'ours': ours(config, params, work, whole=True),
    'children': ours(config, params, work, whole=False),
    'free': ours(config, params, work, whole=False, free=True),
  }
  found = {}
  if model is not None:
    contenders['hugging_face'] = beams_torch.contender(model, work)
    found = _agreement(contenders['ours'](), contenders['hugging_face']())
  seconds = timing.interleave(contenders, _ROUNDS.value)
  result: dict[str, Any] = {
    'device': jax.devices()[0].device_kind,
    'parameters': config.parameters,
    'prompts_per_second': {
      name: round(_BATCH.value / float(np.median(s)), 2)
      for name, s in seconds.items()
    },
    'constraint': round(
      1 - timing.ratio(seconds['free'], seconds['children']), 3
    ),
    **found,
  }
  if model is not None:
    ratio = timing.ratio(seconds['hugging_face'], seconds['ours'])
    result['against_hf'] = round(ratio, 2)
  saving.tell(result, 'torch', 'transformers')


def ours(
  config: DecoderConfig,
  params: Any,
  work: Work,
  whole: bool,
  free: bool = False,
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
  """Returns a call that gives (tokens `[b, m, L]`, sums of log p `[b, m]`).

  Args:
    config: of the model.
    params: its variables.
    work: what is decoded.
    whole: whether probabilities are those of all tokens, as published.
    free: whether every sequence of codes counts as an item.
  """
  decoder = Decoder(config)
  offset_l = 1 + CODES * np.arange(LEVELS)
  token_lk = jnp.asarray(offset_l[:, None] + np.arange(CODES), jnp.int32)
  length_b = jnp.full(len(work.prompt_bp), work.prompt_bp.shape[1])

  def decode(params, trie, prompt_bp, length_b):
    start = code_steps.start(
      decoder, params, prompt_bp, length_b, token_lk, whole
    )
    if free:
      return _without_trie(*start, work.beams)
    normalize = 'vocabulary' if whole else 'children'
    found = beams_lib.beams(*start, trie, work.beams, normalize)
    return found.code_bml, found.logp_bm

  jitted = jax.jit(decode)
  trie = _trie(work, config.vocab_size if whole else 0)
  shift_l = 0 if whole else offset_l

  def call() -> tuple[np.ndarray, np.ndarray]:
    code_bml, logp_bm = jitted(params, trie, work.prompt_bp, length_b)
    return np.asarray(code_bml) + shift_l, np.asarray(logp_bm)

  return call


def _trie(work: Work, vocabulary: int) -> Trie:
  """Returns the trie of tokens, or where `vocabulary` is 0 of codes."""
  if vocabulary:
    return trie_lib.build(work.token_nl, vocabulary)
  code_nl = work.token_nl - 1 - CODES * np.arange(LEVELS)
  return trie_lib.build(code_nl, CODES)


def _without_trie(logits_bv, cache, step, width: int):
  """Returns the best of all sequences of codes."""
  logp_bm = jax.nn.log_softmax(logits_bv)
  logp_bm, code_bm = jax.lax.top_k(logp_bm, width)
  parent_bm = jnp.zeros_like(code_bm)
  codes = [code_bm]
  for level in range(1, LEVELS):
    logits_bmv, cache = step(cache, level, parent_bm, code_bm)
    sum_bmv = logp_bm[..., None] + jax.nn.log_softmax(logits_bmv)
    flat_be = sum_bmv.reshape(len(sum_bmv), -1)
    logp_bm, at_bm = jax.lax.top_k(flat_be, width)
    parent_bm, code_bm = at_bm // CODES, at_bm % CODES
    codes = [jnp.take_along_axis(c, parent_bm, 1) for c in codes] + [code_bm]
  return jnp.stack(codes, -1), logp_bm


def _agreement(mine: tuple, others: tuple) -> dict[str, float]:
  """Returns the share of sequences that both found, and how scores differ."""
  same, difference = [], 0.0
  for own_ml, own_m, other_ml, other_m in zip(*mine, *others, strict=True):
    own = dict(zip(map(tuple, own_ml.tolist()), own_m.tolist(), strict=True))
    other = dict(
      zip(map(tuple, other_ml.tolist()), other_m.tolist(), strict=True)
    )
    both = own.keys() & other.keys()
    same.append(len(both) / len(own))
    apart = [abs(own[path] - other[path]) for path in both]
    difference = max([difference, *apart])
  return {
    'same': round(float(np.mean(same)), 4),
    'difference': float(f'{difference:.1e}'),
  }


if __name__ == '__main__':
  entry.run(main)
