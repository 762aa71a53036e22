"""A GGUF file: metadata as a decoder, tensors dequantised one by one."""

from collections.abc import Callable, Mapping
import dataclasses
import math
import pathlib
import re
from typing import Any

import gguf
from gguf import quants
from jax.sharding import Mesh
import numpy as np

from taiji_jax import gguf_header
from taiji_jax.errors import UserError
from taiji_jax.gguf_header import GgufHeader, GgufTensor
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.rotary import RopeScaling
from taiji_jax.modules.weights import (
  assemble,
  config_fields,
  families,
  gguf_rotary,
  key_map,
  rotary_fields,
)

FAMILIES = ('llama', 'qwen2', 'qwen3')
QUANTIZATIONS = (
  'F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q4_K', 'Q6_K',
)  # fmt: skip
# Ours -> theirs, after '{architecture}.'.
_SIZES = {
  'num_layers': 'block_count',
  'width': 'embedding_length',
  'num_heads': 'attention.head_count',
  'mlp_width': 'feed_forward_length',
}
_OUTER = {
  'token_embd.weight': key_map.EMBEDDING,
  'output_norm.weight': key_map.NORM,
  'output.weight': key_map.HEAD,
}
_LAYER = {
  'attn_norm': 'input_layernorm',
  'attn_q': 'self_attn.q_proj',
  'attn_k': 'self_attn.k_proj',
  'attn_v': 'self_attn.v_proj',
  'attn_output': 'self_attn.o_proj',
  'attn_q_norm': 'self_attn.q_norm',
  'attn_k_norm': 'self_attn.k_norm',
  'ffn_norm': 'post_attention_layernorm',
  'ffn_gate': 'mlp.gate_proj',
  'ffn_up': 'mlp.up_proj',
  'ffn_down': 'mlp.down_proj',
}
_FREQUENCIES = 'rope_freqs.weight'


@dataclasses.dataclass(frozen=True)
class QuantizedTensor:
  """A tensor of a GGUF file, not dequantised yet.

  Attributes:
    path: the file.
    kind: how it is quantised.
    shape: of its numbers, rows first.
    offset: its first byte in the file.
    heads: where not 0, its rows are those of so many heads in the interleaved
      order of pairs (Llama's queries and keys), read back half-split.
  """

  path: pathlib.Path
  kind: gguf.GGMLQuantizationType
  shape: tuple[int, ...]
  offset: int
  heads: int = 0

  @property
  def row_bytes(self) -> int:
    block, size = gguf.GGML_QUANT_SIZES[self.kind]
    return self.shape[-1] // block * size

  @property
  def end(self) -> int:
    """Returns the first byte behind it in the file."""
    return self.offset + math.prod(self.shape[:-1]) * self.row_bytes

  def read(self, index: tuple[slice, ...] = ()) -> np.ndarray:
    """Returns a part of it, float32; rows outside of it are not touched."""
    if self.heads:
      paired = self._rows(slice(None)).reshape(
        self.heads, -1, 2, self.shape[-1]
      )
      return paired.swapaxes(1, 2).reshape(self.shape)[index]
    if not index or len(self.shape) == 1:
      return self._rows(slice(None))[index]
    return self._rows(index[0])[:, index[1]]

  def _rows(self, rows: slice) -> np.ndarray:
    blocks = np.memmap(
      self.path, np.uint8, 'r', self.offset, (*self.shape[:-1], self.row_bytes)
    )
    raw = np.array(blocks[rows] if len(self.shape) > 1 else blocks)
    if self.kind == gguf.GGMLQuantizationType.F16:
      return raw.view(np.float16).astype(np.float32)
    if self.kind == gguf.GGMLQuantizationType.F32:
      return raw.view(np.float32)
    return quants.dequantize(raw, self.kind)


def config(path: pathlib.Path, **options: Any) -> DecoderConfig:
  """Returns the decoder that a file's metadata describe.

  Args:
    path: the file.
    options: as for `families.from_json`.

  Raises:
    UserError: the file is missing, damaged or of another kind of model.
  """
  return _config(gguf_header.read(path), options)


def load(
  path: pathlib.Path,
  mesh: Mesh | None = None,
  param_dtype: str = 'float32',
  **options: Any,
) -> tuple[DecoderConfig, dict[str, Any]]:
  """Returns (config, variables) of the model in a file, dequantised.

  Args:
    path: the file.
    mesh, param_dtype: as for `assemble`.
    options: as for `families.from_json`.

  Raises:
    UserError: the file is damaged or of another kind of model, or a tensor is
      missing, unknown or quantised in another way; nothing was allocated.
  """
  header = gguf_header.read(path)
  decoder = _config(header, options)
  stored = _tensors(header, decoder)
  return decoder, assemble.assemble(
    decoder, stored, str(path), mesh, param_dtype
  )


