"""Remakes every table and figure of the pages out of finished runs.

Run: python -m experiments.docs [--check]

Reads the small files in experiments/results alone: no data, no model, no
training. --check writes nothing, lists what is stale and ends with 1.
"""

import pathlib

from absl import flags

from experiments import entry
from experiments.documents import update
from experiments.documents.registry import REGISTRY
from experiments.documents.sources import Sources
from taiji_jax.errors import UserError

_CHECK = flags.DEFINE_bool('check', False, 'Write nothing, list what is stale.')


def main() -> None:
  """Makes what is stale; a UserError names what is left."""
  found = update.update(pathlib.Path(), REGISTRY, Sources(), not _CHECK.value)
  for fault in found:
    if fault.made:
      print(f'{fault.where} {fault.what}'.strip())
  if left := [str(fault) for fault in found if not fault.made]:
    raise UserError('\n'.join([f'{len(left)} left', *left]))


if __name__ == '__main__':
  entry.run(main)
