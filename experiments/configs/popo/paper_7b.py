"""Taiji at the paper's size, for any slice; `paper_CHIP.py` says which.

Paper: arXiv:2606.03866: DeepSeek-R1-Distill-Qwen-7B, prompts of up to 13,000
tokens, G = 4 rollouts. `Choice:` completions of 2,048 tokens, prompts a step,
numbers of steps: the paper is silent.
Data: a log in the layout of `data.tables`; --config.data.path says where.

The sizes are those of the model's config.json. Parameters, Adam's moments and
the reference lie split over fsdp; weights are float32, products bfloat16.
"""

import ml_collections

from experiments.configs.popo import ml100k_cpu


def get_config() -> ml_collections.ConfigDict:
  config = ml100k_cpu.get_config()
  config.name = 'popo/paper_7b'
  with config.unlocked():
    config.update(
      {
        'length': {'prompt': 13_000, 'completion': 2_048},
        'model': {
          'vocab_size': 152_064,
          'num_layers': 28,
          'width': 3_584,
          'num_heads': 28,
          'num_kv_heads': 4,
          'mlp_width': 18_944,
          'rope_theta': 10_000.0,
          'norm_epsilon': 1e-6,
          'qkv_bias': True,
          'tie_embeddings': False,
          'dtype': 'bfloat16',
          'stacked': True,
          'unroll': 1,
          'remat': 'full',
          'attention': 'auto',
          'loss_chunk': 512,
        },
        'sft': {
          'tokens': 16_384,
          'batch': 64,
          'prompt_weight': 0.0,
          'opt': {'lr': 1e-5, 'steps': 2_000, 'warmup': 60},
        },
        'rl': {
          'group': 4,
          'prompts': 64,
          'form': 'vjps',
          'share_prompt': True,
          'opt': {'lr': 1e-6, 'steps': 400, 'warmup': 10},
        },
        'prompt': {'max_history': 200},
        'data': {'history': 200},
      }
    )
  return config


def on(name: str, chips: int, fsdp: int = 32) -> ml_collections.ConfigDict:
  """Returns the recipe for so many chips: one row and one prompt a chip.

  3,584 / 32 = 112 is a multiple of the 16 rows of a bfloat16 tile. In 64 parts
  of 56 the compiler may gather and scatter by sums over zeros, with twice the
  bytes, but the state takes half. Rollouts keep the weights on 4 chips,
  one kv head each.

  Args:
    name: of the recipe.
    chips: how many, a multiple of fsdp.
    fsdp: parts of the parameters.
  """
  config = get_config()
  config.name = f'popo/{name}'
  with config.unlocked():
    config.update(
      {
        'mesh': {'data': chips // fsdp, 'fsdp': fsdp, 'tensor': 1},
        'rollout_mesh': {'data': chips // 4, 'fsdp': 1, 'tensor': 4},
        'sft': {'batch': chips},
        'rl': {'prompts': chips},
      }
    )
  return config
