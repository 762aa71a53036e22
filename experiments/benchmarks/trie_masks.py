"""Milliseconds of masking and selecting by a trie, by number of sequences.

Run: python -m experiments.benchmarks.trie_masks

One decode of 8 codes of 2,048: two prompts, 70 beams each, random sequences and
random logits that are given; what is timed is what the constraint adds to the
model: normalise, mask, add, take the 70 best, at all levels. `free` is the same
without a constraint (normalise and top-k over 140 x 2,048). `flat` is the
layout of STATIC (arXiv:2602.22647): the first two levels as dense masks, then
CSR rows padded to the widest node of the level. `binary` finds the range of
each prefix in the sorted sequences by binary search, for every code of a level;
`dense` holds a mask [prefixes, codes] for each level (none where it takes over
4 GiB). Ours normalises over the children (`normalize='children'`) or over all
codes; the others over all codes, as published. A ratio above 1 means that ours
takes longer. Last line: one JSON object.
"""

from collections.abc import Callable
import functools
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, timing, trie_rivals
from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import trie as trie_lib
from taiji_jax.errors import UserError

_ITEMS = flags.DEFINE_list(
  'items', ['10000', '100000', '1000000', '10000000'], 'Sequences.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'How often each is timed.')
_BATCH = flags.DEFINE_integer('batch', 2, 'Prompts.')
_BEAMS = flags.DEFINE_integer('beams', 70, 'Beams of a prompt.')
_CODES = flags.DEFINE_integer('codes', 2048, 'Codes of a level.')
_LEVELS = flags.DEFINE_integer('levels', 8, 'Codes of a sequence.')
_DENSE_BYTES = 4 << 30


def main() -> None:
  """Times all at each size and prints milliseconds."""
  result: dict[str, Any] = {'device': jax.devices()[0].device_kind}
  for text in _ITEMS.value:
    if not text.isdigit() or int(text) < 1:
      raise UserError(f'--items holds {text!r}; give numbers from 1 on.')
    found = _of(int(text))
    result[text] = found
    print(text, found, flush=True)
  saving.tell(result, 'flat', 'the flat layout')


def _of(items: int) -> dict[str, float | None]:
  """Returns milliseconds of a whole decode with so many sequences."""
  rng = np.random.default_rng(0)
  codes, levels = _CODES.value, _LEVELS.value
  code_nl = rng.integers(0, codes, (items, levels), dtype=np.int32)
  code_nl = np.unique(code_nl, axis=0)
  logits_lbmv = jnp.asarray(
    rng.normal(size=(levels, _BATCH.value, _BEAMS.value, codes)), jnp.float32
  )
  contenders = {
    'free_ms': _call(trie_rivals.free(), logits_lbmv, ()),
    'ours_ms': _ours(code_nl, logits_lbmv, 'children'),
    'ours_vocabulary_ms': _ours(code_nl, logits_lbmv, 'vocabulary'),
  }
  for name, make in (
    ('flat_ms', trie_rivals.flat),
    ('binary_ms', trie_rivals.binary),
    ('dense_ms', functools.partial(trie_rivals.dense, limit=_DENSE_BYTES)),
  ):
    made = make(code_nl, codes)
    if made is not None:
      contenders[name] = _call(*made[:1], logits_lbmv, made[1])
  seconds = timing.interleave(contenders, _ROUNDS.value)
  found: dict[str, float | None] = {
    name: round(1e3 * float(np.median(s)), 2) for name, s in seconds.items()
  }
  found['dense_ms'] = found.get('dense_ms')
  for name in ('flat_ms', 'free_ms'):
    found[f'ours_to_{name[:-3]}'] = round(
      timing.ratio(seconds['ours_ms'], seconds[name]), 2
    )
  return found


def _ours(
  code_nl: np.ndarray, logits_lbmv: jax.Array, normalize: str
) -> Callable[[], Any]:
  """Returns a call that decodes by `decode.beams`."""
  trie = trie_lib.build(code_nl, _CODES.value)

  def decode(trie, logits_lbmv):
    def step(cache, level, parent_bm, code_bm):
      del parent_bm
      return logits_lbmv[level][:, : code_bm.shape[1]], cache

    return beams_lib.beams(
      logits_lbmv[0, :, 0], None, step, trie, _BEAMS.value, normalize
    )

  return _call(decode, logits_lbmv, trie, first=True)


def _call(
  decode: Callable, logits_lbmv: jax.Array, arrays: Any, first: bool = False
) -> Callable[[], Any]:
  """Returns a call of a compiled decode that waits for its end."""
  jitted = jax.jit(decode)
  args = (arrays, logits_lbmv) if first else (logits_lbmv, arrays)
  return lambda: jax.block_until_ready(jitted(*args))


if __name__ == '__main__':
  entry.run(main)
