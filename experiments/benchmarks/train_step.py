"""Tokens a second of a supervised AdamW step, against torch.

Run: python -m experiments.benchmarks.train_step

A SmolLM2-135M (random weights), next-token loss on every token, gradients
clipped to norm 1, AdamW; the rival is the same model in torch (sdpa, fused
AdamW). A ratio above 1 means that ours is faster. `mfu` is given where the
device's peak is known. Last line: one JSON object.
"""

from collections.abc import Callable
import dataclasses
import importlib.util

from absl import flags
import jax
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, timing, torch_llama
from experiments.benchmarks.torch_llama import SMOLLM2
from taiji_jax import sharding, train_state
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.sft.step import sft_step
from taiji_jax.train_state import OptimizerConfig

# bfloat16 products a second, dense: the vendor's data sheet.
PEAK = {'NVIDIA H200': 989e12, 'NVIDIA H100 80GB HBM3': 989e12}
# 1.6B parameters: 24 layers of width 2,048, as a model of the 1-2B class has.
LARGE = dataclasses.replace(
  SMOLLM2,
  num_layers=24,
  width=2048,
  num_heads=32,
  num_kv_heads=8,
  mlp_width=8192,
)

_MODEL = flags.DEFINE_enum('model', 'smollm2', ['smollm2', 'large'], 'Sizes.')
_ROWS = flags.DEFINE_integer('rows', 4, 'Rows of a step.')
_TOKENS = flags.DEFINE_integer('tokens', 256, 'Tokens of a row.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'How often each is timed.')
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of the products.'
)
_REMAT = flags.DEFINE_string('remat', 'none', 'What the backward recomputes.')
_CHUNK = flags.DEFINE_integer('loss_chunk', 0, 'Tokens of a loss chunk; 0 all.')
_STACKED = flags.DEFINE_bool('stacked', False, 'Whether layers are scanned.')
_RIVAL = flags.DEFINE_bool('rival', True, 'Whether torch runs as well.')


def main() -> None:
  """Times both and prints tokens a second and the ratio."""
  base = SMOLLM2 if _MODEL.value == 'smollm2' else LARGE
  config = dataclasses.replace(
    base,
    dtype=_DTYPE.value,
    stacked=_STACKED.value,
    remat=_REMAT.value,
    loss_chunk=_CHUNK.value,
  )
  contenders = {'ours': _ours(config)}
  if _RIVAL.value and importlib.util.find_spec('torch'):
    contenders['torch'] = _torch(config)
  seconds = timing.interleave(contenders, _ROUNDS.value, settle=True)
  tokens = _ROWS.value * _TOKENS.value
  device = jax.devices()[0].device_kind
  rate = tokens / float(np.median(seconds['ours']))
  result = {
    'device': device,
    'parameters': config.parameters,
    'tokens_per_second': round(rate, 1),
  }
  if device in PEAK:
    result['mfu'] = round(rate * _work(config) / PEAK[device], 3)
  if 'torch' in seconds:
    result['torch_tokens_per_second'] = round(
      tokens / float(np.median(seconds['torch'])), 1
    )
    result['against_torch'] = round(
      timing.ratio(seconds['torch'], seconds['ours']), 2
    )
  saving.tell(result, 'torch', 'transformers')


def _work(config: DecoderConfig) -> float:
  """Returns operations a token: 6 a weight, and half of all pairs attended."""
  heads = config.num_heads * config.head_size
  weights = config.parameters
  if not config.tie_embeddings:
    weights -= config.vocab_size * config.width
  return 6 * weights + 6 * config.num_layers * heads * _TOKENS.value


def _tokens() -> np.ndarray:
  rng = np.random.default_rng(0)
  shape = (_ROWS.value, _TOKENS.value)
  return rng.integers(4, SMOLLM2.vocab_size, shape).astype(np.int32)


def _ours(config: DecoderConfig) -> Callable[[], object]:
  decoder, mesh = Decoder(config), sharding.MeshConfig().make()
  tx = OptimizerConfig(lr=1e-4, steps=1000, schedule='constant').make()
  one = np.ones((1, 8), np.int32)

  def logp(params, batch):
    return logprob.next_token_logp(
      decoder,
      params,
      batch['tokens_bt'],
      batch['position_bt'],
      batch['segment_bt'],
    )

  state = sharding.jit_init(
    lambda: train_state.create(
      decoder.init(jax.random.key(0), one, one, one), tx, 0
    ),
    mesh,
  )
  step = sharding.jit_step(sft_step(logp, tx), state, mesh)
  shape = (_ROWS.value, _TOKENS.value)
  position_t = np.arange(shape[1], dtype=np.int32)
  batch = sharding.place_batch(
    {
      'tokens_bt': _tokens(),
      'position_bt': np.tile(position_t, (shape[0], 1)),
      'segment_bt': np.ones(shape, np.int32),
      'loss_mask_bt': np.ones(shape, bool),
    },
    mesh,
  )
  held = [state]

  def call() -> None:
    held[0], metrics = step(held[0], batch)
    jax.block_until_ready(metrics)

  return call


def _torch(config: DecoderConfig) -> Callable[[], object]:
  import torch

  model = torch_llama.make(dataclasses.replace(config, dtype='float32')).train()
  optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
  tokens = torch.from_numpy(_tokens().astype(np.int64)).to(model.device)
  half = torch.autocast(
    model.device.type, torch.bfloat16, enabled=config.dtype == 'bfloat16'
  )

  def call() -> float:
    with half:
      loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return loss.item()

  return call


if __name__ == '__main__':
  entry.run(main)
