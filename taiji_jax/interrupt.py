"""Ctrl-C and SIGTERM: finish the step, save, then stop."""

from collections.abc import Iterator
import contextlib
import signal
import threading


class Interrupted(Exception):
  """The run was told to stop; what was done is saved.

  Attributes:
    signal_number: which signal it was.
  """

  def __init__(self, signal_number: int, where: str):
    super().__init__(where)
    self.signal_number = signal_number


class Flag:
  """Whether a signal came."""

  def __init__(self):
    self.signal_number = 0

  def __bool__(self) -> bool:
    return bool(self.signal_number)


_IN_FORCE: list[Flag] = []


@contextlib.contextmanager
def deferred() -> Iterator[Flag]:
  """Yields a flag that SIGINT and SIGTERM set; a second one acts at once.

  Within another one it is the same flag, so that whoever looks first stops.
  """
  if _IN_FORCE:
    yield _IN_FORCE[0]
    return
  flag = Flag()
  if threading.current_thread() is not threading.main_thread():
    yield flag
    return
  before = {}

  def note(number, frame):
    if flag:
      signal.signal(number, before[number])
      signal.raise_signal(number)
    flag.signal_number = number

  for number in (signal.SIGINT, signal.SIGTERM):
    before[number] = signal.signal(number, note)
  _IN_FORCE.append(flag)
  try:
    yield flag
  finally:
    _IN_FORCE.remove(flag)
    for number, handler in before.items():
      signal.signal(number, handler)
