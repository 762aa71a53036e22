"""Tiny random models of transformers, one of every kind that is loaded."""

import importlib.util
import pathlib

import numpy as np

HAS_TORCH = importlib.util.find_spec('torch') is not None

_SIZES = {
  'vocab_size': 40,
  'hidden_size': 24,
  'intermediate_size': 32,
  'num_hidden_layers': 2,
  'num_attention_heads': 4,
  'num_key_value_heads': 2,
  'max_position_embeddings': 64,
  'initializer_range': 0.3,
}
_YARN = {
  'rope_type': 'yarn',
  'rope_theta': 300.0,
  'factor': 4.0,
  'original_max_position_embeddings': 16,
}
# Name -> transformers' config class, and what differs from the sizes above.
CASES = {
  'llama_tied': ('LlamaConfig', {'tie_word_embeddings': True}),
  'llama_untied': ('LlamaConfig', {'num_key_value_heads': 4}),
  'llama_head_width': ('LlamaConfig', {'head_dim': 8}),
  'llama3': (
    'LlamaConfig',
    {
      'rope_parameters': {
        'rope_type': 'llama3',
        'rope_theta': 500.0,
        'factor': 8.0,
        'low_freq_factor': 1.0,
        'high_freq_factor': 4.0,
        'original_max_position_embeddings': 16,
      }
    },
  ),
  'llama_linear': (
    'LlamaConfig',
    {
      'rope_parameters': {
        'rope_type': 'linear',
        'rope_theta': 100.0,
        'factor': 3.0,
      }
    },
  ),
  'llama_yarn': ('LlamaConfig', {'rope_parameters': _YARN, 'head_dim': 12}),
  'qwen2_yarn': (
    'Qwen2Config',
    {
      'rope_parameters': _YARN
      | {
        'beta_fast': 4.0,
        'beta_slow': 0.5,
        'attention_factor': 1.3,
        'truncate': False,
      }
    },
  ),
  'qwen2': ('Qwen2Config', {'rms_norm_eps': 1e-3}),
  'qwen3': ('Qwen3Config', {'head_dim': 10}),
  'qwen3_tied': ('Qwen3Config', {'head_dim': 6, 'tie_word_embeddings': True}),
}


def make(name: str):
  """Returns a causal model, every parameter away from 0 and 1."""
  import torch
  import transformers

  kind, changes = CASES[name]
  config = getattr(transformers, kind)(**(_SIZES | changes))
  torch.manual_seed(0)
  model = transformers.AutoModelForCausalLM.from_config(config)
  with torch.no_grad():
    for parameter in model.parameters():
      parameter.add_(torch.randn_like(parameter) * 0.1)
  return model.eval()


def save(name: str, folder: pathlib.Path):
  """Returns such a model, written as a Hugging Face directory."""
  import transformers

  transformers.utils.logging.disable_progress_bar()
  model = make(name)
  model.save_pretrained(folder)
  return model


def logits(model, token_bt: np.ndarray, length_b: np.ndarray) -> np.ndarray:
  """Returns what the model makes of texts padded on the right, `[b, t, v]`."""
  import torch

  mask_bt = np.arange(token_bt.shape[1]) < length_b[:, None]
  with torch.no_grad():
    return model(
      torch.tensor(token_bt), attention_mask=torch.tensor(mask_bt).long()
    ).logits.numpy()
