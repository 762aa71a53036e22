"""Files that are whole or not there, JSON lines, hashes, and a lock."""

from collections.abc import Iterable, Iterator
import contextlib
import errno
import hashlib
import json
import os
import pathlib
from typing import Any

import filelock

from taiji_jax.errors import UserError

MAKE_ROOM = (
  'free some space or check the rights, then run the same command again'
)
MAKE_ANEW = 'delete it and run the same command again, which writes it anew'
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextlib.contextmanager
def whole(
  path: pathlib.Path, tag: str = '', remedy: str = MAKE_ROOM
) -> Iterator[pathlib.Path]:
  """Yields a file to write; at the end that file takes the place of `path`.

  So `path` is whole or as it was, whenever the process is killed. Where the
  body raises, nothing is left.

  Args:
    path: of the file; its folder exists.
    tag: sets apart writers that may write the same file at once.
    remedy: what the user can do where the file cannot be written.

  Raises:
    UserError: an OSError in the body, or the file cannot be written.
  """
  with writing(path, remedy), replacing(path, tag, remedy) as part:
    yield part


@contextlib.contextmanager
def replacing(
  path: pathlib.Path, tag: str = '', remedy: str = MAKE_ROOM
) -> Iterator[pathlib.Path]:
  """Yields what `whole` yields; an OSError of the body stays what it is.

  For a body that does more than to write the file.

  Raises:
    UserError: the file cannot be put in its place.
  """
  part = path.with_name(f'{path.name}{tag}.part')
  try:
    yield part
    with writing(path, remedy):
      sync(part)
      part.replace(path)
      sync(path.parent)
  except BaseException:
    with contextlib.suppress(OSError):
      part.unlink(missing_ok=True)
    raise


@contextlib.contextmanager
def writing(path: pathlib.Path, remedy: str = MAKE_ROOM) -> Iterator[None]:
  """Yields nothing; turns an OSError of the body into a UserError on `path`."""
  try:
    yield
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be written ({reason(error)}); {remedy}."
    ) from error


def expanded(path: str | os.PathLike[str]) -> pathlib.Path:
  """Returns the path with a home directory in the place of a leading `~`.

  Args:
    path: of a file or folder, which need not be there.

  Raises:
    UserError: it begins with `~NAME`, and there is no such user.
  """
  try:
    return pathlib.Path(path).expanduser()
  except RuntimeError as error:
    raise UserError(
      f"'{path}' begins with a home directory that is unknown; write the path"
      ' in full.'
    ) from error


def reason(error: Exception) -> str:
  """Returns in a few words what went wrong with a file."""
  lines = str(error).splitlines() or [type(error).__name__]
  return getattr(error, 'strerror', None) or lines[0]


def write_text(
  path: pathlib.Path, text: str, tag: str = '', remedy: str = MAKE_ROOM
) -> None:
  """Returns once the text stands in the file, all of it; see `whole`."""
  with whole(path, tag, remedy) as part:
    part.write_text(text, encoding='utf-8')


def write_json(
  path: pathlib.Path,
  values: Any,
  tag: str = '',
  remedy: str = MAKE_ROOM,
  *,
  sort_keys: bool = False,
) -> None:
  """Returns once the file holds the values as JSON; see `whole`.

  Args:
    path, tag, remedy: see `whole`.
    values: what JSON can hold, no NaN.
    sort_keys: whether the same values give the same bytes in any order.
  """
  text = json.dumps(values, indent=1, sort_keys=sort_keys, allow_nan=False)
  write_text(path, text + '\n', tag, remedy)


def parse_json(text: str | bytes) -> Any:
  """Returns the value of a text in JSON.

  Raises:
    ValueError: it is none, not UTF-8, or nested too deeply to be read.
  """
  try:
    return json.loads(text)
  except RecursionError as error:
    raise ValueError('it is nested too deeply') from error


