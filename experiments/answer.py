"""Completions of prompts by any checkpoint, or by a model of a run.

Run: python -m experiments.answer --source=smollm2 --chat \\
       --prompt='What is the capital of France?'
     python -m experiments.answer --workdir=runs/popo/ml100k_cpu --arm=sft \\
       --prompt='User: age: 25'

`--source` is a directory in Hugging Face's layout, a .gguf file, 'smollm2', or
a name on the hub; `--prompt` may be given several times.
"""

from absl import flags

from experiments import entry
from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Run, sampler

_SOURCE = flags.DEFINE_string('source', 'smollm2', 'The checkpoint.')
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'A run, not --source; its own layout.'
)
_ARM = flags.DEFINE_string('arm', 'popo', 'Whose model, any of the run.')
_ARM_SEED = flags.DEFINE_integer('arm_seed', None, 'Its first if not given.')
_PROMPT = flags.DEFINE_multi_string('prompt', [], 'A text to go on with.')
_CHAT = flags.DEFINE_bool('chat', False, "In the model's chat template.")
_SAMPLING = (
  flags.DEFINE_integer('max_tokens', 64, 'The longest completion.'),
  flags.DEFINE_float('temperature', 0.0, '0 takes the likeliest.'),
  flags.DEFINE_integer('top_k', 0, 'Only the k likeliest; 0 all.'),
  flags.DEFINE_float('top_p', 1.0, 'Only the likeliest of this mass.'),
  flags.DEFINE_float('min_p', 0.0, 'Of the likeliest, at least.'),
)
_CACHE = flags.DEFINE_string('cache', 'model', 'Of keys and values; or int8.')
_STOP = flags.DEFINE_multi_string('stop', [], 'A text that ends a completion.')
_SAMPLES = flags.DEFINE_integer('samples', 1, 'Completions of each prompt.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the first completion.')
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of the products.'
)
_TENSOR = flags.DEFINE_integer('tensor', 1, 'Devices that share the weights.')


def main() -> None:
  """Prints the completions."""
  if not _PROMPT.value:
    raise UserError("give at least one --prompt='...'.")
  if (samples := _SAMPLES.value) < 1:
    raise UserError(f'--samples is {samples}; give at least 1.')
  options = {flag.name: flag.value for flag in _SAMPLING}
  options['cache_dtype'] = _CACHE.value
  if _WORKDIR.value:
    run = Run.open(entry.finished(_WORKDIR.value), _ARM.value)
    seed = run.plan.seed_of(_ARM.value, _ARM_SEED.value)
    found = sampler.open_run(run, _ARM.value, seed, _CHAT.value, **options)
  else:
    mesh = sharding.MeshConfig(tensor=_TENSOR.value).make()
    found = sampler.open_checkpoint(
      _SOURCE.value, mesh, _DTYPE.value, _CHAT.value, **options
    )
  longest = options['max_tokens']
  prompts = [found.encode(t, _CHAT.value, longest) for t in _PROMPT.value]
  seeds = range(_SEED.value, _SEED.value + len(prompts) * samples)
  for i, one in enumerate(found.complete(prompts, seeds, _STOP.value)):
    print(f'[{_PROMPT.value[i // samples]!r}, {one.reason}]\n{one.text}\n')


if __name__ == '__main__':
  entry.run(main)
