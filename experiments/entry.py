"""The way into every experiment: flags, logs, errors without a traceback."""

from collections.abc import Callable
import errno
import logging
import os
import pathlib
import signal
import sys

from absl import app, flags
from ml_collections import config_flags

from experiments import huge_pages, recipe_file
from taiji_jax import files, metrics
from taiji_jax.errors import UserError
from taiji_jax.interrupt import Interrupted

FULL_OR_FORBIDDEN = (
  errno.ENOSPC,
  errno.EDQUOT,
  errno.EFBIG,
  errno.EACCES,
  errno.EROFS,
)

_HELP = {'--help', '-help', '--helpshort', '--helpfull', '-?'}
# Held until the process ends.
_LOCKS = []
_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')


def recipe_flag(default: str) -> flags.FlagHolder:
  """Returns the flag --config, whose file `run` loads."""
  holder = config_flags.DEFINE_config_file(
    'config',
    None,
    f'The recipe, {default} where not given; a field is changed by'
    ' --config.SECTION.FIELD=VALUE, see the fields below.',
    # What it may not have is told once it is built, with what it may.
    lock_config=False,
    accept_new_attributes=True,
  )
  return _in_help(holder)


def workdir_flag(default: str | None = None) -> flags.FlagHolder:
  """Returns the flag --workdir."""
  told = 'Where the run writes; runs/NAME where not given.'
  if default:
    told = 'The work directory of a run that was made.'
  return _in_help(flags.DEFINE_string('workdir', default, told))


def results_flag() -> flags.FlagHolder:
  """Returns the flag --results of an experiment that keeps its cells itself."""
  told = 'Where the small files of the finished run are kept, if at all.'
  return _in_help(flags.DEFINE_string('results', None, told))


def _in_help(holder: flags.FlagHolder) -> flags.FlagHolder:
  """Returns the flag, once --help counts it as the experiment's own."""
  flags.FLAGS.register_key_flag_for_module(
    sys.argv[0], flags.FLAGS[holder.name]
  )
  return holder


def run(
  main: Callable[[], None],
  recipe: str | None = None,
  kind: type | None = None,
) -> None:
  """Runs `main`; a user's mistake ends in one sentence and exit code 1.

  Args:
    main: the experiment.
    recipe: where its --config, if it has that flag, is not given. Such an
      experiment trains: it has large pages, see `huge_pages`.
    kind: the dataclass of its recipe, whose fields --help shows; that of
      Taiji's where None.
  """

  def guarded(argv: list[str]) -> None:
    if recipe:
      huge_pages.restart()
    _guarded(main, argv)

  app.run(
    guarded,
    flags_parser=lambda argv: _parse(argv, recipe, kind),
  )


def workdir(flag: str | None, default: str) -> pathlib.Path:
  """Returns the work directory, made where it does not exist, and claims it.

  Two processes that write the same checkpoints would damage them: the second
  is refused until the first has ended, however it ends.
  """
  path = pathlib.Path(flag or default)
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f"can't make the work directory {path} ({error.strerror}); choose"
      ' another by --workdir.'
    ) from error
  _claim(path)
  return path


def folder(flag: str | None, name: str) -> pathlib.Path | None:
  """Returns the folder of a flag, None where it is not given.

  It is not made, but refused at once where it cannot be.

  Args:
    flag: its value.
    name: of the flag.

  Raises:
    UserError: it, or what it would lie in, is a file.
  """
  if not flag:
    return None
  path = pathlib.Path(flag)
  for part in (path, *path.parents):
    if part.exists() and not part.is_dir():
      raise UserError(
        f'{name} is {flag}, but {part} is a file; give a folder, which is made'
        ' where it does not exist.'
      )
  return path


def finished(flag: str) -> pathlib.Path:
  """Returns the work directory of a run that was made, and claims it.

  So nothing is read of a run that is under way.
  """
  path = pathlib.Path(flag)
  # Where nobody may write nobody trains, and no lock can be made.
  if path.is_dir() and os.access(path, os.W_OK):
    _claim(path)
  return path


def _claim(path: pathlib.Path) -> None:
  """Holds the lock of a work directory until the process ends."""
  lock = files.Lock(
    path / '.lock',
    f'another process works in {path}; wait for its end, or choose another'
    ' folder by --workdir.',
  )
  lock.acquire()
  _LOCKS.append(lock)


def _parse(argv: list[str], recipe: str | None, kind: type | None) -> list[str]:
  """Parses flags; a wrong one ends in one sentence and exit code 2."""
  argv, items = recipe_file.without_items(_with_recipe(argv, recipe))
  if _HELP.intersection(argv):
    # A pager that has seen enough ends us in silence, as it does any command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
  try:
    rest = flags.FLAGS(argv)
    if recipe:
      # A recipe that can't be read raises as soon as it is looked at.
      getattr(flags.FLAGS['config'].value, 'lock', None)
      recipe_file.set_items(items)
    return rest
  except SystemExit:  # --help, after which absl exits with 1.
    if recipe and _HELP.intersection(argv):
      _print_fields(kind)
    sys.exit(0)
  except (flags.Error, UserError) as error:
    _die(recipe_file.brief(error), 2)
  except SyntaxError as error:
    where = f'{error.filename}:{error.lineno}'
    _die(f'the recipe {where}: {error.msg}; correct it.', 2)
  except OSError as error:
    _die(
      f"the recipe can't be read: {recipe_file.brief(error)}; check --config.",
      2,
    )
  except Exception as error:  # A recipe is a program: it may raise anything.
    if '--debug' in argv:
      raise
    _die(recipe_file.told(error, argv), 2)


def _with_recipe(argv: list[str], recipe: str | None) -> list[str]:
  """Returns the arguments, --config among them where there is such a flag.

  A recipe is loaded by a flag and not as the flag's default, which would be
  loaded at import and have to know the fields of every other recipe.
  """
  if recipe and not any(a.split('=')[0].lstrip('-') == 'config' for a in argv):
    return [argv[0], f'--config={recipe}', *argv[1:]]
  return argv


def _print_fields(kind: type | None) -> None:
  """Prints the fields of a recipe behind what absl tells of the flags."""
  # It imports what a recipe speaks of, which other commands need not.
  from experiments import recipe_fields

  print(f'\n{recipe_fields.text(flags.get_help_width(), kind)}', end='')


def _guarded(main: Callable[[], None], argv: list[str]) -> None:
  if len(argv) > 1:
    _die(f'unexpected argument {argv[1]!r}; see --help.', 2)
  if not _DEBUG.value:
    # Libraries show tracebacks of what is told in a sentence below.
    logging.getLogger('absl').setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda _: None
  # JAX tells of the accelerators that it did not find.
  logging.getLogger('jax').setLevel(logging.WARNING)
  # A line for every answer of an endpoint.
  logging.getLogger('httpx2').setLevel(logging.WARNING)
  metrics.show_progress()
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
  if code > 128:
    # A signal may have come while XLA compiled, whose threads do not end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  sys.exit(code)
