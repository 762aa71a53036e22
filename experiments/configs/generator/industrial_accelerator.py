"""A larger generator on Amazon "Industrial & Scientific", one accelerator.

Paper: arXiv:2510.24431 (MiniOneRec), arXiv:2602.10606 (S-GRec).
Data: MiniOneRec's official files, as in `industrial_cpu`.
Command: TAIJI_DATA=FOLDER python -m experiments.generator \
  --config=experiments/configs/generator/industrial_accelerator.py
Over several devices, say eight: --config.mesh.data=8.

The size: a trunk of four layers of width 384 over ten items, 14M parameters
with embeddings of items and heads of codes; bfloat16 products; 45 passes
over 28,460 rows with early stopping, five seeds of every arm.

Not measured yet.
"""

import ml_collections

from experiments.configs.generator import industrial_cpu


def get_config() -> ml_collections.ConfigDict:
  config = industrial_cpu.get_config()
  config.name = 'generator/industrial_accelerator'
  _longer(config.generator.fit)
  model = config.generator.model
  model.width = 384
  model.num_layers = 4
  model.num_heads = 8
  model.mlp_width = 1536
  model.head_width = 768
  model.dropout = 0.3
  model.dtype = 'bfloat16'
  _longer(config.sequence.fit)
  config.arms.names = ()
  config.arms.seeds = (0, 1, 2, 3, 4)
  return config


def _longer(fit: ml_collections.ConfigDict) -> None:
  """Changes a training to larger batches and more passes."""
  fit.batch = 1024
  fit.rounds = 25
  fit.patience = 6
  fit.opt.lr = 1e-3
  fit.opt.steps = 1250
  fit.opt.warmup = 100
  fit.opt.weight_decay = 0.1