def read_json(path: pathlib.Path, remedy: str = MAKE_ANEW) -> dict[str, Any]:
  """Returns the JSON object of a file.

  Raises:
    UserError: there is no such file, or it holds no JSON object.
  """
  try:
    values = parse_json(path.read_text(encoding='utf-8'))
    if not isinstance(values, dict):
      raise ValueError('it holds no JSON object')
  except (OSError, ValueError) as error:
    raise UserError(
      f"'{path}' can't be read ({reason(error)}); {remedy}."
    ) from error
  return values


def write_lines(
  path: pathlib.Path,
  rows: Iterable[Any],
  tag: str = '',
  remedy: str = MAKE_ROOM,
) -> None:
  """Returns once the file holds each row as a line of JSON; see `whole`.

  One row is held at a time.
  """
  with (
    whole(path, tag, remedy) as part,
    part.open('w', encoding='utf-8') as file,
  ):
    for row in rows:
      file.write(json.dumps(row) + '\n')


def read_lines(path: pathlib.Path, remedy: str = MAKE_ANEW) -> Iterator[Any]:
  """Yields the value of each line, one held at a time.

  Raises:
    UserError: there is no such file, or a line is no JSON; it says which.
  """
  try:
    with path.open('rb') as file:
      for number, line in enumerate(file, 1):
        yield _parsed(line, f"'{path}:{number}'", remedy)
  except OSError as error:
    raise UserError(
      f"'{path}' can't be read ({reason(error)}); {remedy}."
    ) from error


def _parsed(line: bytes, where: str, remedy: str) -> Any:
  try:
    return parse_json(line)
  except ValueError as error:
    raise UserError(
      f'{where} is no JSON ({reason(error)}); {remedy}.'
    ) from error


def read_whole_lines(
  path: pathlib.Path, remedy: str = MAKE_ANEW
) -> Iterator[Any]:
  """Yields the values of the lines; a last one that a kill broke off is left.

  Nothing where there is no such file. One line is held at a time.

  Raises:
    UserError: a line that was written to its end is no JSON; it says which.
  """
  try:
    with path.open('rb') as file:
      for number, line in enumerate(file, 1):
        if not line.endswith(b'\n'):
          return
        yield _parsed(line, f"'{path}:{number}'", remedy)
  except FileNotFoundError:
    return


def sha256(path: pathlib.Path) -> str:
  """Returns the hash of a file, in hexadecimal."""
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def sync(path: pathlib.Path) -> None:
  """Returns once a file, or the list of a folder's files, is on the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


class Lock:
  """A file that one process at a time holds; a killed process lets go of it.

  Held within `with`, or between `acquire` and `release`, by any thread.
  """

  def __init__(self, path: pathlib.Path, refusal: str | None = None):
    """Takes the parts; nothing is held yet.

    Args:
      path: of the file that is locked, made where there is none; its folder
        exists. It stays when the lock is let go.
      refusal: what the UserError says where another process holds the lock;
        None waits for it.
    """
    self._path, self._refusal = path, refusal
    # What it would fall back to outlives a process that was killed.
    self._lock = filelock.FileLock(
      path, thread_local=False, fallback_to_soft=False
    )

  def acquire(self) -> None:
    """Returns once this process holds the lock.

    Raises:
      UserError: another holds it, the file cannot be made, or the file system
        has no locks.
    """
    with writing(self._path):
      try:
        self._lock.acquire(timeout=-1 if self._refusal is None else 0)
      except filelock.Timeout as error:
        raise UserError(self._refusal) from error
      except OSError as error:
        if error.errno not in _NO_LOCKS:
          raise
        raise UserError(
          f"'{self._path}' cannot be locked: the file system there has no"
          f' locks ({reason(error)}); take a folder on another one, or mount it'
          ' with locks.'
        ) from error

  def release(self) -> None:
    """Lets go, where it is held."""
    self._lock.release(force=True)

  def __enter__(self) -> 'Lock':
    self.acquire()
    return self

  def __exit__(self, *_: object) -> None:
    self.release()
