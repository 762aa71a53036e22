"""SFT and RL of a decoder by two rewards of one's own; prints POPO's weights.

Run: python rl_two_rewards.py   (under a minute on two CPU cores)

The rewards disagree: `new` wants an item that was not bought, `short` a short
name. Any number of functions may be given, one objective each.
"""

import pathlib
import tempfile

from taiji_jax import metrics, rl, sft
from taiji_jax.data import texts, tokenizer
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.policy import Policy, PolicyConfig

ITEMS = ('tea', 'milk', 'green apples', 'dark rye bread', 'a jar of honey')
ASKED = [f'Bought: {a}, {b}. Next: ' for a in ITEMS for b in ITEMS if a != b]
SIZES = {'width': 64, 'num_heads': 4, 'num_kv_heads': 2, 'mlp_width': 128}
SHOWN = ('reward_new', 'weight_new', 'reward_short', 'weight_short')


def new(said, index_n):  # Texts, and the number of the prompt of each.
  return [s in ITEMS and s not in ASKED[index_n[i]] for i, s in enumerate(said)]


def short(said, index_n):
  return [1 - len(s) / 20 if s in ITEMS else 0 for s in said]


writer = metrics.Writer(work := pathlib.Path(tempfile.mkdtemp()))
tok = tokenizer.train_sentencepiece([*ITEMS, *ASKED], work / 'tok.model')
sizes = DecoderConfig(vocab_size=tok.vocab_size, num_layers=1, **SIZES)
policy = Policy(PolicyConfig(sizes, completion=12), tok)
start, _ = sft.fit(
  policy, texts.examples([(p, i) for p in ASKED for i in ITEMS], tok),
  sft.FitConfig(sft.OptimizerConfig(lr=3e-3, steps=80), batch=8, tokens=128),
  start=policy.start(), scratch=work / 'sft', writer=writer,
)  # fmt: skip
rl.Trainer(
  policy, texts.TextPrompts(ASKED, tok),
  rl.FunctionRewards({'new': new, 'short': short}),
  rl.RLTrainConfig(opt=rl.OptimizerConfig(lr=1e-3, steps=30), eta=2e-3),
  writer=writer,
).run(start, work / 'rl')  # fmt: skip
for row in writer.rows()[-30::5]:
  print(row['step'], *(f'{name} {row[name]:.2f}' for name in SHOWN))
