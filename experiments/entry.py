"""The way into every experiment: flags, logs, errors without a traceback."""

from collections.abc import Callable
import errno
import logging
import os
import pathlib
import signal
import sys

from absl import app, flags

from taiji_jax import metrics
from taiji_jax.errors import UserError
from taiji_jax.interrupt import Interrupted

FULL_OR_FORBIDDEN = (
  errno.ENOSPC,
  errno.EDQUOT,
  errno.EFBIG,
  errno.EACCES,
  errno.EROFS,
)

_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')


def run(main: Callable[[], None]) -> None:
  """Runs `main`; a user's mistake ends in one sentence and exit code 1."""
  app.run(lambda argv: _guarded(main, argv), flags_parser=_parse)


def workdir(flag: str | None, default: str) -> pathlib.Path:
  """Returns the work directory, made where it does not exist."""
  path = pathlib.Path(flag or default)
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f"can't make the work directory {path} ({error.strerror}); choose"
      ' another by --workdir.'
    ) from error
  return path


def _parse(argv: list[str]) -> list[str]:
  """Parses flags; a wrong one ends in one sentence and exit code 2."""
  try:
    return flags.FLAGS(argv)
  except (flags.Error, UserError) as error:
    _die(str(error), 2)
  except FileNotFoundError as error:
    _die(f'the recipe {error.filename} does not exist; check --config.', 2)
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    text = str(error).strip('\'"').splitlines()[0]
    _die(f'{text}; check the --config.FIELD=VALUE flags and the recipe.', 2)


def _guarded(main: Callable[[], None], argv: list[str]) -> None:
  if len(argv) > 1:
    _die(f'unexpected argument {argv[1]!r}; see --help.', 2)
  # Libraries log a traceback of what is told in a sentence below.
  logging.getLogger('absl').setLevel(logging.CRITICAL)
  metrics.LOG.setLevel(logging.INFO)
  metrics.LOG.propagate = False
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  metrics.LOG.addHandler(handler)
  signal.signal(signal.SIGTERM, _terminated)
  try:
    main()
  except UserError as error:
    _end(str(error), 1)
  except Interrupted as error:
    _end(
      f'stopped after {error}; the same command goes on from there.',
      128 + error.signal_number,
    )
  except KeyboardInterrupt:
    _end('stopped; the same command goes on from there.', 130)
  except OSError as error:
    if error.errno not in FULL_OR_FORBIDDEN:
      raise
    where = f' ({error.filename})' if error.filename else ''
    _end(
      f'{os.strerror(error.errno)}{where}; mend that, then the same command'
      ' goes on from what is saved.',
      1,
    )


def _terminated(number: int, frame: object) -> None:
  del frame
  raise Interrupted(number, 'the last stage that was finished')


def _end(text: str, code: int) -> None:
  if _DEBUG.value:
    raise sys.exception() from None
  _die(text, code)


def _die(text: str, code: int) -> None:
  prefix = '' if code > 128 else 'error: '
  print(f'{prefix}{text}', file=sys.stderr)
  sys.exit(code)