def _config(header: GgufHeader, options: Mapping[str, Any]) -> DecoderConfig:
  family = header.value('general.architecture', str)
  if family not in FAMILIES:
    raise _refused(header, 'general.architecture', family)

  def read(name: str, kind: type, default: Any = None) -> Any:
    return header.value(f'{family}.{name}', kind, default)

  for name in ('expert_count', 'attention.sliding_window'):
    if read(name, int, 0):
      raise _refused(header, f'{family}.{name}', read(name, int))
  sizes = {ours: read(theirs, int) for ours, theirs in _SIZES.items()}
  head = read(
    'attention.key_length', int, sizes['width'] // max(sizes['num_heads'], 1)
  )
  for name in ('attention.value_length', 'rope.dimension_count'):
    if read(name, int, head) != head:
      raise _refused(header, f'{family}.{name}', read(name, int))
  sizes['vocab_size'] = _rows(header, 'token_embd.weight')
  sizes['num_kv_heads'] = read(
    'attention.head_count_kv', int, sizes['num_heads']
  )
  config_fields.check_sizes(str(header.path), sizes | {'head_width': head})
  scaling = _scaling(header, read, head)
  rotary_fields.check_scaling(str(header.path), scaling)
  return DecoderConfig(
    **sizes,
    head_width=0 if head * sizes['num_heads'] == sizes['width'] else head,
    rope_theta=read('rope.freq_base', float, 10_000.0),
    rope_scaling=scaling,
    norm_epsilon=read('attention.layer_norm_rms_epsilon', float),
    tie_embeddings='output.weight' not in header.tensors,
    qkv_bias=family == 'qwen2',
    qk_norm=family == 'qwen3',
    **families.runtime(options),
  )


def _scaling(
  header: GgufHeader, read: Callable[..., Any], head: int
) -> RopeScaling:
  """Returns the rotary scaling that metadata and rotary factors describe."""
  kind = read('rope.scaling.type', str, 'none')
  if _FREQUENCIES in header.tensors:
    if kind != 'none':
      raise _refused(header, 'rope.scaling.type', kind)
    factors = _quantized(header, _FREQUENCIES)
    theta = read('rope.freq_base', float, 10_000.0)
    return gguf_rotary.llama3(factors.read(), head, theta, str(header.path))
  if kind == 'none':
    return RopeScaling()
  factor = read('rope.scaling.factor', float)
  if kind == 'linear':
    return RopeScaling('linear', factor)
  if kind != 'yarn':
    raise _refused(header, 'rope.scaling.type', kind)
  for name, plain in (('attn_factor', 1.0), ('yarn_log_multiplier', 0.1)):
    if read(f'rope.scaling.{name}', float, plain) != np.float32(plain):
      raise _refused(
        header, f'rope.scaling.{name}', read(f'rope.scaling.{name}', float)
      )
  return RopeScaling(
    'yarn',
    factor,
    read('rope.scaling.original_context_length', int),
    beta_fast=read('rope.scaling.yarn_beta_fast', float, 32.0),
    beta_slow=read('rope.scaling.yarn_beta_slow', float, 1.0),
  )


def _tensors(
  header: GgufHeader, decoder: DecoderConfig
) -> dict[str, QuantizedTensor]:
  """Returns the tensors by their names in a causal model of Hugging Face."""
  heads = {}
  if families.family_of(decoder) == 'llama':
    heads = {'attn_q': decoder.num_heads, 'attn_k': decoder.num_kv_heads}
  return {
    _name(name): _quantized(header, name, heads.get(name.split('.')[-2:][0], 0))
    for name in header.tensors
    if name != _FREQUENCIES
  }


def _quantized(
  header: GgufHeader, name: str, heads: int = 0
) -> QuantizedTensor:
  """Returns a tensor, known to lie within the file.

  Raises:
    UserError: it doesn't, or is quantised in a way not read here.
  """
  found = _tensor(header, name)
  known = {q.value: q for q in gguf.GGMLQuantizationType}
  kind = known.get(found.kind)
  if kind is None or kind.name not in QUANTIZATIONS:
    raise UserError(
      f"'{name}' in '{header.path}' is quantised as"
      f' {kind.name if kind else found.kind}; only {", ".join(QUANTIZATIONS)}'
      ' are read: take another file of the model.'
    )
  block, _ = gguf.GGML_QUANT_SIZES[kind]
  tensor = QuantizedTensor(header.path, kind, found.shape, found.offset, heads)
  shape = found.shape
  if not shape or 0 in shape or shape[-1] % block or tensor.end > header.size:
    raise UserError(
      f"'{header.path}' is damaged or cut off at '{name}': download it anew."
    )
  return tensor


def _tensor(header: GgufHeader, name: str) -> GgufTensor:
  if name not in header.tensors:
    raise UserError(
      f"'{header.path}' lacks the tensor '{name}': download it anew."
    )
  return header.tensors[name]


def _rows(header: GgufHeader, name: str) -> int:
  """Returns how many rows a matrix has."""
  shape = _tensor(header, name).shape
  if len(shape) != 2:
    raise UserError(
      f"'{name}' in '{header.path}' has {len(shape)} axes where it needs 2:"
      ' download it anew.'
    )
  return shape[0]


def _name(theirs: str) -> str:
  """Returns the Hugging Face name of a GGUF tensor, or its own."""
  if theirs in _OUTER:
    return _OUTER[theirs]
  match = re.fullmatch(r'blk\.(\d+)\.(\w+)\.(weight|bias)', theirs)
  if match is None or match[2] not in _LAYER:
    return theirs
  return f'model.layers.{match[1]}.{_LAYER[match[2]]}.{match[3]}'


def _refused(header: GgufHeader, name: str, value: Any) -> UserError:
  return UserError(
    f"'{header.path}' says {name} {value!r}, which this decoder cannot run:"
    f' take a file of the architecture {", ".join(FAMILIES)}.'
  )
