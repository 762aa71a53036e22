"""A directory that is written whole or not at all."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import re
import shutil

import jax

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import safetensors_file

# In the metadata of every tensor file written here.
MARK = {'written_by': 'taiji_jax'}
_LOCK = '.lock'
_PARTIAL, _OLD = '.partial', '.old'


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
  one makes and moves it; the others are given its name. What exports to it
  left that were killed is removed.
  """
  first = jax.process_index() == 0
  partial = target.with_name(f'.{target.name}.{os.getpid()}{_PARTIAL}')
  if not first:
    yield partial
    return
  _clean(target)
  partial.mkdir(parents=True)
  try:
    # Whoever finds the folder can tell whether its process lives.
    with _held(partial):
      yield partial
      old = partial.with_suffix(_OLD)
      if target.exists():
        target.rename(old)
      partial.rename(target)
    (target / _LOCK).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _held(partial: pathlib.Path) -> Iterator[bool]:
  """Yields whether this process alone holds a folder, or no process can."""
  lock = files.Lock(partial / _LOCK, 'taken')
  try:
    lock.acquire()
  except UserError:  # Of a living process, or on a disk without locks.
    yield False
    return
  try:
    yield True
  finally:
    lock.release()


def _clean(target: pathlib.Path) -> None:
  """Removes what killed exports left; puts back what one had moved away."""
  name = re.compile(rf'\.{re.escape(target.name)}\.\d+')
  for partial in sorted(target.parent.glob(f'.*{_PARTIAL}')):
    if name.fullmatch(partial.stem) and partial.is_dir():
      with _held(partial) as dead:
        if dead:
          _put_back(partial.with_suffix(_OLD), target)
          shutil.rmtree(partial, ignore_errors=True)
  for old in sorted(target.parent.glob(f'.*{_OLD}')):
    if name.fullmatch(old.stem) and not old.with_suffix(_PARTIAL).exists():
      _put_back(old, target)


def _put_back(old: pathlib.Path, target: pathlib.Path) -> None:
  if old.is_dir() and not target.exists():
    old.rename(target)
  shutil.rmtree(old, ignore_errors=True)


def _ours(target: pathlib.Path) -> bool:
  files = sorted(target.glob('*.safetensors'))
  if not files:
    return False
  try:
    _, metadata = safetensors_file.read_header(files[0])
  except UserError:
    return False
  return metadata.items() >= MARK.items()
