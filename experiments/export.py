"""A trained run's model as a directory that transformers and vLLM load.

Run: python -m experiments.export --workdir=runs/popo/ml100k_smollm2 \
       --to=exported/popo

Adapters are merged; the tokenizer and its chat template come with it.
"""

import pathlib

from absl import flags

from experiments import entry
from taiji_jax import train_state
from taiji_jax.modules.weights import export, pretrained
from taiji_jax.pipeline import run as pipeline
from taiji_jax.sft import fit as supervised

_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/popo/ml100k_cpu', 'The work directory of a finished run.'
)
_ARM = flags.DEFINE_enum('arm', 'popo', ['sft', 'popo'], 'Which model.')
_TO = flags.DEFINE_string('to', None, 'The directory to write.', required=True)
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of the tensors.'
)


def main() -> None:
  """Writes the model of one arm."""
  run = pipeline.finished(pathlib.Path(_WORKDIR.value))
  product = run.sft if _ARM.value == 'sft' else pipeline.reinforce(run)
  trained = supervised.load(product, run.policy, run.context)
  source = run.context.recipe.source
  export.save(
    _TO.value,
    run.policy.decoder.config,
    train_state.joined(trained, run.policy.frozen),
    tokenizer=run.encoder.tokenizer,
    source=pretrained.find(source) if source else None,
    options=export.ExportOptions(dtype=_DTYPE.value),
  )
  print(f'{_TO.value}: load it by transformers, vLLM or model.source.')


if __name__ == '__main__':
  entry.run(main)
