"""What a checkpoint or a tokenizer holds, as a hash that is remembered."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import time
from typing import Any

from taiji_jax import files
from taiji_jax.errors import UserError

# What checkpoints and tokenizers are read from, in the folder itself.
_READ = ('*.json', '*.safetensors', '*.model', '*.txt', '*.jinja', '*.gguf')
# Smaller ones are read anew each time.
REMEMBERED_BYTES = 1 << 24
# A file that was written just now may be written again within one tick of the
# clock of its file system.
_SETTLED_SECONDS = 2.0


def of(path: str | os.PathLike[str]) -> str:
  """Returns what tells two checkpoints apart, whatever they are called.

  The commit of a snapshot of the Hugging Face hub; else 16 hexadecimal digits
  of the sha256 of a file, or of the files of a folder that can be read as a
  part of a checkpoint. A large file's sha256 is remembered by path, size, times
  and inode in `~/.cache/taiji_jax` (`$XDG_CACHE_HOME/taiji_jax`).

  Args:
    path: a folder or a file.

  Raises:
    UserError: it is not there, or can't be read.
  """
  path = files.expanded(path)
  try:
    if _is_snapshot(path):
      return f'commit {path.name}'
    if path.is_file():
      return _sha256(path)[:16]
    found = sorted({p for pattern in _READ for p in path.glob(pattern)})
    if not found:
      raise UserError(
        f"'{path}' holds nothing that a checkpoint is read from; check the"
        ' path.'
      )
    sums = [f'{p.name} {_sha256(p)}' for p in found if p.is_file()]
  except OSError as error:
    raise UserError(
      f"'{path}' can't be read ({files.reason(error)}); check its rights."
    ) from error
  return hashlib.sha256('\n'.join(sums).encode()).hexdigest()[:16]


def _is_snapshot(path: pathlib.Path) -> bool:
  """Returns whether the hub's client made the folder, one for each commit."""
  repository = path.parent.parent.name
  return (
    path.parent.name == 'snapshots'
    and repository.startswith(('models--', 'datasets--', 'spaces--'))
    and re.fullmatch('[0-9a-f]{40}', path.name) is not None
    and path.is_dir()
  )


def cache() -> pathlib.Path | None:
  """Returns the folder of what can be made anew at any time.

  None where the user has no home.
  """
  try:
    base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  except RuntimeError:
    return None
  return pathlib.Path(base) / 'taiji_jax'


def memory() -> pathlib.Path | None:
  """Returns the file that remembers, None where there is no place for it."""
  folder = cache()
  return folder / 'sha256.json' if folder else None


def _sha256(path: pathlib.Path) -> str:
  """Returns the hash of a file, read only where it may be another."""
  own = str(path.resolve())
  mark = _mark(path)
  if mark[0] < REMEMBERED_BYTES:
    return files.sha256(path)
  known = _known().get(own)
  if isinstance(known, dict) and known.get('mark') == mark:
    return str(known.get('sha256'))
  now = time.time()
  found = files.sha256(path)
  if _mark(path) == mark and mark[1] < (now - _SETTLED_SECONDS) * 1e9:
    _remember(own, {'mark': mark, 'sha256': found})
  return found


def _mark(path: pathlib.Path) -> list[int]:
  """Returns size, times in ns and inode: another content has another mark."""
  stat = path.stat()
  return [
    stat.st_size,
    max(stat.st_mtime_ns, stat.st_ctime_ns),
    stat.st_mtime_ns,
    stat.st_ino,
    stat.st_dev,
  ]


def _known() -> dict[str, Any]:
  path = memory()
  with contextlib.suppress(UserError):
    return files.read_json(path) if path else {}
  return {}


def _remember(path: str, entry: dict[str, Any]) -> None:
  """Notes one hash, and forgets those of files that are gone."""
  memo = memory()
  if memo is None:
    return
  known = {p: e for p, e in _known().items() if pathlib.Path(p).is_file()}
  # Without it the file is read again at the next start.
  with contextlib.suppress(OSError, UserError):
    memo.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**known, path: entry}, indent=1)
    files.write_text(memo, text + '\n', f'.{os.getpid()}')
