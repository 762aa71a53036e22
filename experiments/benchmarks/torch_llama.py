"""The model that torch runs in benchmarks, and the sizes of SmolLM2-135M."""

from typing import Any

from taiji_jax.modules.decoder_config import DecoderConfig

SMOLLM2 = DecoderConfig(
  vocab_size=49152,
  num_layers=30,
  width=576,
  num_heads=9,
  num_kv_heads=3,
  mlp_width=1536,
  rope_theta=100_000.0,
  norm_epsilon=1e-5,
)


def make(config: DecoderConfig) -> Any:
  """Returns a Llama of these sizes in torch (sdpa), random weights."""
  import torch
  import transformers

  torch.manual_seed(0)
  model = transformers.LlamaForCausalLM(
    transformers.LlamaConfig(
      vocab_size=config.vocab_size,
      hidden_size=config.width,
      intermediate_size=config.mlp_width,
      num_hidden_layers=config.num_layers,
      num_attention_heads=config.num_heads,
      num_key_value_heads=config.num_kv_heads,
      tie_word_embeddings=config.tie_embeddings,
      rms_norm_eps=config.norm_epsilon,
      attn_implementation='sdpa',
    )
  )
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  return model.to(device, getattr(torch, config.dtype))
