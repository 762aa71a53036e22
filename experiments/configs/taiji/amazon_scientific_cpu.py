"""Taiji's arms on Amazon "Industrial & Scientific", two CPU cores.

Paper: arXiv:2606.03866, Tables 1, 3 and 4.
Data: the 2018 release, 5-core without repeats: 8,317 users, 58,492 purchases,
4,344 items; the last item of each user for test, the one before for validation.
(24 items and their 493 purchases, titled by markup, are left out
since 2026-11-27.)
Command: TAIJI_DATA=FOLDER python -m experiments.taiji \
  --config=experiments/configs/taiji/amazon_scientific_cpu.py

The size, by arithmetic (two cores, float32, 1.6M parameters):
- Titles are cut to five words (or as many as keep a unique one unique); 5,000
  whole names are in a vocabulary of 8,192. Six items and five candidates make a
  prompt of 144 tokens at most, reasoning and answer 112 at most.
- Backbone: 1,500 steps x 8 rows x 256 tokens = 3.1M tokens of users whom no
  later stage trains on.
- CoT: 4,000 prompts x 3 texts and the empty one, three times (RUPR, direct,
  towards the retriever's answer); of the language model 300 x 1, twice.
- SFT: `mbr` with five seeds, eight arms (with the language model's ten) with
  three, 600 steps x 8 rows x 256 tokens = 1.2M tokens each: 29 models (35).
- RL: three arms x 20 seeds and one x 10, 20 steps x 8 prompts x 4 rollouts: 70
  models. They answer 2,000 users each, all others 8,317.
- Before any language model, `--floors`: two towers, the retriever, seven
  floors: two minutes.

Measured, 2026-11-28, the same machine: backbone 6.1 minutes, reasoning 2 each
of three kinds, an SFT model 1.9, its answers to all users .6, held ones .7.
Five seeds of mbr, three of the others; all supervised cells 2.2 hours, with
other work beside them on the machine.

Measured, 2026-11-27, two cores, Python 3.11 (jax 0.10.2), `--floors`: 1.7
minutes. On all 8,317 users, 95 % intervals: decayed majority L1 .362 [.351,
.372], L2 .215, L3 .188; copy the last title, title hits at 50 .127 [.120,
.134]; the retriever's one answer .388 [.378, .399], .242, .218, .134 [.127,
.141]. r_id of the truth .754, of the most popular item .476; GAUC against
negatives as popular .752 (validation: .768 [.763, .774]).

The arms: experiments/results/taiji/amazon_scientific_cpu and
docs/results/taiji_table.md.

Stand-ins, `Choice:` both. The set has no clicks: `ctcvr` is the judge tower's
P(purchase) against sampled items that the user never had, its conversion head
trained where every click converts (pCVR = 1), on the items before the last two.
It has no profiles, and prompts show none.
"""

import ml_collections

from experiments.configs.popo import ml100k_cpu


def get_config() -> ml_collections.ConfigDict:
  config = ml100k_cpu.get_config()
  config.name = 'taiji/amazon_scientific_cpu'

  config.data = ml_collections.ConfigDict()
  config.data.source = 'item_sequences'
  config.data.path = '$TAIJI_DATA/amazon_scientific'
  config.data.metadata = ''
  config.data.core = 5
  config.data.split = 'leave_one_out'
  config.data.title_words = 5
  config.data.rl_fraction = 0.1
  config.data.history = 50
  config.data.min_history = 1
  config.data.evaluation_rows = 0
  config.data.negatives = 4
  config.data.consumed_once = True
  config.data.miss = 0.0

  config.prompt.max_history = 6
  config.prompt.profile_fields = ()
  config.prompt.candidates = 5
  config.prompt.candidate_order = 'answer_first'
  config.length.prompt = 144
  config.length.completion = 112

  config.evaluation.batch = 128

  config.tokenizer.vocab_size = 8192
  config.tokenizer.whole_names = 5000
  config.tokenizer.prose = True
  config.retrieve.fit_rows = 4000
  config.tower.epochs = 8
  config.tower.judge_epochs = 10

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
  config.cot.rule = 'within'
  config.cot.search_rounds = 0
  config.cot.percentile = 50.0
  config.cot.held_out = 300
  config.cot.batch = 32
  config.cot.shard_rows = 500
  # Of the arms of `arms.asked` alone.
  config.cot.stop_at_tag = True
  config.cot.openai = ml_collections.ConfigDict()
  config.cot.openai.model = 'qwen2.5-coder-0.5b-instruct-q4_k_m'
  config.cot.openai.base_url = 'http://127.0.0.1:8080/v1'
  config.cot.openai.key_variable = ''
  config.cot.openai.temperature = 0.7
  config.cot.openai.top_p = 0.95
  config.cot.openai.max_tokens = 160
  config.cot.openai.concurrency = 8
  config.cot.openai.redraws = 1

  config.sft.examples = 4000
  config.sft.prompt_weight = 0.0
  config.sft.opt.lr = 1e-3
  config.sft.opt.steps = 600
  config.sft.opt.warmup = 20

  config.rl.opt.steps = 20

  config.arms = ml_collections.ConfigDict()
  config.arms.sft_seeds = (0, 1, 2, 3, 4)
  config.arms.rl_seeds = tuple(range(20))
  config.arms.start = 'mbr'
  config.arms.asked = False
  config.arms.rl_rows = 2000
  return config
