"""A main job of seconds: a small generated log and a recipe for it."""

import os
import pathlib
import random
import subprocess
import sys
from typing import Any

from tests import forks

ROOT = pathlib.Path(__file__).resolve().parents[2]

_RECIPE = """
from experiments.configs.popo import ml100k_cpu

def get_config():
  config = ml100k_cpu.get_config()
  config.name = 'tiny'
  with config.unlocked():
    config.update({overrides})
  return config
"""

TAIJI_ARMS = ('backbone', 'mbr_held', 'random', 'orft', 'popo_all')
"""Of the table; with what they begin with `mbr` and `popo` too."""
_TAIJI = 'taiji import amazon_scientific_cpu'

_DRIVER = """
import os, signal, sys
from experiments import entry, {module}
from taiji_jax import metrics

stage, step, number = sys.argv.pop(1).split(':')
advance = metrics.Progress.advance

def advance_then_stop(self, *args, **values):
  advance(self, *args, **values)
  if self._stage == stage and self._done == int(step):
    os.kill(os.getpid(), int(number))

metrics.Progress.advance = advance_then_stop
entry.run({module}.main, {module}.RECIPE)
"""


def write_log(folder: pathlib.Path, users: int = 16, events: int = 24) -> None:
  """Writes items.csv, users.csv and log.csv: users who go round in a genre."""
  rng = random.Random(0)
  genres = ('Drama', 'Comedy', 'War')
  items = [
    f'{n},Film {chr(65 + n)} (19{70 + n}),{genres[n % 3]},{genres[n % 3]}'
    f' era {n % 2}'
    for n in range(18)
  ]
  (folder / 'items.csv').write_text(
    '\n'.join(('item_id,title,l1,l2', *items)) + '\n'
  )
  (folder / 'users.csv').write_text(
    'user_id,age,gender\n'
    + ''.join(f'{u},{20 + u},{"MF"[u % 2]}\n' for u in range(users))
  )
  rows = [
    (rng.randrange(10_000), u, 3 * rng.randrange(6) + u % 3, rng.randrange(2))
    for u in range(users)
    for _ in range(events)
  ]
  (folder / 'log.csv').write_text(
    'user_id,item_id,timestamp,bought\n'
    + ''.join(f'{u},{n},{t},{bought}\n' for t, u, n, bought in sorted(rows))
  )


def write_taiji_recipe(
  folder: pathlib.Path, name: str = 'tiny_taiji', **cot: Any
) -> pathlib.Path:
  """Returns the path of a recipe of `experiments.taiji` for that log.

  Args:
    folder: holds the log.
    name: of the file.
    cot: more fields of that section.
  """
  overrides = _overrides(folder)
  overrides['data'] |= {'split': 'leave_one_out', 'profile': 'history'}
  overrides['data'] |= {'rl_fraction': 0.25}
  overrides['prompt'] |= {'profile_fields': ('favours', 'bought')}
  overrides['sft'] |= {'examples': 24, 'opt': {'steps': 12, 'warmup': 1}}
  overrides |= {
    'pretrain': {'batch': 4, 'tokens': 96, 'opt': {'lr': 2e-2, 'steps': 150}},
    'cot': {'rule': 'ppl', 'held_out': 6, 'batch': 4, 'shard_rows': 8} | cot,
    'arms': {
      'names': TAIJI_ARMS,
      'sft_seeds': (0, 1),
      'rl_seeds': (0, 1, 2),
      'start': 'mbr',
      'rl_rows': 5,
      'validation_rows': 12,
    },
  }
  text = _RECIPE.replace('popo import ml100k_cpu', _TAIJI)
  path = folder / f'{name}.py'
  path.write_text(
    text.replace('ml100k_cpu.get', 'amazon_scientific_cpu.get').format(
      overrides=overrides
    )
  )
  return path


def write_recipe(folder: pathlib.Path) -> pathlib.Path:
  """Returns the path of a recipe that reads the log in `folder`."""
  path = folder / 'tiny.py'
  path.write_text(_RECIPE.format(overrides=_overrides(folder)))
  return path


def _overrides(folder: pathlib.Path) -> dict[str, Any]:
  """Returns what makes the recipe small."""
  return {
    'save_seconds': 20.0,
    'data': {
      'source': 'tables',
      'evaluation_rows': 8,
      'history': 6,
      'negatives': 1,
      'consumed_once': False,
      'tables': {
        'interactions': str(folder / 'log.csv'),
        'items': str(folder / 'items.csv'),
        'users': str(folder / 'users.csv'),
        'conversion': 'bought',
        'categories': ('l1', 'l2'),
        'profile': ('age', 'gender'),
      },
    },
    'prompt': {
      'max_history': 2,
      'profile_fields': ('age', 'gender'),
      'candidates': 2,
    },
    'length': {'prompt': 56, 'completion': 40},
    'tokenizer': {'vocab_size': 420, 'whole_names': 24},
    'tower': {
      'width': 4,
      'mlp_widths': (4,),
      'batch': 32,
      'epochs': 1,
      'judge_batch': 64,
      'judge_epochs': 1,
    },
    'model': {
      'num_layers': 2,
      'width': 32,
      'num_heads': 2,
      'num_kv_heads': 1,
      'mlp_width': 32,
      'unroll': 1,
    },
    'sft': {
      'examples': 64,
      'batch': 4,
      'tokens': 96,
      'opt': {'lr': 2e-2, 'steps': 120, 'warmup': 5},
    },
    # So small a tower, of users who choose at random, tells nothing.
    'rl': {
      'group': 2,
      'prompts': 2,
      'opt': {'steps': 3, 'warmup': 1},
      'require_informative_reward': False,
    },
    'retrieve': {'neighbours': 4, 'folds': 2},
    'evaluation': {'batch': 4},
  }


def start(
  *flags: str,
  stop: tuple[str, int, int] | None = None,
  cache: pathlib.Path | None = None,
  module: str = 'popo',
  plain: bool = False,
  save_seconds: float = 0.0,
) -> subprocess.Popen[str]:
  """Returns the main job, begun in a process of its own.

  Args:
    flags: of the experiment.
    stop: (stage, step, signal): the signal it sends itself after that step; it
      then also saves often.
    cache: where compiled programs are kept for the next process.
    module: the experiment.
    plain: not forked from a process that has imported the libraries, and with
      another seed of `hash`.
    save_seconds: between two checkpoints of a job that stops; 0: every step.
  """
  env = os.environ | {
    'PYTHONPATH': str(ROOT),
    'JAX_PLATFORMS': 'cpu',
    'XLA_FLAGS': forks.QUICK_TO_COMPILE,
  }
  if cache:
    env |= {
      'JAX_COMPILATION_CACHE_DIR': str(cache),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
    }
  how = ['-m', f'experiments.{module}']
  if stop:
    driver = _DRIVER.replace('{module}', module)
    how = ['-c', driver, ':'.join(map(str, stop))]
    flags = (*flags, f'--config.save_seconds={save_seconds}')
  return subprocess.Popen(
    [*((sys.executable,) if plain else forks.python()), *how, *flags],
    cwd=ROOT,
    env=env,
    text=True,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
  )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
  """Returns the exit code (negative: the signal) and standard error."""
  _, errors = process.communicate()
  return process.returncode, errors
