"""RL of a generator by business and semantic rewards, two CPU cores.

Paper: arXiv:2602.10606 (S-GRec), arXiv:2510.24431 (MiniOneRec).
Data: as experiments/configs/generator/industrial_cpu.py, whose generator all
arms begin with.
Command: TAIJI_DATA=FOLDER python -m experiments.a2po \
  --config=experiments/configs/a2po/industrial_cpu.py

The size: 3,400 training rows of half of the users as prompts, 16 beams each, 64
rows an update, two passes.

Measured on validation rows alone so far: no rate raises NDCG@10 over the
generator's, see docs/a2po.md; 3e-5 loses least.
"""

import ml_collections

from experiments.configs.generator import industrial_cpu


def get_config() -> ml_collections.ConfigDict:
  config = industrial_cpu.get_config()
  config.name = 'a2po/industrial_cpu'
  config.arms.names = ()
  config.arms.seeds = (0,)

  config.rl = ml_collections.ConfigDict()
  config.rl.rows = 3400
  config.rl.prompts = 64
  config.rl.group = 16
  config.rl.business = ml_collections.ConfigDict()
  config.rl.business.rule_and_rank = 1.0
  config.rl.business.prefix = 0.0
  config.rl.business.collaborative = 0.0
  config.rl.judge = 'cosine'
  config.rl.judged = 0.05
  config.rl.opt = ml_collections.ConfigDict()
  config.rl.opt.lr = 3e-5
  config.rl.opt.steps = 106
  return config
