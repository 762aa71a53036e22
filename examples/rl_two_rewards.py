"""SFT and RL of a decoder by two rewards of one's own; prints POPO's weights.

Run: python rl_two_rewards.py   (about half a minute on two CPU cores)

The rewards disagree: `new` wants an item that was not bought, `short` a short
name. Any number of functions may be given, one objective each.
"""

import pathlib
import tempfile

from taiji_jax import metrics, rl, sft
from taiji_jax.data import texts, tokenizer
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.policy import Policy, PolicyConfig
from taiji_jax.train_state import OptimizerConfig

ITEMS = ('tea', 'milk', 'green apples', 'dark rye bread', 'a jar of honey')
ASKED = [f'Bought: {a}, {b}. Next: ' for a in ITEMS for b in ITEMS if a != b]
PAIRS = [(prompt, item) for prompt in ASKED for item in ITEMS]


def new(said, n):  # Texts, and which prompt each of them answers.
  return [s in ITEMS and s not in ASKED[n[i]] for i, s in enumerate(said)]


def short(said, n):
  return [1 - len(s) / 20 if s in ITEMS else 0 for s in said]


work = pathlib.Path(tempfile.mkdtemp())
writer = metrics.Writer(work)  # metrics.jsonl and TensorBoard files.
tok = tokenizer.train_sentencepiece([*ITEMS, *ASKED], work / 'tok.model')
policy = Policy(PolicyConfig(DecoderConfig(1, 1, 64, 4, 2, 128), 12), tok)
start, _ = sft.fit(
  policy, texts.examples(PAIRS, tok),
  sft.FitConfig(OptimizerConfig(3e-3, steps=80), batch=8, tokens=128),
  start=policy.start(), scratch=work / 'sft', writer=writer,
)  # fmt: skip
rl.Trainer(
  policy, texts.TextPrompts(ASKED, tok),
  rl.FunctionRewards({'new': new, 'short': short}),
  rl.RLTrainConfig(opt=OptimizerConfig(1e-3, steps=30), eta=2e-3),
  writer=writer,
).run(start, work / 'rl')  # fmt: skip
SHOWN = ('reward_new', 'weight_new', 'reward_short', 'weight_short')
for row in writer.rows()[-30::5]:
  print(row['step'], *(f'{name} {row[name]:.2f}' for name in SHOWN))
