"""Every field of a recipe: where it is written, its default, its meaning.

All of it comes from the dataclasses and their docstrings at run time, so that a
page or a help text can't say what the code does not.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import inspect
import re
import types
import typing
from typing import Any

from taiji_jax.pipeline.recipe import Recipe

REQUIRED = 'required'
# What `recipe.from_config` does before it builds: a field that is written in
# another section, and defaults that come from elsewhere in the recipe.
_WRITTEN_AT = {'source': 'model.source'}
_DEFAULTS = {
  'model.vocab_size': 'that of `tokenizer.vocab_size`',
  'cot.openai.seed': 'that of `seed`',
}
_OPTIONAL = {'tokenizer'}
_ENTRY = re.compile(r'  (\w+(?:, \w+)*): (.*)')


@dataclasses.dataclass(frozen=True)
class Field:
  """A value of a recipe.

  Attributes:
    path: as a user writes it, `rl.group`.
    kind: its type in words.
    default: as Python writes it, between backticks; or words, as `REQUIRED`.
    meaning: what it is, '' where no docstring says it.
  """

  path: str
  kind: str
  default: str
  meaning: str


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of a recipe that has a dataclass of its own.

  Attributes:
    path: `rl.opt`; '' for the recipe itself.
    meaning: what it is, '' where no docstring says it.
    presence: what it means to leave it out.
    fields: its own; what lies in sections below it is theirs.
  """

  path: str
  meaning: str
  presence: str
  fields: tuple[Field, ...]


def sections(cls: type = Recipe) -> list[Section]:
  """Returns the sections of a recipe, each before those below it."""
  whole, *below = _walk(cls, '', inspect.getdoc(cls).splitlines()[0], '')
  moved = [
    dataclasses.replace(field, path=_WRITTEN_AT[field.path])
    for field in whole.fields
    if field.path in _WRITTEN_AT
  ]
  own = [f for f in whole.fields if f.path not in _WRITTEN_AT]
  found = [dataclasses.replace(whole, fields=tuple(own))]
  for section in below:
    first = [f for f in moved if f.path.rpartition('.')[0] == section.path]
    fields = (*first, *section.fields)
    found.append(dataclasses.replace(section, fields=fields))
  return found


def meanings(cls: type) -> dict[str, str]:
  """Returns field -> what its class, or a class it inherits from, says of it.

  A line `eta, mu: ...` of the section `Attributes:` speaks of both.

  >>> class Base:
  ...   '''Sizes.
  ...
  ...   Attributes:
  ...     width, height: in
  ...       pixels.
  ...   '''
  >>> meanings(Base)
  {'width': 'in pixels.', 'height': 'in pixels.'}
  """
  found = {}
  for base in reversed(cls.__mro__):
    text = inspect.cleandoc(base.__dict__.get('__doc__') or '')
    _, _, rest = text.partition('Attributes:\n')
    names = ()
    for line in rest.splitlines():
      if line and not line.startswith('  '):
        break
      if entry := _ENTRY.fullmatch(line):
        names = entry[1].split(', ')
        found |= dict.fromkeys(names, entry[2])
      elif line:
        found |= {name: f'{found[name]} {line.strip()}' for name in names}
  return found


def _walk(
  cls: type, path: str, meaning: str, presence: str
) -> Iterator[Section]:
  """Yields a section and those below it."""
  hints, told = typing.get_type_hints(cls), meanings(cls)
  own, below = [], []
  for field in dataclasses.fields(cls):
    at = f'{path}.{field.name}' if path else field.name
    kind, text = _without_none(hints[field.name]), told.get(field.name, '')
    if dataclasses.is_dataclass(kind):
      below.append((kind, at, text, _presence(field, kind, at)))
    else:
      own.append(
        Field(at, _words(hints[field.name]), _default(field, at), text)
      )
  yield Section(path, meaning, presence, tuple(own))
  for section in below:
    yield from _walk(*section)


def _presence(field: dataclasses.Field, cls: type, path: str) -> str:
  if field.default is None:
    return 'None unless the recipe has this section.'
  if field.default is not dataclasses.MISSING or path in _OPTIONAL:
    return 'May be left out.'
  missing = dataclasses.MISSING
  if all(
    (f.default, f.default_factory) != (missing, missing)
    for f in dataclasses.fields(cls)
  ):
    return 'Required, if only as an empty section.'
  return 'Required.'


def _default(field: dataclasses.Field, path: str) -> str:
  if path in _DEFAULTS:
    return _DEFAULTS[path]
  if field.default_factory is not dataclasses.MISSING:
    return f'`{field.default_factory()!r}`'
  if field.default is dataclasses.MISSING:
    return REQUIRED
  return f'`{field.default!r}`'


def _without_none(hint: Any) -> Any:
  """Returns the type of a value that is there."""
  if typing.get_origin(hint) in (types.UnionType, typing.Union):
    (hint,) = [h for h in typing.get_args(hint) if h is not types.NoneType]
  return hint


def _words(hint: Any) -> str:
  """Returns a type in words.

  >>> _words(tuple[int, ...] | None)
  'tuple of int, or None'
  """
  kind = _without_none(hint)
  if typing.get_origin(kind) is tuple:
    text = f'tuple of {typing.get_args(kind)[0].__name__}'
  elif kind is dict or typing.get_origin(kind) in (dict, Mapping):
    text = 'mapping'
  else:
    text = kind.__name__
  return text if kind is hint else f'{text}, or None'
