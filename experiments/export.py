"""A run's model as a directory that transformers and vLLM load.

Run: python -m experiments.export --workdir=runs/popo/ml100k_smollm2 \\
       --to=exported/popo

Adapters are merged; the tokenizer and its chat template come with it.
"""

from absl import flags

from experiments import entry
from taiji_jax import train_state
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import export, pretrained
from taiji_jax.pipeline import Run

_WORKDIR = entry.workdir_flag('runs/popo/ml100k_cpu')
_ARM = flags.DEFINE_string('arm', 'popo', 'Whose model, any of the run.')
_SEED = flags.DEFINE_integer('seed', None, "The arm's first if not given.")
_TO = flags.DEFINE_string('to', None, 'The directory to write.', required=True)
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of the tensors.'
)


def main() -> None:
  """Writes the model of one arm."""
  if _TO.value in ('', 'None'):
    raise UserError(f'--to is {_TO.value!r}; name the directory to write.')
  run = Run.open(entry.finished(_WORKDIR.value), _ARM.value)
  seed = run.plan.seed_of(_ARM.value, _SEED.value)
  trained = run.load(run.model(_ARM.value, seed))
  source = run.recipe.source
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
