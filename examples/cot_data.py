"""Rejection-sampled reasoning data from prompts, answers and a teacher.

Run: python cot_data.py FOLDER   (under a minute on two CPU cores)

The teacher is told the answer and reasons backwards, k times a prompt. A guard
rejects what states the answer, a scorer gives the perplexity of the answer
after each text, and what is below the median of held-out prompts is kept
(ORFT). The records go to ArrayRecord shards; killed and started again, the same
command goes on.
"""

import pathlib
import random
import sys
import tempfile

from taiji_jax import cot, metrics, sft, shards
from taiji_jax.data import prompts as formats
from taiji_jax.data import texts, tokenizer
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.pipeline.scorer import Scorer
from taiji_jax.policy import Policy, PolicyConfig

KINDS = {
  'fruit': ('apple', 'pear', 'plum', 'cherry', 'peach', 'melon'),
  'tool': ('hammer', 'saw', 'chisel', 'pliers', 'drill', 'file'),
}
OTHER = {'fruit': 'tool', 'tool': 'fruit'}
CASES = [
  (f'Bought: {a}, {b}. Next?', c, kind)
  for kind, names in KINDS.items()
  for a in names for b in names for c in names if len({a, b, c}) == 3
]  # fmt: skip
random.Random(0).shuffle(CASES)
HELD_OUT = CASES[:40]
TRAIN = CASES[40:]


def reason(kind):
  """Returns a text that leads to a kind."""
  return f'The next is of the kind {kind}.'


def teacher(requests, k):
  """Returns k texts a request: one that helps, one that misleads, a leak."""
  kinds = {answer: kind for _, answer, kind in CASES}
  found = []
  for request in requests:
    kind = kinds[request.answer]
    leak = f'The next one is surely {request.answer}.'
    said = [reason(kind), reason(OTHER[kind]), leak]
    found.append([cot.CotSample(said[i % 3]) for i in range(k)])
  return found


def student(cases, work):
  """Returns a policy that read whole completions, and its parameters."""
  pairs = [
    (prompt, formats.completion(reason(kind), answer))
    for prompt, answer, kind in cases
  ]
  lines = [prompt + said for prompt, said in pairs]
  # Tags are tokens of their own: an answer's tokens are the same alone.
  tok = tokenizer.train_sentencepiece(
    lines, work / 'tok.model', vocab_size=512, symbols=formats.STRUCTURE
  )
  sizes = DecoderConfig(
    vocab_size=tok.vocab_size,
    num_layers=2,
    width=64,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=128,
  )
  policy = Policy(PolicyConfig(sizes, completion=96), tok)
  params, _ = sft.fit(
    policy,
    texts.examples(pairs, tok),
    sft.FitConfig(sft.OptimizerConfig(lr=3e-3, steps=120), batch=8, tokens=192),
    start=policy.start(),
    scratch=work / 'student',
    writer=metrics.Writer(work),
  )
  return policy, params


def work_on(cases, policy, params, **options):
  """Returns what makes the records of cases."""
  asked, answers, _ = zip(*cases, strict=True)
  return cot.Work(
    contexts=cot.TextContexts(asked, answers),
    teacher=teacher,
    scorer=Scorer(
      policy,
      policy.for_rollouts(params),
      texts.TextPrompts(asked, policy.tokenizer),
      completion=96,
      answer=16,
      batch=8,
    ),
    tokenizer=policy.tokenizer,
    longest=96,
    samples=3,
    guard=cot.AnswerGuard(answers),
    name='rules',
    **options,
  )


def main():
  """Writes the shards and prints what was kept."""
  folder = pathlib.Path(
    sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
  )
  folder.mkdir(parents=True, exist_ok=True)
  policy, params = student(TRAIN, folder)
  made = work_on(HELD_OUT, policy, params)(range(len(HELD_OUT)))
  bound = cot.threshold(made)
  job = shards.JobSpec(
    folder / 'shards', len(TRAIN), 40, provenance={'bound': bound},
    codec=cot.CODEC, prefix=cot.PREFIX, kept=cot.KEPT,
  )  # fmt: skip
  shards.run(job, work_on(TRAIN, policy, params, bound=bound))
  records = list(shards.read(folder / 'shards', cot.CODEC))
  print(f'{sum(r.kept for r in records)} of {len(records)} kept, R {bound:.3g}')
  for record in records[:6]:
    print(f'{record.reason or "kept":>20}: {record.think} -> {record.answer}')


if __name__ == '__main__':
  main()
