"""Large pages for XLA's arrays on Linux, where training steps gain by them.

glibc takes them where the tunable glibc.malloc.hugetlb is 1 as a process
begins. `launch/` exports it; a command that was started without it starts
itself once more, in the same process.
"""

from collections.abc import Mapping
import os
import platform
import sys

_VARIABLE, _TUNABLE = 'GLIBC_TUNABLES', 'glibc.malloc.hugetlb'
OFF = 'TAIJI_HUGE_PAGES'
_DEBUGGERS = ('debugpy', 'pydevd')
_SINCE = (2, 35)


def restart() -> None:
  """Starts this command anew with large pages, where it has none.

  Once, since it has them then. Never under a debugger, nor in a process that
  began as something else than `python -m experiments.NAME` (tests, a notebook),
  nor where `TAIJI_HUGE_PAGES=0`.
  """
  if wanted(os.environ, sys.orig_argv) and not _debugged():
    env = os.environ | {_VARIABLE: with_pages(os.environ.get(_VARIABLE, ''))}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)


def wanted(env: Mapping[str, str], argv: list[str]) -> bool:
  """Returns whether a command is to be started anew.

  Args:
    env: its environment.
    argv: of the interpreter, its own options included.
  """
  return (
    sys.platform == 'linux'
    and _glibc() >= _SINCE
    and _TUNABLE not in env.get(_VARIABLE, '')
    and env.get(OFF, '1') != '0'
    and _module(argv).startswith('experiments.')
  )


def _module(argv: list[str]) -> str:
  """Returns what `python -m` runs, '' for another kind of command."""
  after = argv.index('-m') + 1 if '-m' in argv else len(argv)
  return argv[after] if after < len(argv) else ''


def with_pages(tunables: str) -> str:
  """Returns the tunables with ours behind those that are there.

  >>> with_pages('glibc.malloc.check=1')
  'glibc.malloc.check=1:glibc.malloc.hugetlb=1'
  """
  return ':'.join(part for part in (tunables, f'{_TUNABLE}=1') if part)


def _glibc() -> tuple[int, ...]:
  """Returns the version of glibc, () for another C library."""
  name, version = platform.libc_ver()
  if name != 'glibc':
    return ()
  return tuple(int(part) for part in version.split('.') if part.isdigit())


def _debugged() -> bool:
  if sys.gettrace() is not None:
    return True
  monitoring = getattr(sys, 'monitoring', None)
  if monitoring and monitoring.get_tool(monitoring.DEBUGGER_ID):
    return True
  return any(name in sys.modules for name in _DEBUGGERS)
