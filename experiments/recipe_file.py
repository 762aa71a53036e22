"""What is wrong with a recipe or a field of it, told in one line."""

import pathlib
import re
import sys
import traceback

from absl import flags

_ITEMS = re.compile(r'--?config\.(?P<path>[\w.]+)\.items=(?P<value>.*)')


def told(error: Exception, argv: list[str]) -> str:
  """Returns what a recipe raised: with its line, or as of a flag."""
  if 'get_config' in str(error) and isinstance(error, AttributeError):
    return (
      f'the recipe {_file(argv)} defines no get_config(); a recipe is a Python'
      ' file with that function, which returns its fields, as'
      ' experiments/configs/popo/ml100k_cpu.py has it.'
    )
  if where := _line_of(error, argv):
    return f'the recipe {where}: {brief(error)}; correct it.'
  return f'{brief(error)}; check --config.FIELD=VALUE and the recipe.'


def brief(error: Exception) -> str:
  """Returns what an error says in one line: of many the first and the last."""
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  if not lines:
    return type(error).__name__
  text = lines[0]
  if (name := text.strip('\'"')).isidentifier():
    return (
      f'the recipe has no field {name}: correct the name, or give the section'
      " in the recipe's file"
    )
  if isinstance(error, OSError):
    return lines[-1]
  return text if len(lines) == 1 else f'{text} {lines[-1]}'


def without_items(argv: list[str]) -> tuple[list[str], list[re.Match]]:
  """Returns the arguments, and apart from them those of fields named items.

  A ConfigDict has a method of that name, which is what absl would find.
  """
  found = [match for a in argv if (match := _ITEMS.fullmatch(a))]
  # absl's flag of a recipe reads the command line a second time.
  sys.argv = [a for a in sys.argv if not _ITEMS.fullmatch(a)]
  return [a for a in argv if not _ITEMS.fullmatch(a)], found


def set_items(found: list[re.Match]) -> None:
  for match in found:
    section = flags.FLAGS['config'].value
    for name in match['path'].split('.'):
      section = section[name]
    section['items'] = match['value']


def _file(argv: list[str]) -> str:
  """Returns the file that --config names, '' where it is not given."""
  given = [a.partition('=')[2] for a in argv if a.startswith('--config=')]
  return given[0].split(':')[0] if given else ''


def _line_of(error: Exception, argv: list[str]) -> str:
  """Returns 'FILE:LINE' of the recipe in which an error arose, '' elsewhere."""
  if not (name := _file(argv)):
    return ''
  own = pathlib.Path(name)
  frames = [
    frame
    for frame in traceback.extract_tb(error.__traceback__)
    if pathlib.Path(frame.filename).resolve() == own.resolve()
  ]
  return f'{own}:{frames[-1].lineno}' if frames else ''
