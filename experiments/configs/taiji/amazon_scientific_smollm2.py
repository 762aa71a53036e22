"""Taiji's arms on Amazon "Industrial & Scientific", SmolLM2-135M.

The student, and the scorer of perplexities, is SmolLM2-135M-Instruct; its
untuned weights are the arm `backbone`. The teacher is the template teacher;
  --config.cot.teacher=model --config.cot.model.source=NAME
takes any checkpoint that `modules.weights.pretrained.find` knows, and
  --config.cot.teacher=openai --config.cot.openai.model=NAME \
    --config.cot.openai.base_url=URL --config.cot.openai.key_variable=VARIABLE
an endpoint; see `taiji_jax.cot.config` for their fields.

Commands:
  a full run, on one accelerator (bfloat16 products):
    TAIJI_DATA=FOLDER python -m experiments.taiji \
      --config=experiments/configs/taiji/amazon_scientific_smollm2.py
  two steps of everything on a CPU:
    TAIJI_DATA=FOLDER python -m experiments.taiji \
      --config=experiments/configs/taiji/amazon_scientific_smollm2.py \
      --config.sft.opt.steps=2 --config.sft.opt.warmup=0 --config.sft.batch=1 \
      --config.rl.opt.steps=2 --config.rl.opt.warmup=0 \
      --config.rl.prompts=1 --config.rl.group=2 \
      --config.sft.examples=8 --config.cot.held_out=4 --config.cot.batch=2 \
      --config.data.evaluation_rows=4 --config.evaluation.batch=4 \
      --config.model.dtype=float32 '--config.arms.sft_seeds=(0,)' \
      '--config.arms.rl_seeds=(0,)' --workdir=runs/smoke --results=runs/smoke

Not measured yet: a full run wants an accelerator.
"""

import ml_collections

from experiments.configs.popo import ml100k_smollm2
from experiments.configs.taiji import amazon_scientific_cpu


def get_config() -> ml_collections.ConfigDict:
  config = amazon_scientific_cpu.get_config()
  large = ml100k_smollm2.get_config()
  config.name = 'taiji/amazon_scientific_smollm2'
  config.model = large.model
  config.data.title_words = 0
  config.prompt.max_history = 10
  config.length.prompt = 768
  config.length.completion = 192
  config.cot.model = ml_collections.ConfigDict()
  config.cot.model.source = 'smollm2'
  config.cot.model.temperature = 0.7
  config.cot.model.top_p = 0.95
  config.cot.model.max_tokens = 160
  config.cot.model.prefill = '<think>'
  config.cot.model.rows = 64
  config.cot.openai = ml_collections.ConfigDict()
  config.cot.openai.model = 'default'
  config.cot.openai.base_url = 'http://127.0.0.1:8000/v1'
  config.cot.openai.key_variable = 'OPENAI_API_KEY'
  config.cot.openai.concurrency = 16
  # The weights are the backbone.
  del config.pretrain
  config.sft.batch = 16
  config.sft.tokens = 1024
  config.sft.opt.lr = 1e-4
  config.sft.opt.steps = 300
  config.sft.opt.warmup = 20
  config.rl = large.rl
  config.rl.opt.steps = 40
  config.evaluation.batch = 100
  return config
