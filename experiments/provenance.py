"""Where numbers come from: the command, the day, the machine."""

from collections.abc import Mapping, Sequence
import datetime
import importlib.metadata
import os
import re
import shlex
import sys
from typing import Any

import jax

import taiji_jax

_NUMBERS = {1: 'one', 2: 'two', 4: 'four', 8: 'eight'}
# What an endpoint is sent beside the fields that all know may hold secrets.
_SECRET = re.compile(r'^(--?[\w.]*\.extra_body\b[\w.]*)=.*', re.DOTALL)
_HARDWARE = ('device', 'cores')
Record = Mapping[str, Any]
"""JSON: 'command', 'date', 'machine'; 'transcribed' where a page was copied."""


def record(
  module: str,
  date: datetime.date | None = None,
  without: Sequence[str] = (),
  packages: Sequence[str] = (),
) -> dict[str, Any]:
  """Returns the record of this process.

  Args:
    module: what `python -m` runs.
    date: when the numbers were made, today where None.
    without: flags that decide no number and are left out of the command.
    packages: others whose versions count, where they are installed.
  """
  kept = [
    _quoted(_SECRET.sub(r'\1=***', argument))
    for argument in sys.argv[1:]
    if argument.lstrip('-').split('=')[0] not in without
  ]
  return {
    'command': ' '.join(['python -m', module, *kept]),
    'date': str(date or datetime.date.today()),
    'machine': machine(packages),
  }


def about(module: str) -> list[tuple[str, str]]:
  """Returns (name, value) of the command, the day and the machine.

  Args:
    module: what `python -m` runs.
  """
  made = record(module)
  return [
    ('command', made['command']),
    ('day', made['date']),
    ('machine', ', '.join(_machine(made['machine']))),
    ('version', f'taiji_jax {taiji_jax.__version__}'),
  ]


def machine(packages: Sequence[str] = ()) -> dict[str, Any]:
  """Returns what the machine is, and the versions of Python, jax and others."""
  found: dict[str, Any] = {
    'device': jax.devices()[0].device_kind,
    'cores': os.cpu_count(),
    'python': '.'.join(map(str, sys.version_info[:2])),
    'jax': jax.__version__,
  }
  for name in packages:
    try:
      found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
  return found


def told(*records: Record) -> str:
  """Returns one line of Markdown: the commands, and each machine once.

  >>> told({'command': 'a', 'date': '2026-11-22', 'machine': {'cores': 2}})
  '`a`, 2026-11-22, two CPU cores.'
  """
  groups: dict[str, list[str]] = {}
  for one in records:
    where = ', '.join([one['date'], *_machine(one['machine'])])
    groups.setdefault(where, []).append(f'`{one["command"]}`')
  lines = [f'{", ".join(names)}, {where}' for where, names in groups.items()]
  kept = ' (taken over from the page of that day)'
  old = any(one.get('transcribed') for one in records)
  return '; '.join(lines) + f'{kept if old else ""}.'


def _machine(values: Mapping[str, Any]) -> list[str]:
  cores = values.get('cores', 0)
  parts = [f'{_NUMBERS.get(cores, cores)} CPU core{"s" * (cores != 1)}']
  if (device := values.get('device', 'cpu')) != 'cpu':
    parts = [device]
  versions = {'Python' if k == 'python' else k: v for k, v in values.items()}
  parts += [f'{k} {v}' for k, v in versions.items() if k not in _HARDWARE]
  return parts


def _quoted(argument: str) -> str:
  """Returns an argument as a shell reads it, within the quotes that are short.

  >>> print(_quoted("--names=('a',)"), _quoted('--seeds=(0, 1)'))
  "--names=('a',)" '--seeds=(0, 1)'
  """
  if "'" in argument and not set(argument) & set('"$`\\!'):
    return f'"{argument}"'
  return shlex.quote(argument)
