"""A directory that is written whole or not at all."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import shutil

import jax

from taiji_jax.errors import UserError
from taiji_jax.modules.weights import safetensors_file

# In the metadata of every tensor file written here.
MARK = {'written_by': 'taiji_jax'}


def check(target: pathlib.Path) -> None:
  """Raises UserError where something else lies there already."""
  if not target.exists():
    return
  if target.is_dir() and (not any(target.iterdir()) or _ours(target)):
    return
  raise UserError(
    f"'{target}' exists and was not written by an export of ours; give another"
    ' directory, or empty it.'
  )


@contextlib.contextmanager
def replacing(target: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields an empty directory beside `target` that takes its place at the end.

  Where the body raises, nothing is changed. With several processes the first
  one makes and moves it; the others are given its name.
  """
  first = jax.process_index() == 0
  partial = target.with_name(f'.{target.name}.{os.getpid()}.partial')
  if not first:
    yield partial
    return
  partial.mkdir(parents=True)
  try:
    yield partial
    old = target.with_name(f'.{target.name}.{os.getpid()}.old')
    if target.exists():
      target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _ours(target: pathlib.Path) -> bool:
  files = sorted(target.glob('*.safetensors'))
  if not files:
    return False
  try:
    _, metadata = safetensors_file.read_header(files[0])
  except UserError:
    return False
  return metadata.items() >= MARK.items()
