"""Tokens a second of sampling, against transformers' `generate`.

Run: python -m experiments.benchmarks.decode --batches=1,16,64

A SmolLM2-135M (random weights: the work is the same), float32, distinct random
prompts, temperature 1, all tokens eligible, none of them ends a completion. The
rival is the same model in torch (sdpa, its default dynamic cache). Prefill is
inside both. A ratio above 1 means that ours is faster. `share_of_bandwidth` is
the least time that reading weights and cache takes at the speed at which a sum
reads memory, over the time taken by decoding. Last line: one JSON object.
"""

from collections.abc import Callable
import importlib.util
import json

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, timing, torch_llama
from experiments.benchmarks.torch_llama import SMOLLM2
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import kv_cache
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

_BATCHES = flags.DEFINE_list('batches', ['1', '16', '64'], 'Rows at a time.')
_PROMPT = flags.DEFINE_integer('prompt', 128, 'Tokens of a prompt.')
_NEW = flags.DEFINE_integer('new', 64, 'Tokens of a completion.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'How often each is timed.')
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of weights and products.'
)
_CACHE = flags.DEFINE_string('cache', 'model', 'Of keys and values.')
_RIVAL = flags.DEFINE_bool('rival', True, 'Whether torch runs as well.')


def main() -> None:
  """Times both at each batch and prints tokens a second and ratios."""
  config = DecoderConfig(
    **{**vars(SMOLLM2), 'dtype': _DTYPE.value, 'stacked': False}
  )
  decoder = Decoder(config)
  params = _params(decoder)
  rival = _RIVAL.value and importlib.util.find_spec('torch') is not None
  model = torch_llama.make(config) if rival else None
  result = {
    'device': jax.devices()[0].device_kind,
    'parameters': config.parameters,
    'dtype': _DTYPE.value,
    'cache': _CACHE.value,
  }
  bandwidth = _bytes_per_second()
  result['read_gb_per_second'] = round(bandwidth / 1e9, 1)
  for text in _BATCHES.value:
    batch = _rows(text)
    contenders = {
      'ours': _ours(decoder, params, batch, _NEW.value),
      'prefill': _ours(decoder, params, batch, 1),
    }
    if model is not None:
      contenders['torch'] = _torch(model, batch)
    seconds = timing.interleave(contenders, _ROUNDS.value)
    found = _figures(config, batch, seconds, bandwidth)
    result[f'batch_{batch}'] = found
    print(batch, json.dumps(found), flush=True)
  saving.tell(result, 'torch', 'transformers')


def _rows(text: str) -> int:
  if not text.isdigit() or int(text) < 1:
    raise UserError(f'--batches holds {text!r}; give numbers from 1 on.')
  return int(text)


def _figures(
  config: DecoderConfig, batch: int, seconds: dict, bandwidth: float
) -> dict[str, float]:
  """Returns what is printed of one batch."""
  tokens = batch * _NEW.value
  step = np.median(seconds['ours'] - seconds['prefill']) / (_NEW.value - 1)
  width = jnp.dtype(config.dtype).itemsize
  held = kv_cache.dtype_of(_CACHE.value, config.dtype).itemsize
  slots = batch * (_PROMPT.value + _NEW.value / 2)
  cache = 2 * config.num_layers * config.num_kv_heads * config.head_size * slots
  least = (width * config.parameters + held * cache) / bandwidth
  found = {
    'tokens_per_second': round(tokens / np.median(seconds['ours']), 1),
    'prefill_seconds': round(float(np.median(seconds['prefill'])), 3),
    'step_milliseconds': round(1e3 * step, 2),
    'share_of_bandwidth': round(least / step, 2),
  }
  if 'torch' in seconds:
    found['torch_tokens_per_second'] = round(
      tokens / np.median(seconds['torch']), 1
    )
    found['against_torch'] = round(
      timing.ratio(seconds['torch'], seconds['ours']), 2
    )
  return found


def _params(decoder: Decoder) -> dict:
  one = np.ones((1, 8), np.int32)
  params = jax.jit(decoder.init)(jax.random.key(0), one, one, one)
  dtype = jnp.dtype(decoder.config.dtype)
  return jax.tree.map(lambda x: x.astype(dtype), params)


def _bytes_per_second() -> float:
  """Returns how fast memory is read, measured on a sum of 512 MiB."""
  x = jnp.ones(1 << 27, jnp.float32)
  total = jax.jit(jnp.sum)
  seconds = timing.interleave(
    {'sum': lambda: jax.block_until_ready(total(x))}, 5
  )
  return x.nbytes / float(np.min(seconds['sum']))


def _prompts(batch: int) -> np.ndarray:
  rng = np.random.default_rng(0)
  shape = (batch, _PROMPT.value)
  return rng.integers(4, SMOLLM2.vocab_size, shape).astype(np.int32)


def _ours(
  decoder: Decoder, params: dict, batch: int, new: int
) -> Callable[[], object]:
  draw = SampleConfig(
    max_tokens=new,
    temperature=1.0,
    eos_id=-1,
    pad_id=0,
    cache_dtype=_CACHE.value,
  )
  run = jax.jit(lambda *args: sample(decoder, *args, draw))
  args = (
    jnp.asarray(_prompts(batch)),
    jnp.full(batch, _PROMPT.value, jnp.int32),
    jnp.arange(batch, dtype=jnp.uint32),
  )
  return lambda: jax.block_until_ready(run(params, *args))


def _torch(model, batch: int) -> Callable[[], object]:
  import torch

  model.eval()
  prompt = torch.from_numpy(_prompts(batch).astype(np.int64)).to(model.device)

  def call() -> None:
    with torch.no_grad():
      model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        min_new_tokens=_NEW.value,
        max_new_tokens=_NEW.value,
        pad_token_id=0,
      )

  return call


if __name__ == '__main__':
  entry.run(main)
