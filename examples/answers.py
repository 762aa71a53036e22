"""A trained or Hugging Face policy, asked in a batch.

Run: python answers.py                    trains a small one first
     python answers.py --source=DIR 'Once upon a time' 'In the beginning'

`--source` is a directory in Hugging Face's layout, a .gguf file, 'smollm2', or
'organisation/model' of the Hugging Face hub.
"""

import argparse
import pathlib
import tempfile

from taiji_jax import metrics, sft
from taiji_jax.data import texts, tokenizer
from taiji_jax.decode import SampleConfig, Sampler
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import export, pretrained
from taiji_jax.policy import Policy, PolicyConfig

NEXT = {
  'tea': 'milk',
  'bread': 'butter',
  'pasta': 'pesto',
  'salt': 'pepper',
}
PAIRS = [(f'After {a} comes ', b) for a, b in NEXT.items()]


def train(work: pathlib.Path) -> pathlib.Path:
  """Returns the Hugging Face directory of a small model that learnt `PAIRS`."""
  lines = [prompt + answer for prompt, answer in PAIRS]
  tok = tokenizer.train_sentencepiece(lines, work / 'tok.model')
  sizes = DecoderConfig(
    vocab_size=tok.vocab_size,
    num_layers=1,
    width=64,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=128,
  )
  policy = Policy(PolicyConfig(sizes, completion=12), tok)
  params, _ = sft.fit(
    policy,
    texts.examples(PAIRS, tok),
    sft.FitConfig(sft.OptimizerConfig(lr=3e-3, steps=60), batch=4, tokens=64),
    start=policy.start(),
    scratch=work / 'checkpoints',
    writer=metrics.Writer(work),
  )
  folder = work / 'model'
  variables = policy.variables(params)
  export.save(folder, policy.decoder.config, variables, tokenizer=tok)
  return folder


def ask(source: str, prompts: list[str], samples: int, temperature: float):
  """Returns `samples` completions of each prompt, those of one together."""
  config, params = pretrained.load(source)
  tok = tokenizer.load(pretrained.find(source))
  sampling = SampleConfig(32, temperature, tok.eos_id, tok.pad_id)
  sampler = Sampler(Decoder(config), params, sampling, decode=tok.decode)
  # A tokenizer of the family Llama begins a text by bos, as in training.
  ids = [texts.encode(tok, prompt) for prompt in prompts]
  return sampler(ids, seeds=range(samples * len(ids)))


def main():
  """Prints every completion and the mean log-probability of its tokens."""
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--source', help='trained here where not given')
  parser.add_argument('--samples', type=int, default=2)
  parser.add_argument('--temperature', type=float, default=0.7)
  parser.add_argument('prompts', nargs='*', default=[p for p, _ in PAIRS])
  args = parser.parse_args()
  source = args.source or train(pathlib.Path(tempfile.mkdtemp()))
  found = ask(source, args.prompts, args.samples, args.temperature)
  for i, one in enumerate(found):
    mean = sum(one.logp) / max(len(one.logp), 1)
    prompt = args.prompts[i // args.samples]
    print(f'{prompt!r} -> {one.text!r} ({mean:.2f} nats a token, {one.reason})')


if __name__ == '__main__':
  main()
