"""Taiji's eight arms on Amazon "Industrial & Scientific", two CPU cores."""

import ml_collections

from experiments.configs.popo import ml100k_cpu


def get_config() -> ml_collections.ConfigDict:
  config = ml100k_cpu.get_config()
  config.name = 'taiji/amazon_scientific_cpu'

  config.data = ml_collections.ConfigDict()
  config.data.source = 'item_sequences'
  config.data.path = '$TAIJI_DATA/amazon_scientific'
  config.data.split = 'leave_one_out'
  config.data.title_words = 5
  config.data.profile = 'history'
  config.data.rl_fraction = 0.1
  config.data.history = 50
  config.data.min_history = 1
  config.data.evaluation_rows = 1000
  config.data.negatives = 4
  config.data.consumed_once = True
  config.data.miss = 0.0

  config.prompt.max_history = 6
  config.prompt.profile_fields = ('favours', 'brands', 'bought')
  config.length.prompt = 128
  config.length.completion = 64

  config.tokenizer.vocab_size = 4096
  config.tokenizer.whole_names = 2048
  config.tower.epochs = 6

  config.pretrain = ml_collections.ConfigDict()
  config.pretrain.batch = 8
  config.pretrain.tokens = 256
  config.pretrain.prompt_weight = 1.0
  config.pretrain.opt = ml_collections.ConfigDict()
  config.pretrain.opt.lr = 4e-3
  config.pretrain.opt.steps = 1500
  config.pretrain.opt.warmup = 40
  config.pretrain.opt.schedule = 'cosine'
  config.pretrain.opt.weight_decay = 0.1
  config.pretrain.opt.clip_norm = 1.0

  config.cot = ml_collections.ConfigDict()
  config.cot.teacher = 'template'
  config.cot.samples = 3
  config.cot.scorer = 'student'
  config.cot.scorer_source = ''
  config.cot.leaks = 'reject'
  config.cot.rule = 'ppl'
  config.cot.search_rounds = 0
  config.cot.percentile = 50.0
  config.cot.held_out = 300
  config.cot.batch = 16
  config.cot.shard_rows = 500

  config.sft.examples = 2000
  config.sft.prompt_weight = 0.0
  config.sft.opt.lr = 1e-3
  config.sft.opt.steps = 300
  config.sft.opt.warmup = 20

  config.arms = ml_collections.ConfigDict()
  config.arms.sft_seeds = (0, 1, 2)
  config.arms.rl_seeds = (0, 1, 2, 3, 4)
  return config
