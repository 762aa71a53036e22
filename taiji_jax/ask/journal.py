"""A journal on disk of what was asked: nothing is asked twice."""

from collections.abc import Iterable, Iterator, Sequence
import os
import pathlib
import threading

from taiji_jax import files
from taiji_jax.ask.entry import Entry, parse
from taiji_jax.ask.question import Question
from taiji_jax.errors import UserError

_ROWS_PER_FILE = 4096


class Journal:
  """Append-only files of JSON lines, one file to every 4096 rows.

  An entry is on disk when `append` returns. A line that a killed process left
  half written is cut off when the journal is next opened. One process at a
  time holds a journal; give each host a folder of its own. Memory does not
  grow with the number of entries.
  """

  def __init__(self, folder: str | os.PathLike[str]):
    """Opens a journal, and makes the folder where there is none.

    Raises:
      UserError: another process holds it, a line is damaged, or the folder
        cannot be read or written.
    """
    self._folder = pathlib.Path(folder).expanduser()
    self._writing = threading.Lock()
    self._lock = files.Lock(
      self._folder / 'lock',
      f'Another process writes the journal at {self._folder}; wait for it to'
      ' end, or give this one a folder of its own.',
    )
    try:
      self._folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise self._unusable(self._folder, error) from error
    self._lock.acquire()
    try:
      self._spent = self._totals()
    except BaseException:
      self.close()
      raise

  def __enter__(self) -> 'Journal':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    """Lets another process have the journal."""
    self._lock.release()

  @property
  def spent(self) -> tuple[int, int, float]:
    """Prompt tokens, completion tokens and dollars of all entries."""
    return self._spent

  def find(self, questions: Sequence[Question]) -> dict[str, Entry]:
    """Returns the last entry of each question that has one, by key.

    Under its former keys it is looked for as well; what is final goes before
    what is not, and then the key of today before others.
    """
    own = {one.key for one in questions}
    key_of = {key: one.key for one in questions for key in one.former}
    key_of |= {key: key for key in own}
    found: dict[str, Entry] = {}
    for path in sorted({self._path(one.row) for one in questions}):
      for entry in self._entries(path):
        key = key_of.get(entry.key)
        if key is None:
          continue
        before = found.get(key)
        if (
          before is None
          or before.key == entry.key
          or (before.final, before.key in own)
          <= (entry.final, entry.key in own)
        ):
          found[key] = entry
    return found

  def append(self, entries: Sequence[Entry]) -> None:
    """Returns when the entries are on disk; threads may call it at once.

    Raises:
      UserError: they cannot be written; the journal is as it was before.
    """
    lines: dict[pathlib.Path, list[bytes]] = {}
    for entry in entries:
      lines.setdefault(self._path(entry.row), []).append(entry.line())
    with self._writing:
      for path, own in lines.items():
        self._write(path, b''.join(own))
      self._spent = _plus(self._spent, entries)

  def _path(self, row: int) -> pathlib.Path:
    first = row // _ROWS_PER_FILE * _ROWS_PER_FILE
    return self._folder / f'rows-{first:012d}.jsonl'

  def _write(self, path: pathlib.Path, content: bytes) -> None:
    try:
      new = not path.exists()
      with open(path, 'ab', buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
          if file.write(content) != len(content):
            raise OSError('no space is left')
          os.fsync(file.fileno())
        except BaseException:
          os.ftruncate(file.fileno(), size)
          raise
      if new:
        files.sync(self._folder)
    except OSError as error:
      raise self._unusable(path, error) from error

  def _totals(self) -> tuple[int, int, float]:
    """Returns the sums over all entries; cuts off what is half written."""
    totals = (0, 0, 0.0)
    for path in sorted(self._folder.glob('rows-*.jsonl')):
      try:
        _cut_torn_line(path)
      except OSError as error:
        raise self._unusable(path, error) from error
      for entry in self._entries(path):
        totals = _plus(totals, [entry])
    return totals

  def _entries(self, path: pathlib.Path) -> Iterator[Entry]:
    try:
      with open(path, 'rb') as file:
        for number, line in enumerate(file, 1):
          yield self._parsed(path, number, line)
    except FileNotFoundError:
      return
    except OSError as error:
      raise self._unusable(path, error) from error

  def _parsed(self, path: pathlib.Path, number: int, line: bytes) -> Entry:
    try:
      return parse(line)
    except (ValueError, TypeError) as error:
      raise UserError(
        f'{path}:{number} is no journal entry ({error}); delete this line to'
        ' have its sample asked for again.'
      ) from error

  def _unusable(self, path: pathlib.Path, error: OSError) -> UserError:
    return UserError(
      f'The journal at {path} cannot be used ({files.reason(error)}); free'
      ' space there, mend its permissions or give another folder.'
    )


def _plus(
  totals: tuple[int, int, float], entries: Iterable[Entry]
) -> tuple[int, int, float]:
  prompt, completion, usd = totals
  for entry in entries:
    prompt += entry.prompt_tokens
    completion += entry.completion_tokens
    usd += entry.usd
  return prompt, completion, usd


def _cut_torn_line(path: pathlib.Path) -> None:
  """Cuts off everything behind the last line end."""
  with open(path, 'r+b') as file:
    end = size = file.seek(0, os.SEEK_END)
    while end:
      start = max(0, end - (1 << 16))
      file.seek(start)
      at = file.read(end - start).rfind(b'\n')
      if at >= 0:
        end = start + at + 1
        break
      end = start
    if end < size:
      file.truncate(end)
      os.fsync(file.fileno())
