"""Completions of prompts by any checkpoint that the library reads.

Run: python -m experiments.answer --source=smollm2 --chat \
       --prompt='What is the capital of France?'

`--source` is a directory in Hugging Face's layout, a .gguf file, 'smollm2', or
a name on the hub; `--prompt` may be given several times.
"""

from absl import flags

from experiments import entry
from taiji_jax import sharding
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.decode.sampler import Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained

_SOURCE = flags.DEFINE_string('source', 'smollm2', 'The checkpoint.')
_PROMPT = flags.DEFINE_multi_string('prompt', [], 'A text to go on with.')
_CHAT = flags.DEFINE_bool('chat', False, "In the model's chat template.")
_MAX = flags.DEFINE_integer('max_tokens', 64, 'The longest completion.')
_TEMPERATURE = flags.DEFINE_float('temperature', 0.0, '0 takes the likeliest.')
_TOP_K = flags.DEFINE_integer('top_k', 0, 'Only the k likeliest; 0 all.')
_TOP_P = flags.DEFINE_float('top_p', 1.0, 'Only the likeliest of this mass.')
_MIN_P = flags.DEFINE_float('min_p', 0.0, 'Of the likeliest, at least.')
_STOP = flags.DEFINE_multi_string('stop', [], 'A text that ends a completion.')
_SAMPLES = flags.DEFINE_integer('samples', 1, 'Completions of each prompt.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the first completion.')
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of the products.'
)
_CACHE = flags.DEFINE_string('cache', 'model', 'Of keys and values; or int8.')
_TENSOR = flags.DEFINE_integer('tensor', 1, 'Devices that share the weights.')


def main() -> None:
  """Prints the completions."""
  if not _PROMPT.value:
    raise UserError("give at least one --prompt='...'.")
  if _SAMPLES.value < 1:
    raise UserError(f'--samples is {_SAMPLES.value}; give at least 1.')
  mesh = sharding.MeshConfig(tensor=_TENSOR.value).make()
  tokenizer = tokenizer_lib.load(pretrained.find(_SOURCE.value))
  if _CHAT.value and not hasattr(tokenizer, 'chat'):
    raise UserError(f'{_SOURCE.value} has no chat template; drop --chat.')
  prompts = [
    tokenizer.chat([{'role': 'user', 'content': text}])
    if _CHAT.value
    else tokenizer.encode(text)
    for text in _PROMPT.value
  ]
  sampling = SampleConfig(
    max_tokens=_MAX.value,
    temperature=_TEMPERATURE.value,
    eos_id=tokenizer.eos_id,
    pad_id=tokenizer.pad_id,
    top_k=_TOP_K.value,
    top_p=_TOP_P.value,
    min_p=_MIN_P.value,
    cache_dtype=_CACHE.value,
  )
  attention = 'kernel' if mesh.devices.flat[0].platform == 'tpu' else 'plain'
  config, params = pretrained.load(
    _SOURCE.value,
    mesh,
    dtype=_DTYPE.value,
    param_dtype=_DTYPE.value,
    attention=attention,
  )
  generator = Sampler(
    Decoder(config), params, sampling, mesh=mesh, decode=tokenizer.decode
  )
  count = len(prompts) * _SAMPLES.value
  seeds = range(_SEED.value, _SEED.value + count)
  for i, found in enumerate(generator(prompts, seeds, stop=_STOP.value)):
    print(f'[{_PROMPT.value[i // _SAMPLES.value]!r}, {found.reason}]')
    print(f'{found.text}\n')


if __name__ == '__main__':
  entry.run(main)
