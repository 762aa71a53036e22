"""Taiji with POPO on MovieLens-100K, two CPU cores, minutes.

Paper: arXiv:2606.03866; its combination (the weighted sum of rewards, z-scored
anew in each group) and its KL (in the loss).
Data: MovieLens-100K, 100,000 ratings, cut in time at 80 %.
Command: python -m experiments.popo \
  --config=experiments/configs/popo/ml100k_cpu.py

The size, by arithmetic (two cores, float32):
- An item is 9 tokens at a vocabulary of 2,048, so 5 items, 5 candidates and the
  profile are a prompt of 105 tokens on average (144 at most), reasoning and
  answer are 24 (48 at most).
- SFT: 500 steps x 8 rows x 256 tokens = 1.02M tokens, 9,500 examples. A model
  of 0.85M parameters trains about 11,000 tokens/s: 90 s.
- RL: 30 steps x 8 prompts x 4 rollouts. A step draws 32 x 48 tokens (0.4 s),
  embeds up to 32 answers (0.5 s) and updates on 32 x 192 tokens (0.8 s): 55 s.
- ID towers: some 900 steps x 512 and 300 x 1,024, 15 s; the retriever 15 s. Two
  arms x 500 answers and the evaluation: 40 s. Compilation: 40 s.

Measured, 2026-11-28, two cores, fresh clone, installation included: 5.2
minutes on Python 3.11 (jax 0.10.2), 1.8 GiB (900 and 40 steps: 7.2 minutes the
same day). popo over sft, 500 events, 95 % intervals: r_s -.010 [-.022, .003],
r_id +.058 [.010, .106], ctcvr +.045 [.029, .062]; popo less the retriever, L1
-.090 [-.130, -.050].
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
  config = ml_collections.ConfigDict()
  config.name = 'popo/ml100k_cpu'
  config.seed = 0

  config.data = ml_collections.ConfigDict()
  config.data.source = 'movielens'
  config.data.path = ''
  config.data.train_fraction = 0.8
  config.data.rl_fraction = 0.1
  config.data.history = 50
  config.data.min_history = 1
  config.data.evaluation_rows = 500
  config.data.negatives = 4
  config.data.consumed_once = True
  config.data.miss = 0.0

  config.prompt = ml_collections.ConfigDict()
  config.prompt.max_history = 5
  config.prompt.candidates = 5
  config.prompt.profile_fields = ('age', 'gender', 'occupation')

  config.length = ml_collections.ConfigDict()
  config.length.prompt = 144
  config.length.completion = 48

  config.tokenizer = ml_collections.ConfigDict()
  config.tokenizer.path = ''
  config.tokenizer.vocab_size = 2048
  config.tokenizer.whole_names = 1024

  config.tower = ml_collections.ConfigDict()
  config.tower.width = 64
  config.tower.mlp_widths = ()
  config.tower.batch = 512
  config.tower.epochs = 5
  config.tower.judge_batch = 1024
  config.tower.judge_epochs = 3
  config.tower.judge_fraction = 0.3
  config.tower.lr = 3e-3
  config.tower.weight_decay = 1.0

  config.retrieve = ml_collections.ConfigDict()
  config.retrieve.fit_rows = 2000

  config.model = ml_collections.ConfigDict()
  config.model.source = ''
  config.model.num_layers = 3
  config.model.width = 128
  config.model.num_heads = 4
  config.model.num_kv_heads = 2
  config.model.mlp_width = 384
  config.model.unroll = 3
  config.model.remat = 'none'
  config.model.dtype = 'float32'

  config.sft = ml_collections.ConfigDict()
  config.sft.examples = 8000
  config.sft.batch = 8
  config.sft.tokens = 256
  config.sft.prompt_weight = 1.0
  config.sft.opt = ml_collections.ConfigDict()
  config.sft.opt.lr = 4e-3
  config.sft.opt.steps = 500
  config.sft.opt.warmup = 40
  config.sft.opt.schedule = 'cosine'
  config.sft.opt.weight_decay = 0.1
  config.sft.opt.clip_norm = 1.0

  config.rl = ml_collections.ConfigDict()
  config.rl.weighting = 'popo'
  config.rl.combine = 'sum_then_normalize'
  config.rl.group = 4
  config.rl.prompts = 8
  config.rl.eta = 1.0
  config.rl.mu = 1.0
  config.rl.fixed_weights = ()
  config.rl.kl = 'loss'
  config.rl.kl_beta = 0.04
  config.rl.form = 'one_backward'
  config.rl.share_prompt = False
  config.rl.clip = 0.2
  config.rl.temperature = 1.0
  config.rl.opt = ml_collections.ConfigDict()
  config.rl.opt.lr = 3e-4
  config.rl.opt.steps = 30
  config.rl.opt.warmup = 2
  config.rl.opt.schedule = 'constant'
  config.rl.opt.clip_norm = 1.0

  config.mesh = ml_collections.ConfigDict()
  config.mesh.data = 1
  config.mesh.fsdp = 1
  config.mesh.tensor = 1

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch = 50

  config.arms = ml_collections.ConfigDict()
  config.arms.validation_rows = 400
  return config
