"""The end of a benchmark: its result as JSON, and kept where that is asked."""

import json
import pathlib
import sys
from typing import Any

from absl import flags

from experiments import provenance
from taiji_jax import files, metrics
from taiji_jax.evaluate import cells

FOLDER = pathlib.Path('experiments/results/benchmarks')

# Flags that decide no number.
_WHERE = ('save', 'workdir', 'output')
_SAVE = flags.DEFINE_string(
  'save',
  None,
  f'A name, usually the benchmark; the result is kept as {FOLDER}/NAME.json,'
  ' of which `python -m experiments.docs` makes the pages.',
)
flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS['save'])


def tell(result: Any, *packages: str, **more: Any) -> None:
  """Prints the result as one line of JSON, and keeps it with --save.

  Args:
    result: what JSON can hold.
    packages: whose versions count, beside Python's and jax's.
    more: what is kept beside its fields and not printed.
  """
  keep({**result, **more} if more else result, *packages)
  print(json.dumps(result))


def keep(result: Any, *packages: str) -> None:
  """Writes the result, its command and machine with --save; else nothing."""
  if _SAVE.value is None:
    return
  spec = sys.modules['__main__'].__spec__
  module = spec.name if spec else 'experiments.benchmarks'
  FOLDER.mkdir(parents=True, exist_ok=True)
  path = FOLDER / f'{_SAVE.value}.json'
  made = provenance.record(module, without=_WHERE, packages=packages)
  # A list on one line.
  files.write_text(path, cells.text({**made, 'result': result}))
  metrics.LOG.info('%s', path)
