"""GGUF files of tiny decoders, written by the gguf package."""

from collections.abc import Callable, Mapping
import pathlib

import gguf
from gguf import quants
import numpy as np

from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import families, key_map, merged

_NAMES = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
}
_PARTS = {
  'model.layers.': 'blk.',
  'input_layernorm': 'attn_norm',
  'post_attention_layernorm': 'ffn_norm',
  'self_attn.o_proj': 'attn_output',
  'self_attn.': 'attn_',
  'mlp.': 'ffn_',
  '_proj': '',
}


def name_of(theirs: str) -> str:
  """Returns what llama.cpp calls a tensor of Hugging Face."""
  if theirs in _NAMES:
    return _NAMES[theirs]
  for old, new in _PARTS.items():
    theirs = theirs.replace(old, new)
  return theirs


def interleaved(rows: int, heads: int) -> np.ndarray:
  """Returns where each row of Llama's queries or keys comes from.

  llama.cpp puts the two halves of a head next to each other, pair by pair.
  """
  width = rows // heads
  return np.array(
    [
      head * width + pair + half * width // 2
      for head in range(heads)
      for pair in range(width // 2)
      for half in (0, 1)
    ]
  )


def random_blocks(
  shape: tuple[int, ...], kind: gguf.GGMLQuantizationType
) -> np.ndarray:
  """Returns raw blocks of any numbers, the scales of theirs finite."""
  block, size = gguf.GGML_QUANT_SIZES[kind]
  rng = np.random.default_rng(sum(shape))
  raw = rng.integers(0, 256, (*shape[:-1], shape[-1] // block, size), np.uint8)
  places = {'Q4_K': (0, 2), 'Q6_K': (208,)}[kind.name]
  for place in places:
    scale = rng.uniform(0.001, 0.01, raw.shape[:-1]).astype(np.float16)
    raw[..., place : place + 2] = scale[..., None].view(np.uint8)
  return raw.reshape(*shape[:-1], -1)


def write(
  path: pathlib.Path,
  config: DecoderConfig,
  variables: Mapping,
  kind: str = 'F32',
  *,
  architecture: str = '',
  fields: Callable[[gguf.GGUFWriter], None] | None = None,
  extra: Mapping[str, np.ndarray] | None = None,
  without: str = '',
) -> dict[str, np.ndarray]:
  """Returns the tensors as they are in the file, by Hugging Face's names.

  Args:
    path: of the file.
    config, variables: of the decoder.
    kind: how matrices are quantised.
    architecture: what the file says; the decoder's family where ''.
    fields: adds more metadata.
    extra: more tensors, float32.
    without: a tensor that is left out.
  """
  family = families.family_of(config)
  writer = gguf.GGUFWriter(path, architecture or family)
  writer.add_block_count(config.num_layers)
  writer.add_context_length(128)
  writer.add_embedding_length(config.width)
  writer.add_feed_forward_length(config.mlp_width)
  writer.add_head_count(config.num_heads)
  writer.add_head_count_kv(config.num_kv_heads)
  writer.add_key_length(config.head_size)
  writer.add_value_length(config.head_size)
  writer.add_rope_freq_base(config.rope_theta)
  writer.add_layer_norm_rms_eps(config.norm_epsilon)
  if fields is not None:
    fields(writer)
  read, kept = merged.reader(config, variables), {}
  heads = {'q_proj': config.num_heads, 'k_proj': config.num_kv_heads}
  for entry in key_map.entries(config):
    for name in entry.names:
      if name == without:
        continue
      module = name.split('.')[-2]
      order = slice(None)
      if family == 'llama' and module in heads:
        order = interleaved(entry.shape[0], heads[module])
      own = kind if len(entry.shape) == 2 else 'F32'
      stored = _add(writer, name_of(name), read(name)[order], own)
      kept[name] = np.empty_like(stored)
      kept[name][order] = stored
  for name, array in (extra or {}).items():
    _add(writer, name, array, 'F32')
  writer.write_header_to_file()
  writer.write_kv_data_to_file()
  writer.write_tensors_to_file()
  writer.close()
  return kept


def _add(
  writer: gguf.GGUFWriter, name: str, array: np.ndarray, kind: str
) -> np.ndarray:
  """Returns the array as it is in the file, dequantised."""
  number = gguf.GGMLQuantizationType[kind]
  array = np.ascontiguousarray(array, np.float32)
  if kind in ('F32', 'F16'):
    array = array.astype({'F32': np.float32, 'F16': np.float16}[kind])
    writer.add_tensor(name, array)
    return array.astype(np.float32)
  if kind in ('Q4_K', 'Q6_K'):
    raw = random_blocks(array.shape, number)
  else:
    raw = quants.quantize(array, number)
  writer.add_tensor(name, raw, raw_dtype=number)
  if kind == 'Q5_0':
    return array
  return quants.dequantize(raw, number)
