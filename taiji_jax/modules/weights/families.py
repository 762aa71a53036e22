"""What a Hugging Face `config.json` says of a decoder, and the way back."""

from collections.abc import Mapping
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import rotary_fields
from taiji_jax.modules.weights.config_fields import (
  REMEDY,
  check_sizes,
  reader,
  refused,
)

ARCHITECTURES = {
  'llama': 'LlamaForCausalLM',
  'qwen2': 'Qwen2ForCausalLM',
  'qwen3': 'Qwen3ForCausalLM',
}
# Ours -> theirs; each has to be there.
_SIZES = {
  'vocab_size': 'vocab_size',
  'num_layers': 'num_hidden_layers',
  'width': 'hidden_size',
  'num_heads': 'num_attention_heads',
  'mlp_width': 'intermediate_size',
}


def from_json(
  fields: Mapping[str, Any], where: str = 'config.json', **options: Any
) -> DecoderConfig:
  """Returns the decoder that a `config.json` describes.

  Choice: a field that older files leave out has the value that its family had
  then: rope_theta 10,000, tie_word_embeddings false; num_key_value_heads as
  many as heads and head_dim hidden_size / heads where the family allows it.

  Args:
    fields: the file's contents.
    where: what to call the file in errors.
    options: fields of `DecoderConfig` that are not the checkpoint's: dtype,
      unroll, remat...

  Raises:
    UserError: a field is missing or malformed, or asks for what the decoder
      does not compute.
  """
  read = reader(fields, where)
  family = read('model_type', str)
  if family not in ARCHITECTURES:
    raise refused(where, 'model_type', family, REMEDY)
  _check_supported(fields, family, where)
  sizes = {ours: read(theirs, int) for ours, theirs in _SIZES.items()}
  qwen3 = family == 'qwen3'
  head_width = read('head_dim', int, None if qwen3 else 0)
  sizes['num_kv_heads'] = read(
    'num_key_value_heads', int, None if qwen3 else sizes['num_heads']
  )
  check_sizes(where, sizes | {'head_width': head_width})
  if head_width * sizes['num_heads'] == sizes['width']:
    head_width = 0
  return DecoderConfig(
    **sizes,
    head_width=head_width,
    norm_epsilon=read('rms_norm_eps', float),
    tie_embeddings=read('tie_word_embeddings', bool, False),
    qkv_bias=family == 'qwen2',
    qk_norm=qwen3,
    **rotary_fields.read(fields, where),
    **runtime(options),
  )


def to_json(
  config: DecoderConfig, context: int, dtype: str = 'float32'
) -> dict[str, Any]:
  """Returns the `config.json` of a decoder, as transformers and vLLM read it.

  Args:
    config: the decoder.
    context: max_position_embeddings, the most tokens of a text.
    dtype: of the stored tensors.

  Raises:
    UserError: no family has such a decoder.
  """
  family = family_of(config)
  fields = {
    'architectures': [ARCHITECTURES[family]],
    'model_type': family,
    **{theirs: getattr(config, ours) for ours, theirs in _SIZES.items()},
    'num_key_value_heads': config.num_kv_heads,
    'head_dim': config.head_size,
    'hidden_act': 'silu',
    'max_position_embeddings': context,
    'rms_norm_eps': config.norm_epsilon,
    'rope_theta': config.rope_theta,
    'rope_scaling': rotary_fields.to_json(config.rope_scaling),
    'tie_word_embeddings': config.tie_embeddings,
    'attention_dropout': 0.0,
    'initializer_range': 0.02,
    'torch_dtype': dtype,
    'use_cache': True,
  }
  if family == 'qwen2':
    return fields | {'use_sliding_window': False}
  fields['attention_bias'] = False
  return fields | ({'mlp_bias': False} if family == 'llama' else {})


def family_of(config: DecoderConfig) -> str:
  """Returns the model_type of a decoder.

  Raises:
    UserError: no family has such a decoder.
  """
  if config.qkv_bias and config.qk_norm:
    raise UserError(
      'no Hugging Face family has both model.qkv_bias and model.qk_norm; turn'
      ' one of them off to export.'
    )
  whole = config.width % config.num_heads == 0
  if not whole and not config.qk_norm:
    raise UserError(
      f'transformers loads no Llama or Qwen2 whose width {config.width} is no'
      f' multiple of its {config.num_heads} heads; change model.width or turn'
      ' model.qk_norm on to export.'
    )
  if config.qk_norm:
    return 'qwen3'
  return 'qwen2' if config.qkv_bias else 'llama'


RUNTIME = (
  'dtype', 'stacked', 'unroll', 'remat', 'attention', 'loss_chunk', 'lora_rank',
  'lora_alpha',
)  # fmt: skip


def runtime(options: Mapping[str, Any]) -> dict[str, Any]:
  """Returns `options`, all of them fields that no checkpoint decides.

  Raises:
    UserError: one is no such field.
  """
  for name in options:
    if name not in RUNTIME:
      raise UserError(
        f"model.{name} is the checkpoint's to say; leave it out, or choose"
        f' among {", ".join(RUNTIME)}.'
      )
  return dict(options)


def _check_supported(
  fields: Mapping[str, Any], family: str, where: str
) -> None:
  """Raises UserError where a field asks for what the decoder can't do."""
  if fields.get('hidden_act', 'silu') != 'silu':
    raise refused(where, 'hidden_act', fields['hidden_act'], REMEDY)
  if fields.get('quantization_config'):
    method = fields['quantization_config']
    if isinstance(method, dict):
      method = method.get('quant_method', method)
    raise refused(
      where,
      'quantization_config',
      method,
      'take the checkpoint that is not quantised, or a GGUF file',
    )
  for name in ('attention_bias', 'mlp_bias'):
    if family != 'qwen2' and fields.get(name):
      raise refused(where, name, True, REMEDY)
  if fields.get('pretraining_tp', 1) not in (None, 1):
    raise refused(where, 'pretraining_tp', fields['pretraining_tp'], REMEDY)
  _check_window(fields, family, where)


def _check_window(fields: Mapping[str, Any], family: str, where: str) -> None:
  """Raises UserError where some layer sees a window only."""
  types = reader(fields, where)('layer_types', list, [])
  if others := [t for t in types if t != 'full_attention']:
    raise refused(where, 'layer_types', others[0], REMEDY)
  window = fields.get('sliding_window')
  if family != 'llama':
    read = reader(fields, where)
    first = read('max_window_layers', int, 0)
    used = read('use_sliding_window', bool, False)
    if not used or first >= read('num_hidden_layers', int):
      return
  if window is not None and not fields.get('layer_types'):
    raise refused(where, 'sliding_window', window, REMEDY)
